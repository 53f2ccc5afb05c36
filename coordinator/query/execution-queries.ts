import { sql } from 'kysely'
import type {
  AttemptOutcome,
  ExecutionId,
  ExecutionState,
  JobId,
  SessionId,
  Trigger,
} from '../job/execution.ts'
import type { Db } from '../store/database.ts'
import { keysetAfter, orderTerms, type Page } from './keyset-queries.ts'

export interface ExecutionRow {
  readonly id: ExecutionId
  readonly job_id: JobId
  readonly job: string
  readonly job_version: number
  readonly state: ExecutionState
  readonly reason_code: string
  readonly reason_message: string
  readonly trigger: Trigger
  readonly priority: number
  readonly scheduled_for: Date | null
  readonly created_at: Date
  readonly started_at: Date | null
  readonly settled_at: Date | null
  readonly parameters: Record<string, unknown>
  readonly outputs: Record<string, unknown> | null
  readonly requested_by: string
  readonly replay_of: ExecutionId | null
  readonly attempt: number
  readonly max_attempts: number
  readonly worker: string | null
  readonly epoch: number | null
  readonly session_id: SessionId | null
  readonly assigned_at: Date | null
  readonly progress: number
}

export const EXECUTION_COLUMNS = {
  name: sql<string>`e.id`,
  job: sql<string>`j.name`,
  state: sql<string>`e.state`,
  trigger: sql<string>`e.trigger`,
  priority: sql<number>`e.priority`,
  worker: sql<string>`coalesce(w.name, d.name)`,
  create_time: sql<Date>`e.created_at`,
  start_time: sql<Date>`e.started_at`,
  end_time: sql<Date>`e.settled_at`,
  scheduled_for: sql<Date>`e.scheduled_for`,
} as const

function executions(db: Db) {
  return db
    .selectFrom('rota.execution_any as e')
    .innerJoin('rota.job as j', 'j.id', 'e.job_id')
    .leftJoin('rota.worker as w', 'w.id', 'e.worker_id')
    .leftJoin('rota.deleted_worker as d', 'd.id', 'e.worker_id')
    .select([
      'e.id',
      'e.job_id',
      'j.name as job',
      'e.job_version',
      'e.state',
      'e.reason_code',
      'e.reason_message',
      'e.trigger',
      'e.priority',
      'e.scheduled_for',
      'e.created_at',
      'e.started_at',
      'e.settled_at',
      'e.parameters',
      'e.outputs',
      'e.requested_by',
      'e.replay_of',
      'e.attempt',
      'e.max_attempts',
      sql<string | null>`coalesce(w.name, d.name)`.as('worker'),
      'e.epoch',
      'e.session_id',
      'e.assigned_at',
      'e.progress',
    ])
}

/** One execution, live or settled. */
export async function readExecution(db: Db, id: ExecutionId): Promise<ExecutionRow | undefined> {
  const row = await executions(db).where('e.id', '=', id).executeTakeFirst()
  return row
}

/**
 * These executions, as far as they are there: live, or settled after `since`. History of days before is not looked at
 * (an hour is for clocks that are set).
 */
export async function readExecutions(
  db: Db,
  ids: readonly ExecutionId[],
  since: Date,
): Promise<ExecutionRow[]> {
  if (ids.length === 0) return []
  const named = executions(db)
    .where(sql<boolean>`e.id = any (${ids}::uuid[])`)
    .where(
      sql<boolean>`(e.settled_at is null or e.settled_at > ${since}::timestamptz - interval '1 hour')`,
    )
  const { rows } = await sql<ExecutionRow>`/* readExecutions */ ${named}`.execute(db)
  return rows
}

export interface ExecutionListing extends Page<typeof EXECUTION_COLUMNS> {
  /** Undefined: of all jobs. */
  readonly jobId: JobId | undefined
}

/** Counting stops here: the contract allows an estimate above. */
const TOTAL_MAX = 10_001

/** One page, and how many there are in all, up to TOTAL_MAX. */
export async function listExecutions(
  db: Db,
  listing: ExecutionListing,
): Promise<{ rows: ExecutionRow[]; total: number }> {
  const { jobId } = listing
  const matching = executions(db)
    .where(listing.condition)
    .$if(jobId !== undefined, (query) => query.where('e.job_id', '=', jobId as JobId))
  const rows = await matching
    .where(keysetAfter(listing))
    .orderBy(orderTerms(listing))
    .limit(listing.limit)
    .execute()
  const { total } = await db
    .selectFrom(matching.clearSelect().select(sql`1`.as('one')).limit(TOTAL_MAX).as('some'))
    .select(sql<number>`count(*)`.as('total'))
    .executeTakeFirstOrThrow()
  return { rows: rows, total }
}

export interface AttemptRow {
  readonly execution_id: ExecutionId
  readonly number: number
  readonly epoch: number
  readonly worker: string
  readonly outcome: AttemptOutcome
  readonly message: string
  readonly exit_code: number | null
  readonly signal: string
  readonly assigned_at: Date
  readonly started_at: Date | null
  readonly ended_at: Date
  readonly cpu_ms: number | null
  readonly peak_memory_bytes: number | null
  readonly log_bytes: number
  readonly log_bytes_dropped: number
}

/**
 * Ended attempts of these executions, in order; only the last of each when `isLastOnly`. Days before the oldest execution
 * are not looked at.
 */
export async function readAttempts(
  db: Db,
  of: readonly Pick<ExecutionRow, 'id' | 'created_at'>[],
  isLastOnly: boolean,
): Promise<AttemptRow[]> {
  if (of.length === 0) return []
  const ids = of.map(({ id }) => id)
  const since = new Date(Math.min(...of.map(({ created_at }) => created_at.getTime())))
  const { rows } = await sql<AttemptRow>`
    select execution_id, number, epoch, worker, outcome, message, exit_code, signal, assigned_at, started_at, ended_at,
      cpu_ms, peak_memory_bytes, log_bytes, log_bytes_dropped
    from (select a.*, row_number() over (partition by execution_id order by number desc) as place
      from rota.attempt a
      where execution_id = any (${ids}::uuid[]) and ended_at > ${since}::timestamptz - interval '1 hour') a
    where place = 1 or not ${isLastOnly}
    order by execution_id, number`.execute(db)
  return rows
}

export interface LogChunkRow {
  readonly sequence: number
  readonly logged_at: Date
  readonly stream: 'stdout' | 'stderr'
  readonly attempt: number
  readonly offset: number
  readonly data: Buffer
}

export interface LogQuery {
  readonly executionId: ExecutionId
  readonly afterSequence: number
  /** 0: of all attempts. */
  readonly attempt: number
  readonly limit: number
}

/** Output in the order in which it came. */
export async function readLogChunks(db: Db, query: LogQuery): Promise<LogChunkRow[]> {
  const { rows } = await sql<LogChunkRow>`/* readLogChunks */
    select sequence, logged_at, stream, attempt, "offset", data from rota.log_chunk
    where execution_id = ${query.executionId} and sequence > ${query.afterSequence}
      and (${query.attempt} = 0 or attempt = ${query.attempt})
    order by sequence limit ${query.limit}`.execute(db)
  return rows
}

/** The newest chunks first: where tailing the last lines begins. */
export async function readLastLogChunks(db: Db, query: LogQuery): Promise<LogChunkRow[]> {
  const { rows } = await sql<LogChunkRow>`/* readLastLogChunks */
    select sequence, logged_at, stream, attempt, "offset", data from rota.log_chunk
    where execution_id = ${query.executionId} and sequence > ${query.afterSequence}
      and (${query.attempt} = 0 or attempt = ${query.attempt})
    order by sequence desc limit ${query.limit}`.execute(db)
  return rows
}

export interface LogProgress {
  readonly is_live: boolean
  /** Bytes that the ended attempts said they would send. */
  readonly announced: number
  readonly dropped: number
  readonly stored: number
}

/** Whether more output may come: an attempt runs, or an ended one has announced bytes that are not here yet. */
export async function readLogProgress(
  db: Db,
  executionId: ExecutionId,
  attempt: number,
): Promise<LogProgress> {
  const { rows } = await sql<LogProgress>`/* readLogProgress */
    select
      exists (select from rota.execution where id = ${executionId}
        and (${attempt} = 0 or attempt <= ${attempt})) as is_live,
      (select coalesce(sum(log_bytes), 0)::bigint from rota.attempt where execution_id = ${executionId}
        and (${attempt} = 0 or number = ${attempt})) as announced,
      (select coalesce(sum(log_bytes_dropped), 0)::bigint from rota.attempt where execution_id = ${executionId}
        and (${attempt} = 0 or number = ${attempt})) as dropped,
      (select coalesce(sum(octet_length(data)), 0)::bigint from rota.log_chunk where execution_id = ${executionId}
        and (${attempt} = 0 or attempt = ${attempt})) as stored`.execute(db)
  return rows[0] ?? { is_live: false, announced: 0, dropped: 0, stored: 0 }
}
