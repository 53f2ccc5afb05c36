import { sql } from 'kysely'
import type { ExecutionId, JobId } from '../job/execution.ts'
import { keysetAfter, orderTerms, type Page } from '../query/keyset-queries.ts'
import type { Db } from '../store/database.ts'
import type { FreezeAfter } from '../store/schedule-tables.ts'

export interface FreezeRow {
  readonly id: number
  readonly name: string
  readonly reason: string
  readonly owner: string
  readonly job_prefix: string
  readonly selector: string
  readonly starts_at: Date
  readonly ends_at: Date
  readonly after: FreezeAfter
  readonly include_manual: boolean
  readonly created_at: Date
  readonly thawed_at: Date | null
  readonly execution_count: number
  readonly skipped_count: number
  readonly state: 'pending' | 'active' | 'ending' | 'ended'
}

const STATE = sql<FreezeRow['state']>`case when f.thawed_at is not null then 'ended'
  when f.ends_at <= clock_timestamp() then 'ending'
  when f.starts_at <= clock_timestamp() then 'active' else 'pending' end`

/** Columns that freezes can be filtered and sorted by, by their name in the API. */
export const FREEZE_COLUMNS = {
  name: sql<string>`f.name`,
  state: sql<string>`${STATE}`,
  owner: sql<string>`f.owner`,
  start_time: sql<Date>`f.starts_at`,
  end_time: sql<Date>`f.ends_at`,
} as const

const FREEZE_ROW = [
  'f.id',
  'f.name',
  'f.reason',
  'f.owner',
  'f.job_prefix',
  'f.selector',
  'f.starts_at',
  'f.ends_at',
  'f.after',
  'f.include_manual',
  'f.created_at',
  'f.thawed_at',
  'f.execution_count',
  sql<number>`(select count(*)::int from rota.occurrence o where o.freeze_id = f.id)`.as(
    'skipped_count',
  ),
  STATE.as('state'),
] as const

export async function readFreeze(db: Db, name: string): Promise<FreezeRow | undefined> {
  return db
    .selectFrom('rota.freeze as f')
    .select(FREEZE_ROW)
    .where('f.name', '=', name)
    .executeTakeFirst()
}

/** One page, and how many there are in all. */
export async function listFreezes(
  db: Db,
  page: Page<typeof FREEZE_COLUMNS>,
): Promise<{ rows: FreezeRow[]; total: number }> {
  const matching = db.selectFrom('rota.freeze as f').where(page.condition)
  const rows = await matching
    .select(FREEZE_ROW)
    .where(keysetAfter(page))
    .orderBy(orderTerms(page))
    .limit(page.limit)
    .execute()
  const { total } = await matching
    .select(sql<number>`count(*)`.as('total'))
    .executeTakeFirstOrThrow()
  return { rows, total }
}

/** Some names of freezes, for a "did you mean". */
export async function someFreezeNames(db: Db): Promise<string[]> {
  const rows = await db
    .selectFrom('rota.freeze')
    .select('name')
    .orderBy('ends_at', 'desc')
    .limit(1_000)
    .execute()
  return rows.map(({ name }) => name)
}

/** What a decision needs to know of a freeze. */
export interface FreezeWindow {
  readonly id: number
  readonly name: string
  readonly reason: string
  readonly job_prefix: string
  readonly selector: string
  readonly starts_at: Date
  readonly ends_at: Date
}

/**
 * Freezes that end after a time, kept from being ended until the transaction is over: what it decides by them stays before
 * their end.
 */
export async function holdFreezes(db: Db, endingAfter: Date): Promise<FreezeWindow[]> {
  const { rows } = await sql<FreezeWindow>`/* holdFreezes */
    select id, name, reason, job_prefix, selector, starts_at, ends_at
    from rota.freeze where ends_at > ${endingAfter} order by id for share`.execute(db)
  return rows
}

/** Freezes that are not over, for what is shown and saved. */
export async function readFreezes(db: Db): Promise<FreezeWindow[]> {
  const { rows } = await sql<FreezeWindow>`/* readFreezes */
    select id, name, reason, job_prefix, selector, starts_at, ends_at
    from rota.freeze where ends_at > clock_timestamp() order by id`.execute(db)
  return rows
}

export interface ActiveFreeze extends FreezeWindow {
  /** Triggers by hand are refused, too. */
  readonly include_manual: boolean
}

/** Freezes of now. */
export async function readActiveFreezes(db: Db): Promise<ActiveFreeze[]> {
  const { rows } = await sql<ActiveFreeze>`/* readActiveFreezes */
    select id, name, reason, job_prefix, selector, starts_at, ends_at, include_manual
    from rota.freeze
    where starts_at <= clock_timestamp() and ends_at > clock_timestamp() order by id`.execute(db)
  return rows
}

export interface NewFreeze {
  readonly name: string
  readonly reason: string
  readonly owner: string
  readonly jobPrefix: string
  readonly selector: string
  /** Undefined: now. One that has passed is now, too. */
  readonly startsAt: Date | undefined
  readonly endsAt: Date
  readonly after: FreezeAfter
  readonly includeManual: boolean
}

/** Fails with the constraint `freeze_name_key` when the name is taken. */
export async function insertFreeze(db: Db, freeze: NewFreeze): Promise<void> {
  await sql`/* insertFreeze */
    insert into rota.freeze (name, reason, owner, job_prefix, selector, starts_at, ends_at, after, include_manual)
    values (${freeze.name}, ${freeze.reason}, ${freeze.owner}, ${freeze.jobPrefix}, ${freeze.selector},
      greatest(${freeze.startsAt ?? null}::timestamptz, clock_timestamp()), ${freeze.endsAt}, ${freeze.after},
      ${freeze.includeManual})`.execute(db)
}

/** Locks a freeze once nobody decides by it any more. */
export async function lockFreeze(db: Db, name: string): Promise<void> {
  await sql`/* lockFreeze */
    select from rota.freeze where name = ${name} for update`.execute(db)
}

/** Ends a freeze that is active, now. */
export async function endFreezeNow(db: Db, id: number): Promise<void> {
  await sql`/* endFreeze */
    update rota.freeze set ends_at = greatest(clock_timestamp(), starts_at)
    where id = ${id} and ends_at > clock_timestamp()`.execute(db)
}

export async function deleteFreezeRow(db: Db, id: number): Promise<void> {
  await sql`/* deleteFreeze */
    delete from rota.freeze where id = ${id}`.execute(db)
}

/** Which schedules a freeze touches: by the ids of their jobs, and by times that lie in it. */
export interface Touched {
  readonly jobPrefix: string
  readonly from: Date
  readonly until: Date
}

/** Has the schedules looked at whose next run falls into a freeze that is new. */
export async function wakeFrozen(db: Db, touched: Touched): Promise<void> {
  await sql`/* wakeFrozen */
    with touched as materialized (
      select s.job_id from rota.schedule s join rota.job j on j.id = s.job_id
      where starts_with(j.name, ${touched.jobPrefix}) and s.run_at >= ${touched.from} and s.run_at < ${touched.until}
      order by s.job_id for no key update of s
    )
    update rota.schedule s set due_at = greatest(clock_timestamp(), s.marked_at + interval '1 millisecond')
    from touched t where s.job_id = t.job_id and s.due_at > clock_timestamp()`.execute(db)
}

/**
 * Has the schedules looked at that are due where a freeze was that has gone. The caller has its row, and whoever decides about a
 * schedule waits for that with the schedule in hand: nobody waits for them here, they will see for themselves.
 */
export async function wakeThawed(db: Db, touched: Touched): Promise<void> {
  await sql`/* wakeThawed */
    with touched as materialized (
      select s.job_id from rota.schedule s join rota.job j on j.id = s.job_id
      where starts_with(j.name, ${touched.jobPrefix}) and s.due_at < ${touched.until}
        and (s.run_at >= ${touched.from} or s.run_at is null)
      order by s.job_id for no key update of s skip locked
    )
    update rota.schedule s set due_at = greatest(clock_timestamp(), s.marked_at + interval '1 millisecond')
    from touched t where s.job_id = t.job_id and s.due_at > clock_timestamp()`.execute(db)
}

/** In how many ms the next freeze ends that has not been thawed; undefined when there is none. */
export async function nextThawMs(db: Db): Promise<number | undefined> {
  const { rows } = await sql<{ wait_ms: number }>`/* nextThawMs */
    select extract(epoch from ends_at - clock_timestamp())::float8 * 1000 as wait_ms
    from rota.freeze where thawed_at is null order by ends_at limit 1`.execute(db)
  return rows[0]?.wait_ms
}

export interface EndedFreeze {
  readonly id: number
  readonly name: string
  readonly after: FreezeAfter
  readonly thawed_up_to: JobId
}

/** A freeze that is over and has something left to do, locked. It waits until every due time within it is decided. */
export async function lockEndedFreeze(db: Db): Promise<EndedFreeze | undefined> {
  const { rows } = await sql<EndedFreeze>`/* lockEndedFreeze */
    select id, name, after, thawed_up_to
    from rota.freeze f
    where thawed_at is null and ends_at <= clock_timestamp()
      and not exists (select from rota.schedule s where s.due_at < f.ends_at)
    order by ends_at limit 1 for update skip locked`.execute(db)
  return rows[0]
}

export interface ThawedDueTime {
  readonly job_id: JobId
  readonly uid: string
  readonly name: string
  readonly labels: Record<string, string>
  readonly version: number
  readonly scheduled_for: Date
}

/**
 * The newest due times that a freeze has skipped, of each of the next jobs by id. Jobs that are paused or deleted by now are
 * passed over.
 */
export async function readThawed(
  db: Db,
  freeze: EndedFreeze,
  limits: { readonly jobs: number; readonly ofEach: number },
): Promise<{ dueTimes: ThawedDueTime[]; upTo: JobId | undefined }> {
  const { rows: jobs } = await sql<{ job_id: JobId }>`/* readThawedJobs */
    select distinct job_id from rota.occurrence
    where freeze_id = ${freeze.id} and job_id > ${freeze.thawed_up_to} order by job_id limit ${limits.jobs}`.execute(
    db,
  )
  const ids = jobs.map(({ job_id }) => job_id)
  if (ids.length === 0) return { dueTimes: [], upTo: undefined }
  const { rows } = await sql<ThawedDueTime>`/* readThawed */
    select j.id as job_id, j.uid, j.name, j.labels, j.version, o.scheduled_for
    from rota.job j
    cross join lateral (
      select scheduled_for from rota.occurrence
      where freeze_id = ${freeze.id} and job_id = j.id order by scheduled_for desc limit ${limits.ofEach}
    ) o
    where j.id = any (${ids}::bigint[]) and j.state in ('active', 'completed')
    order by j.id, o.scheduled_for`.execute(db)
  return { dueTimes: rows, upTo: ids.at(-1) }
}

/** Writes into the ledger that they run after all. */
export async function recordThawed(
  db: Db,
  thawed: readonly {
    readonly jobId: JobId
    readonly scheduledFor: Date
    readonly executionId: ExecutionId
  }[],
): Promise<void> {
  const column = <K extends keyof (typeof thawed)[number]>(key: K) => thawed.map((row) => row[key])
  await sql`/* recordThawed */
    update rota.occurrence o set execution_id = t.execution_id, reason = o.reason || '; ran after its end'
    from unnest(${column('jobId')}::bigint[], ${column('scheduledFor')}::timestamptz[], ${column('executionId')}::uuid[])
      as t (job_id, scheduled_for, execution_id)
    where o.job_id = t.job_id and o.scheduled_for = t.scheduled_for`.execute(db)
}

/** The jobs up to this id are done; undefined: all of them. */
export async function advanceThaw(
  db: Db,
  id: number,
  done: { readonly upTo: JobId | undefined; readonly executions: number },
): Promise<void> {
  await sql`/* advanceThaw */
    update rota.freeze
    set thawed_up_to = coalesce(${done.upTo ?? null}::bigint, thawed_up_to),
      thawed_at = case when ${done.upTo === undefined} then clock_timestamp() end,
      execution_count = execution_count + ${done.executions}::int
    where id = ${id}`.execute(db)
}
