import { type Expression, type RawBuilder, type SqlBool, sql } from 'kysely'
import type { JobId } from '../job/execution.ts'
import type { Db } from '../store/database.ts'

/** A schedule that will be due, with what is needed to walk it. */
export interface ActiveScheduleRow {
  readonly job_id: JobId
  readonly name: string
  readonly uid: string
  readonly created_at: Date
  readonly marked_at: Date
  readonly due_at: Date
  /** The contract's JSON. */
  readonly schedule: unknown
  readonly slots: number
  readonly labels: Readonly<Record<string, string>>
  /** Of the runs after `skip_after` so many are skipped. */
  readonly skip_left: number
  readonly skip_after: Date | null
}

/** Which schedules; without any of it, all. */
export interface ScheduleChoice {
  /** Over `j`, a job, and `s`, its schedule. */
  readonly condition?: Expression<SqlBool>
  /** The only one. */
  readonly job?: string
  /** All but this one. */
  readonly exceptJob?: string
}

export interface ActiveSchedules {
  readonly choice: ScheduleChoice
  /** Only what is due next before this. */
  readonly endAt: Date
  /** The last one that was read. */
  readonly after: Pick<ActiveScheduleRow, 'due_at' | 'name'> | undefined
  readonly limit: number
}

/** Of a job that is paused for a while nothing runs before its pause ends. */
const MARK = sql<Date>`case when s.is_paused then greatest(s.marked_at, s.resume_at - interval '1 millisecond')
  else s.marked_at end`
const WILL_RUN = sql<SqlBool>`(not s.is_paused or s.resume_at is not null)`

/** Schedules in the order of their next due time, then of the job's name, as JavaScript compares names. */
export async function readActiveSchedules(
  db: Db,
  { choice, endAt, after, limit }: ActiveSchedules,
): Promise<ActiveScheduleRow[]> {
  const { rows } = await sql<ActiveScheduleRow>`
    select s.job_id, j.name, j.uid, j.created_at, j.labels, ${MARK} as marked_at, s.due_at, v.spec -> 'schedule' as schedule,
      s.skip_left, s.skip_after,
      case when jsonb_typeof(v.spec #> '{placement,slots}') = 'number' then (v.spec #> '{placement,slots}')::int
        else 1 end as slots
    from rota.schedule s
    join rota.job j on j.id = s.job_id
    join rota.job_version v on v.job_id = s.job_id and v.version = s.job_version
    where s.due_at < ${endAt} and ${chosen(choice)} and ${behind(after)} and ${WILL_RUN}
    order by s.due_at, j.name collate "C" limit ${limit}`.execute(db)
  return rows
}

/** How many there are behind `after`. */
export async function countActiveSchedules(
  db: Db,
  { choice, endAt, after }: Omit<ActiveSchedules, 'limit'>,
): Promise<number> {
  const { rows } = await sql<{ count: number }>`
    select count(*)::int as count from rota.schedule s join rota.job j on j.id = s.job_id
    where s.due_at < ${endAt} and ${chosen(choice)} and ${behind(after)} and ${WILL_RUN}`.execute(
    db,
  )
  return rows[0]?.count ?? 0
}

function chosen({ condition, job, exceptJob }: ScheduleChoice): RawBuilder<SqlBool> {
  return sql<SqlBool>`${condition ?? sql<SqlBool>`true`}
    and (${job ?? null}::text is null or j.name = ${job ?? null})
    and (${exceptJob ?? null}::text is null or j.name <> ${exceptJob ?? null})`
}

function behind(after: ActiveSchedules['after']): RawBuilder<SqlBool> {
  return after === undefined
    ? sql<SqlBool>`true`
    : sql<SqlBool>`s.due_at >= ${after.due_at} and (s.due_at > ${after.due_at} or j.name collate "C" > ${after.name})`
}

/** How long the newest successful executions of these jobs took: the median in ms. Jobs without any are not in it. */
export async function readExpectedDurations(
  db: Db,
  jobIds: readonly JobId[],
): Promise<ReadonlyMap<JobId, number>> {
  if (jobIds.length === 0) return new Map()
  const { rows } = await sql<{ job_id: JobId; p50_ms: number }>`/* readExpectedDurations */
    select w.job_id, d.p50_ms
    from unnest(${jobIds}::bigint[]) as w (job_id)
    cross join lateral (
      select percentile_cont(0.5) within group (order by extract(epoch from settled_at - started_at)::float8 * 1000) as p50_ms
      from (
        select h.settled_at, h.started_at from rota.execution_history h
        where h.job_id = w.job_id and h.state = 'succeeded' and h.started_at is not null
        order by h.created_at desc limit 20
      ) newest
    ) d
    where d.p50_ms is not null`.execute(db)
  return new Map(rows.map(({ job_id, p50_ms }) => [job_id, p50_ms]))
}
