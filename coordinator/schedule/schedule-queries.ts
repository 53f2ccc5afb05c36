import { sql } from 'kysely'
import { recordJobEvents } from '../events/record-event-queries.ts'
import type { ExecutionId, JobId } from '../job/execution.ts'
import type { Db } from '../store/database.ts'
import type { Decision } from '../store/schedule-tables.ts'

export interface DueSchedule {
  readonly job_id: JobId
  readonly job_version: number
  readonly marked_at: Date
  readonly is_paused: boolean
  /** When its pause ends; null: not by itself. */
  readonly resume_at: Date | null
  readonly pause_note: string
  readonly skip_left: number
  readonly skip_after: Date | null
  readonly skip_note: string
  /** The end of the last of all freezes. */
  readonly frozen_until: Date | null
  /** The database's clock, which alone decides what is due. */
  readonly now: Date
}

/** Schedules that are due, locked; those that another coordinator holds are left to it. */
export async function lockDueSchedules(db: Db, limit: number): Promise<DueSchedule[]> {
  const { rows } = await sql<DueSchedule>`/* lockDueSchedules */
    select job_id, job_version, marked_at, is_paused, resume_at, pause_note, skip_left, skip_after, skip_note,
      (select max(ends_at) from rota.freeze) as frozen_until, clock_timestamp()::timestamptz(3) as now
    from rota.schedule
    where due_at <= clock_timestamp()
    order by due_at limit ${limit}
    for update skip locked`.execute(db)
  return rows
}

/** In how many ms the next schedule is due; undefined when there is none. */
export async function nextDueMs(db: Db): Promise<number | undefined> {
  const { rows } = await sql<{ wait_ms: number }>`/* nextDueMs */
    select extract(epoch from due_at - clock_timestamp())::float8 * 1000 as wait_ms
    from rota.schedule order by due_at limit 1`.execute(db)
  return rows[0]?.wait_ms
}

export interface OccurrenceInsert {
  readonly jobId: JobId
  readonly scheduledFor: Date
  readonly decision: Decision
  readonly reason: string
  readonly executionId: ExecutionId | null
  /** Of the freeze that holds it back. */
  readonly freezeId: number | null
}

/** Writes the ledger. Answers the ones that were new: a due time that was decided before keeps its decision. */
export async function insertOccurrences(
  db: Db,
  occurrences: readonly OccurrenceInsert[],
): Promise<ReadonlySet<string>> {
  const column = <K extends keyof OccurrenceInsert>(key: K) => occurrences.map((row) => row[key])
  const { rows } = await sql<{ job_id: JobId; scheduled_for: Date }>`/* insertOccurrences */
    insert into rota.occurrence (job_id, scheduled_for, decision, reason, execution_id, freeze_id)
    select * from unnest(${column('jobId')}::bigint[], ${column('scheduledFor')}::timestamptz[],
      ${column('decision')}::text[], ${column('reason')}::text[], ${column('executionId')}::uuid[],
      ${column('freezeId')}::bigint[])
    on conflict (job_id, scheduled_for) do nothing
    returning job_id, scheduled_for`.execute(db)
  return new Set(rows.map((row) => occurrenceKey(row.job_id, row.scheduled_for)))
}

export function occurrenceKey(jobId: JobId, scheduledFor: Date): string {
  return `${jobId}/${scheduledFor.getTime()}`
}

export interface ScheduleMark {
  readonly jobId: JobId
  readonly markedAt: Date
  readonly dueAt: Date
  /** The next due time that will really run; null when there is none for years. */
  readonly runAt: Date | null
}

/** Moves the marks forward. */
export async function advanceSchedules(db: Db, marks: readonly ScheduleMark[]): Promise<void> {
  const column = <K extends keyof ScheduleMark>(key: K) => marks.map((mark) => mark[key])
  await sql`/* advanceSchedules */
    update rota.schedule s set marked_at = m.marked_at, due_at = m.due_at, run_at = m.run_at
    from unnest(${column('jobId')}::bigint[], ${column('markedAt')}::timestamptz[], ${column('dueAt')}::timestamptz[],
      ${column('runAt')}::timestamptz[]) as m (job_id, marked_at, due_at, run_at)
    where s.job_id = m.job_id and s.marked_at <= m.marked_at`.execute(db)
}

/** Remembers when jobs were last due, in the order of their ids so that this and a settle never wait in a ring. */
export async function recordLastDue(
  db: Db,
  marks: readonly { readonly jobId: JobId; readonly lastDueAt: Date | null }[],
): Promise<void> {
  const last = [...marks].sort((a, b) => a.jobId - b.jobId)
  await sql`/* recordLastDue */
    update rota.job_activity a set last_due_at = m.last_due_at
    from unnest(${last.map((mark) => mark.jobId)}::bigint[], ${last.map((mark) => mark.lastDueAt)}::timestamptz[])
      as m (job_id, last_due_at)
    where a.job_id = m.job_id and m.last_due_at is not null`.execute(db)
}

/** How many due times are still to be skipped on request. */
export async function countSkips(
  db: Db,
  skips: readonly { readonly jobId: JobId; readonly left: number }[],
): Promise<void> {
  await sql`/* countSkips */
    update rota.schedule s set skip_left = m.skip_left
    from unnest(${skips.map(({ jobId }) => jobId)}::bigint[], ${skips.map(({ left }) => left)}::int[])
      as m (job_id, skip_left)
    where s.job_id = m.job_id`.execute(db)
}

/** Pauses that are over: their jobs are active again, unless they were resumed by hand before. */
export async function endPauses(db: Db, jobIds: readonly JobId[]): Promise<void> {
  await sql`/* endPauses */
    update rota.schedule set is_paused = false, resume_at = null, pause_note = ''
    where job_id = any (${jobIds}::bigint[])`.execute(db)
  const { rows } = await sql<{ id: JobId }>`/* resumeJobs */
    update rota.job set state = 'active', pause_reason = '', paused_by = '', resume_at = null, revision = revision + 1,
      updated_at = clock_timestamp()
    where id = any (${jobIds}::bigint[]) and state = 'paused'
    returning id`.execute(db)
  const resumed = rows.map(({ id }) => id)
  if (resumed.length === 0) return
  await recordJobEvents(db, resumed, { change: 'resumed', actor: '', message: 'its pause is over' })
}

/** Nothing is to be decided about them any more; their jobs go into the outbox of those to be completed. */
export async function endSchedules(db: Db, jobIds: readonly JobId[]): Promise<void> {
  await sql`/* endSchedules */
    with ended as (delete from rota.schedule where job_id = any (${jobIds}::bigint[]) returning job_id)
    insert into rota.schedule_end (job_id) select job_id from ended`.execute(db)
}

/** Takes jobs out of the outbox; they come back if the transaction does not commit. */
export async function takeEndedSchedules(db: Db, limit: number): Promise<JobId[]> {
  const { rows } = await sql<{ job_id: JobId }>`/* takeEndedSchedules */
    delete from rota.schedule_end
    where id = any (array(select id from rota.schedule_end order by id limit ${limit} for update skip locked))
    returning job_id`.execute(db)
  return rows.map(({ job_id }) => job_id)
}

/** Of these jobs the ones that are active, locked in one order as whoever changes a job locks it. */
export async function lockActiveJobs(db: Db, jobIds: readonly JobId[]): Promise<JobId[]> {
  const { rows } = await sql<{ id: JobId }>`/* lockActiveJobs */
    select id from rota.job where id = any (${jobIds}::bigint[]) and state = 'active'
    order by id for no key update`.execute(db)
  return rows.map(({ id }) => id)
}

/** Of these locked jobs, those that will never be due again become completed; answers which. */
export async function completeJobs(db: Db, jobIds: readonly JobId[]): Promise<JobId[]> {
  const { rows } = await sql<{ id: JobId }>`/* completeJobs */
    update rota.job j set state = 'completed', revision = j.revision + 1, updated_at = clock_timestamp()
    from rota.job_version v
    where j.id = any (${jobIds}::bigint[]) and v.job_id = j.id and v.version = j.version
      and jsonb_typeof(v.spec -> 'schedule') = 'object'
      and not exists (select from rota.schedule s where s.job_id = j.id)
    returning j.id`.execute(db)
  return rows.map(({ id }) => id)
}

/** Labels of jobs, which are no part of their versions. */
export async function readLabels(
  db: Db,
  jobIds: readonly JobId[],
): Promise<ReadonlyMap<JobId, Readonly<Record<string, string>>>> {
  const { rows } = await sql<{ id: JobId; labels: Record<string, string> }>`/* readLabels */
    select id, labels from rota.job where id = any (${jobIds}::bigint[])`.execute(db)
  return new Map(rows.map(({ id, labels }) => [id, labels]))
}
