import { sql } from 'kysely'
import type { Epoch, ExecutionId, JobId, WorkerId } from '../job/execution.ts'
import type { Db } from '../store/database.ts'

export type LogStreamWord = 'stdout' | 'stderr'

export interface LogOwner {
  readonly run_at: Date
  readonly attempt: number
  readonly job_id: JobId
  readonly job_version: number
}

/** The attempt that a worker sends output of; undefined when it is not one of that worker's. */
export async function readLogOwner(
  db: Db,
  attempt: {
    readonly executionId: ExecutionId
    readonly epoch: Epoch
    readonly workerId: WorkerId
  },
): Promise<LogOwner | undefined> {
  const { rows } = await sql<LogOwner>`/* readLogOwner */
    select assigned_at as run_at, attempt, job_id, job_version from rota.execution
    where id = ${attempt.executionId} and epoch = ${attempt.epoch} and worker_id = ${attempt.workerId}
    union all
    select a.assigned_at, a.number, x.job_id, x.job_version
    from rota.attempt a join rota.worker w on w.name = a.worker join rota.execution_any x on x.id = a.execution_id
    where a.execution_id = ${attempt.executionId} and a.epoch = ${attempt.epoch} and w.id = ${attempt.workerId}
    limit 1`.execute(db)
  return rows[0]
}

export interface LogPlace {
  readonly executionId: ExecutionId
  readonly epoch: Epoch
  readonly stream: LogStreamWord
  readonly runAt: Date
}

/** Up to which byte each output of an attempt is stored. */
export async function readStoredEnds(
  db: Db,
  attempt: Omit<LogPlace, 'stream'>,
): Promise<Record<LogStreamWord, number>> {
  const { rows } = await sql<{ stream: LogStreamWord; stored: number }>`/* readStoredEnds */
    select s.stream, c.stored
    from unnest(array['stdout', 'stderr']) as s (stream), lateral (
      select "offset" + octet_length(data) as stored from rota.log_chunk
      where execution_id = ${attempt.executionId} and epoch = ${attempt.epoch} and stream = s.stream
        and run_at = ${attempt.runAt}
      order by "offset" desc limit 1) c`.execute(db)
  const ends = Object.fromEntries(rows.map(({ stream, stored }) => [stream, stored]))
  return { stdout: 0, stderr: 0, ...ends }
}

export interface LogChunkInsert extends LogPlace {
  readonly attempt: number
  readonly offset: number
  readonly loggedAt: Date
  readonly data: Uint8Array
}

/** Stores one chunk; false when another connection has stored that offset already. */
export async function insertLogChunk(db: Db, chunk: LogChunkInsert): Promise<boolean> {
  const { rows } = await sql`/* insertLogChunk */
    insert into rota.log_chunk (execution_id, epoch, stream, "offset", run_at, attempt, logged_at, data)
    values (${chunk.executionId}, ${chunk.epoch}, ${chunk.stream}, ${chunk.offset}, ${chunk.runAt}, ${chunk.attempt},
      ${chunk.loggedAt}, ${Buffer.from(chunk.data)})
    on conflict do nothing
    returning sequence`.execute(db)
  return rows.length === 1
}
