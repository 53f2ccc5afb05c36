import { sql } from 'kysely'
import type { Epoch, ExecutionId, WorkerId } from '../job/execution.ts'
import type { Db } from '../store/database.ts'

/** The name of an attempt, as agents give it. */
export interface NamedAttempt {
  readonly executionId: ExecutionId
  readonly epoch: Epoch
}

/** What is known of an attempt that an agent spoke of and that is not its to run now. */
export type AttemptKind = 'stale' | 'foreign' | 'impossible' | 'unknown'

/** A failover may have lost the last epochs, but never so many. */
const EPOCHS_LOST_MAX = 1_000_000

/** How many of these attempts were this worker's, are another one's, cannot be, or are not on record. */
export async function classifyAttempts(
  db: Db,
  worker: { readonly workerId: WorkerId; readonly workerName: string },
  attempts: readonly NamedAttempt[],
): Promise<{ kind: AttemptKind; count: number; example: ExecutionId }[]> {
  const { rows } = await sql<{
    kind: AttemptKind
    count: number
    example: ExecutionId
  }>`/* classifyAttempts */
    select kind, count(*)::int as count, min(id::text) as example
    from (
      select r.id, case
        when r.epoch > s.last_value + ${EPOCHS_LOST_MAX} then 'impossible'
        when e.worker_id = ${worker.workerId} or a.workers @> array[${worker.workerName}] then 'stale'
        when e.worker_id is not null or a.workers <> '{}' then 'foreign'
        else 'unknown' end as kind
      from unnest(${attempts.map(({ executionId }) => executionId)}::uuid[],
        ${attempts.map(({ epoch }) => epoch)}::bigint[]) as r (id, epoch)
      cross join rota.epoch s
      left join rota.execution e on e.id = r.id and e.epoch = r.epoch
      cross join lateral (
        select coalesce(array_agg(worker), '{}') as workers from rota.attempt
        where execution_id = r.id and epoch = r.epoch) a) as c
    group by kind`.execute(db)
  return rows
}
