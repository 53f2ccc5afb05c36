import { sql } from 'kysely'
import type { ExecutionId, JobId } from '../job/execution.ts'
import type { PlacementNeeds } from '../job/placement.ts'
import type { Db } from '../store/database.ts'

/** What those of these executions that are queued need of a worker. */
export async function readQueuedNeeds(
  db: Db,
  ids: readonly ExecutionId[],
): Promise<ReadonlyMap<ExecutionId, PlacementNeeds>> {
  const { rows } = await sql<PlacementNeeds & { readonly id: ExecutionId }>`/* readQueuedNeeds */
    select e.id, c.capabilities, c.selector, c.worker, c.slots
    from rota.execution e join rota.placement_class c on c.id = e.class_id
    where e.id = any (${ids}::uuid[]) and e.state = 'queued'`.execute(db)
  return new Map(rows.map(({ id, ...needs }) => [id, needs]))
}

/** Its place in the queue of its placement class, from 1; undefined when it is not queued. */
export async function readQueuePosition(db: Db, id: ExecutionId): Promise<number | undefined> {
  const { rows } = await sql<{ place: number }>`/* readQueuePosition */
    select 1 + (
      select count(*) from rota.execution q
      where q.class_id = e.class_id and q.state = 'queued' and (q.priority > e.priority
        or (q.priority = e.priority and (q.available_at, q.id) < (e.available_at, e.id)))) as place
    from rota.execution e where e.id = ${id} and e.state = 'queued'`.execute(db)
  return rows[0]?.place
}

/** Of the queued executions of a job the one that has been for the longest. */
export async function findOldestQueued(db: Db, jobId: JobId): Promise<ExecutionId | undefined> {
  const { rows } = await sql<{ id: ExecutionId }>`/* findOldestQueued */
    select id from rota.execution where job_id = ${jobId} and state = 'queued'
    order by available_at, id limit 1`.execute(db)
  return rows[0]?.id
}
