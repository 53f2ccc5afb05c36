import { sql } from 'kysely'
import { MOVED, tellMoved } from '../../events/record-event-queries.ts'
import type { Epoch, ExecutionId, SessionId, WorkerId } from '../../job/execution.ts'
import { MOVES } from '../../job/transitions.ts'
import { hasIdOf } from '../../store/by-id.ts'
import type { Db } from '../../store/database.ts'
import type { HeldAttempt } from '../dispatch-queries.ts'
import type { LiveExecution } from './decide-reclaim.ts'

export interface ClusterState {
  /** Null before the first coordinator has seen one. */
  readonly timeline: number | null
  readonly recovery: number
  readonly is_recovering: boolean
  readonly epoch_floor: number
}

const STATE = sql`timeline, recovery, recovering_since is not null as is_recovering, epoch_floor`

export async function readClusterState(db: Db): Promise<ClusterState> {
  const { rows } = await sql<ClusterState>`/* readClusterState */
    select ${STATE} from rota.cluster_state`.execute(db)
  return only(rows)
}

/** The same, locked against other coordinators that have just arrived at this server. */
export async function lockClusterState(db: Db): Promise<ClusterState> {
  const { rows } = await sql<ClusterState>`/* lockClusterState */
    select ${STATE} from rota.cluster_state for update`.execute(db)
  return only(rows)
}

/** The first timeline that anybody notes: there was nothing to lose before. */
export async function noteTimeline(db: Db, timeline: number): Promise<void> {
  await sql`/* noteTimeline */ update rota.cluster_state set timeline = ${timeline}`.execute(db)
}

/**
 * Opens the recovery after a failover. The sequence of epochs may have gone back: it jumps over all that it ever gave, by
 * a step for each promotion since the last one that the database knows of.
 */
export async function beginRecovery(
  db: Db,
  begin: { readonly timeline: number; readonly epochStep: number },
): Promise<ClusterState> {
  const { rows } = await sql<ClusterState>`/* beginRecovery */
    update rota.cluster_state
    set timeline = ${begin.timeline}, recovery = recovery + 1, recovering_since = clock_timestamp(),
      epoch_floor = setval('rota.epoch',
        (select last_value from rota.epoch) + (${begin.timeline}::bigint - timeline) * ${begin.epochStep}::bigint)
    returning ${STATE}`.execute(db)
  return only(rows)
}

/**
 * Closes the recovery `number` when every worker that has a session has offered all, or it has been open for `atMostMs`
 * and the caller has seen as much on its own clock (`isOver`). False when somebody is still waited for.
 */
export async function endRecovery(
  db: Db,
  end: { readonly number: number; readonly isOver: boolean; readonly atMostMs: number },
): Promise<boolean> {
  const { rows } = await sql`/* endRecovery */
    update rota.cluster_state c set recovering_since = null
    where c.recovery = ${end.number} and c.recovering_since is not null and (
      not exists (
        select from rota.session s join rota.worker w on w.id = s.worker_id where w.recovery < ${end.number})
      or (${end.isOver} and c.recovering_since < clock_timestamp() - ${end.atMostMs} * interval '1 millisecond'))
    returning c.id`.execute(db)
  return rows.length > 0
}

/** Puts sessions back that the database has lost and whose agents may live: their leases begin anew. */
export async function restoreSessions(
  db: Db,
  coordinatorId: string,
  sessions: readonly { readonly id: SessionId; readonly workerId: WorkerId }[],
): Promise<number> {
  const { rows } = await sql`/* restoreSessions */
    insert into rota.session (id, worker_id, coordinator_id)
    select l.id, l.worker_id, ${coordinatorId}::uuid
    from unnest(${sessions.map(({ id }) => id)}::uuid[], ${sessions.map(({ workerId }) => workerId)}::bigint[])
      as l (id, worker_id)
    join rota.worker w on w.id = l.worker_id
    on conflict do nothing
    returning id`.execute(db)
  return rows.length
}

/** The last failover after which this worker has offered all that it had. */
export async function readWorkerRecovery(db: Db, workerId: WorkerId): Promise<number> {
  const { rows } = await sql<{ recovery: number }>`/* readWorkerRecovery */
    select recovery from rota.worker where id = ${workerId}`.execute(db)
  return rows[0]?.recovery ?? 0
}

/** The worker of this session has offered all; false when the session has ended. */
export async function markOffered(db: Db, sessionId: SessionId, number: number): Promise<boolean> {
  const { rows } = await sql`/* markOffered */
    update rota.worker w set recovery = ${number}
    from rota.session s where s.id = ${sessionId} and w.id = s.worker_id
    returning w.id`.execute(db)
  return rows.length > 0
}

/** What these sessions have in hand goes over to another one, whether its agent holds it or not. */
export async function moveAll(
  db: Db,
  move: { readonly from: readonly SessionId[]; readonly to: SessionId },
): Promise<HeldAttempt[]> {
  const { rows } = await sql<HeldAttempt>`/* moveAll */
    update rota.execution set session_id = ${move.to}
    where session_id = any (${move.from}::uuid[])
    returning id as "executionId", epoch`.execute(db)
  return rows
}

/** Move `requeue` of what was sent to a session and never accepted, of these executions. */
export async function requeueUnclaimed(
  db: Db,
  sessionId: SessionId,
  ids: readonly ExecutionId[],
): Promise<ExecutionId[]> {
  const { rows } = await sql<{ id: ExecutionId }>`/* requeueUnclaimed */
    with moved as (
      update rota.execution e
      set state = 'queued', attempt = e.attempt - 1, worker_id = null, session_id = null, assigned_at = null
      from rota.execution o
      where o.id = e.id and e.id = any (${ids}::uuid[]) and e.session_id = ${sessionId}
        and e.state = any (${[...MOVES.requeue.from]}::text[]) and e.accepted_at is null
      returning e.id, e.job_id, e.state, e.reason_code, e.reason_message, o.worker_id, o.attempt, e.epoch
    ), told as (${tellMoved('requeued')})
    select id from moved`.execute(db)
  return rows.map(({ id }) => id)
}

/** What a session has in hand; nothing of it ends before the transaction does. */
export async function lockInFlight(
  db: Db,
  sessionId: SessionId,
): Promise<{ id: ExecutionId; epoch: Epoch; slots: number }[]> {
  const { rows } = await sql<{ id: ExecutionId; epoch: Epoch; slots: number }>`/* lockInFlight */
    select e.id, e.epoch, c.slots
    from rota.execution e join rota.placement_class c on c.id = e.class_id
    where e.session_id = ${sessionId} order by e.id for update of e`.execute(db)
  return rows
}

/** The live rows of these executions, locked in one order. */
export async function lockOffered(db: Db, ids: readonly ExecutionId[]): Promise<LiveExecution[]> {
  const { rows } = await sql<LiveExecution>`/* lockOffered */
    select id, epoch, state, session_id from rota.execution
    where id = any (${ids}::uuid[]) order by id for update`.execute(db)
  return rows
}

/** Of these executions the ones that have ended. */
export async function readSettled(
  db: Db,
  ids: readonly ExecutionId[],
): Promise<ReadonlySet<ExecutionId>> {
  const { rows } = await sql<{ id: ExecutionId }>`/* readSettled */
    select id from rota.execution_history where id = any (${ids}::uuid[])`.execute(db)
  return new Set(rows.map(({ id }) => id))
}

/**
 * Move `restore`: an attempt whose assignment the database has lost goes on where it is. One that the row still has in
 * hand is over, and its end is lost: its number is used again.
 */
export async function restoreAttempts(
  db: Db,
  to: { readonly sessionId: SessionId; readonly workerId: WorkerId },
  attempts: readonly HeldAttempt[],
): Promise<number> {
  const { rows } = await sql`/* restoreAttempts */
    with moved as (
      update rota.execution e
      set state = 'running', epoch = r.epoch, worker_id = ${to.workerId}, session_id = ${to.sessionId},
        attempt = e.attempt + case when e.session_id is null then 1 else 0 end,
        assigned_at = coalesce(e.assigned_at,
          case when e.state = 'queued' then least(e.available_at, clock_timestamp()) else e.created_at end),
        accepted_at = clock_timestamp(), started_at = clock_timestamp(), progress = 0, reason_code = '',
        reason_message = ''
      from unnest(${attempts.map(({ executionId }) => executionId)}::uuid[],
        ${attempts.map(({ epoch }) => epoch)}::bigint[]) as r (id, epoch)
      where ${hasIdOf('r')} and e.epoch < r.epoch and e.state = any (${[...MOVES.restore.from]}::text[])
      returning ${MOVED}
    ), told as (${tellMoved('restored')})
    select id from moved`.execute(db)
  return rows.length
}

/** True while a due time is not decided: an execution may come back that the database has lost. */
export async function hasOverdueSchedule(db: Db): Promise<boolean> {
  const { rows } = await sql<{ has_overdue: boolean }>`/* hasOverdueSchedule */
    select exists (select from rota.schedule where due_at < clock_timestamp()) as has_overdue`.execute(
    db,
  )
  return rows[0]?.has_overdue === true
}

function only(rows: readonly ClusterState[]): ClusterState {
  const [row] = rows
  if (row === undefined) throw new Error('rota.cluster_state has no row')
  return row
}
