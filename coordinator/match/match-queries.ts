import { sql } from 'kysely'
import { tellMoved } from '../events/record-event-queries.ts'
import type { Epoch, ExecutionId, Guarantee, JobId, SessionId, WorkerId } from '../job/execution.ts'
import { MOVES } from '../job/transitions.ts'
import { hasIdOf } from '../store/by-id.ts'
import type { Db } from '../store/database.ts'
import type { Pair, PlacementClass, QueuedExecution } from './match.ts'
import type { QueueLook } from './queue-fronts.ts'

/** The classes that have something queued. */
export async function queuedClasses(db: Db): Promise<PlacementClass[]> {
  const { rows } = await sql<{
    id: number
    capabilities: string[]
    selector: string
    worker: string
    slots: number
  }>`/* queuedClasses */
    select id, capabilities, selector, worker, slots from rota.placement_class c
    where exists (select from rota.execution e where e.class_id = c.id and e.state = 'queued')`.execute(
    db,
  )
  return rows.map(({ id, ...needs }) => ({ id, needs }))
}

/** The heads of the queues that are looked at, locked. Class by class, so that each walks its index. */
export async function lockQueued(
  db: Db,
  looks: readonly QueueLook[],
  limitPerClass: number,
): Promise<QueuedExecution[]> {
  const { rows } = await sql<{
    id: ExecutionId
    class_id: number
    priority: number
    available_at: Date
  }>`/* lockQueued */
    select h.* from unnest(${looks.map(({ classId }) => classId)}::int[], ${looks.map(({ priority }) => priority)}::int[],
      ${looks.map(({ since }) => since)}::timestamptz[]) as c (id, priority, since)
    cross join lateral (
      select id, class_id, priority, available_at from rota.execution e
      where e.class_id = c.id and e.state = 'queued' and e.priority >= c.priority and e.available_at >= c.since
      order by priority desc, available_at, id limit ${limitPerClass}
      for update skip locked
    ) h`.execute(db)
  return rows.map((row) => ({
    id: row.id,
    classId: row.class_id,
    priority: row.priority,
    availableAt: row.available_at,
  }))
}

/**
 * Of these sessions the ones that live and whose workers take work, whatever is known of them here; their leases cannot
 * be ended before the transaction is over.
 */
export async function holdSessions(
  db: Db,
  sessionIds: readonly SessionId[],
): Promise<ReadonlySet<SessionId>> {
  const { rows } = await sql<{ id: SessionId }>`/* holdSessions */
    select s.id from rota.session s join rota.worker w on w.id = s.worker_id
    where s.id = any (${sessionIds}::uuid[]) and w.state = 'active' and w.deleted_at is null
    order by s.id
    for key share of s`.execute(db)
  return new Set(rows.map(({ id }) => id))
}

export interface ClaimedExecution {
  readonly id: ExecutionId
  readonly job_id: JobId
  readonly job_version: number
  readonly attempt: number
  readonly epoch: Epoch
  readonly worker_id: WorkerId
  readonly session_id: SessionId
  readonly guarantee: Guarantee
  readonly scheduled_for: Date | null
  readonly parameters: Record<string, unknown>
}

/** Move `claim`: the attempt begins, with a new epoch. */
export async function claimQueued(db: Db, pairs: readonly Pair[]): Promise<ClaimedExecution[]> {
  const { rows } = await sql<ClaimedExecution>`/* claimQueued */
    with moved as (
      update rota.execution e
      set state = 'assigned', epoch = nextval('rota.epoch'), attempt = e.attempt + 1, worker_id = p.worker_id,
        session_id = p.session_id, assigned_at = clock_timestamp(), accepted_at = null, reason_code = '',
        reason_message = ''
      from unnest(${pairs.map((pair) => pair.executionId)}::uuid[],
        ${pairs.map((pair) => pair.offer.workerId)}::bigint[], ${pairs.map((pair) => pair.offer.sessionId)}::uuid[])
        as p (id, worker_id, session_id)
      where ${hasIdOf('p')} and e.state = any (${[...MOVES.claim.from]}::text[])
      returning e.*
    ), told as (${tellMoved('assigned')})
    select id, job_id, job_version, attempt, epoch, worker_id, session_id, guarantee, scheduled_for, parameters
    from moved`.execute(db)
  return rows
}

/**
 * Of these pairs the ones that were claimed after all. All their rows are locked first, whatever they look like: that
 * waits for a claim whose COMMIT is still on its way.
 */
export async function readClaims(db: Db, pairs: readonly Pair[]): Promise<ClaimedExecution[]> {
  const { rows } = await sql<ClaimedExecution>`/* readClaims */
    with held as materialized (
      select id, job_id, job_version, attempt, epoch, worker_id, session_id, guarantee, scheduled_for, parameters
      from rota.execution where id = any (${pairs.map((pair) => pair.executionId)}::uuid[])
      order by id
      for no key update
    )
    select held.* from held
    join unnest(${pairs.map((pair) => pair.executionId)}::uuid[], ${pairs.map((pair) => pair.offer.sessionId)}::uuid[])
      as p (id, session_id) on p.id = held.id and p.session_id = held.session_id`.execute(db)
  return rows
}
