import { sql } from 'kysely'
import type { DueRange } from '../../shared/schedule/due-times.ts'
import type { ExecutionId, JobId } from '../job/execution.ts'
import type { Db } from '../store/database.ts'

/** The database's clock, and from when on the schedule of the job still decides by itself; null: it has none just now. */
export async function readUndecided(
  db: Db,
  jobId: JobId,
): Promise<{ now: Date; due_at: Date | null }> {
  const { rows } = await sql<{ now: Date; due_at: Date | null }>`/* readUndecided */
    select clock_timestamp()::timestamptz(3) as now,
      (select due_at from rota.schedule where job_id = ${jobId}) as due_at`.execute(db)
  return rows[0] ?? { now: new Date(0), due_at: null }
}

/** Due times of a range that have an execution which lives, or has succeeded. */
export async function readRuns(
  db: Db,
  jobId: JobId,
  { start, end }: DueRange,
): Promise<{ scheduled_for: Date; is_live: boolean }[]> {
  const { rows } = await sql<{ scheduled_for: Date; is_live: boolean }>`/* readRuns */
    select scheduled_for, true as is_live from rota.execution
    where job_id = ${jobId} and scheduled_for >= ${start} and scheduled_for < ${end}
    union
    select scheduled_for, false from rota.execution_history
    where job_id = ${jobId} and created_at >= ${start} and scheduled_for >= ${start} and scheduled_for < ${end}
      and state = 'succeeded'`.execute(db)
  return rows
}

export interface BackfillInsert {
  readonly id: string
  readonly jobId: JobId
  readonly jobVersion: number
  readonly range: DueRange
  readonly maxParallel: number
  readonly succeededCount: number
  readonly liveCount: number
  readonly requestedBy: string
}

export async function insertBackfill(db: Db, backfill: BackfillInsert): Promise<void> {
  await db
    .insertInto('rota.backfill')
    .values({
      id: backfill.id,
      job_id: backfill.jobId,
      job_version: backfill.jobVersion,
      start_time: backfill.range.start,
      end_time: backfill.range.end,
      max_parallel: backfill.maxParallel,
      succeeded_count: backfill.succeededCount,
      live_count: backfill.liveCount,
      requested_by: backfill.requestedBy,
    })
    .execute()
}

export interface BackfillRun {
  readonly scheduledFor: Date
  readonly executionId: ExecutionId
}

export async function insertBackfillRuns(
  db: Db,
  backfill: { readonly id: string; readonly jobId: JobId },
  runs: readonly BackfillRun[],
): Promise<void> {
  await sql`/* insertBackfillRuns */
    insert into rota.backfill_run (backfill_id, job_id, scheduled_for, execution_id)
    select ${backfill.id}::uuid, ${backfill.jobId}::bigint, r.scheduled_for, r.execution_id
    from unnest(${runs.map(({ scheduledFor }) => scheduledFor)}::timestamptz[],
      ${runs.map(({ executionId }) => executionId)}::uuid[]) as r (scheduled_for, execution_id)`.execute(
    db,
  )
}

export interface StoredBackfill {
  readonly succeeded_count: number
  readonly live_count: number
  readonly runs: readonly BackfillRun[]
}

/** A backfill as it was made; undefined when it was forgotten. */
export async function readBackfill(db: Db, id: string): Promise<StoredBackfill | undefined> {
  const { rows } = await sql<{ succeeded_count: number; live_count: number }>`/* readBackfill */
    select succeeded_count, live_count from rota.backfill where id = ${id}`.execute(db)
  const [stored] = rows
  if (stored === undefined) return undefined
  const runs = await sql<{ scheduled_for: Date; execution_id: ExecutionId }>`/* readBackfillRuns */
    select scheduled_for, execution_id from rota.backfill_run where backfill_id = ${id}
    order by scheduled_for`.execute(db)
  return {
    ...stored,
    runs: runs.rows.map((row) => {
      return { scheduledFor: row.scheduled_for, executionId: row.execution_id }
    }),
  }
}
