import { sql } from 'kysely'
import { tellMoved } from '../events/record-event-queries.ts'
import type { Epoch, ExecutionId, Guarantee, JobId, SessionId, WorkerId } from '../job/execution.ts'
import type { HostLoad } from '../job/host-load.ts'
import { MOVES } from '../job/transitions.ts'
import type { Db } from '../store/database.ts'
import type { WorkerState } from '../store/tables.ts'
import { WORKER_LABELS, WORKER_SLOTS } from '../store/worker-columns.ts'

/** What the coordinators know of a worker beside what its agent says. */
export interface WorkerOrders {
  readonly id: WorkerId
  readonly name: string
  readonly state: WorkerState
  /** Counts the changes of all the others here. */
  readonly revision: number
  /** Of the agent, of its join token, of operators; the later ones win. */
  readonly labels: Record<string, string>
  readonly slots: number
  readonly consecutive_failures: number
  /** Until what runs is given up, in ms; null: never. */
  readonly drain_left_ms: number | null
}

const ORDERS = sql<WorkerOrders>`
  w.id, w.name, w.state, w.revision, w.consecutive_failures,
  ${WORKER_LABELS} as labels, ${WORKER_SLOTS} as slots,
  extract(epoch from w.drain_deadline_at - clock_timestamp())::float8 * 1000 as drain_left_ms`

export interface WorkerProfile {
  readonly capabilities: readonly string[]
  readonly handlers: readonly string[]
  readonly labels: Readonly<Record<string, string>>
  readonly slots: number
  readonly hostname: string
  readonly platform: string
  readonly agentVersion: string
  readonly bootId: string
}

/** Writes what an agent says of itself; undefined when the worker is deleted. */
export async function updateWorker(
  db: Db,
  workerId: WorkerId,
  profile: WorkerProfile,
): Promise<WorkerOrders | undefined> {
  const { rows } = await sql<WorkerOrders>`/* updateWorker */
    update rota.worker w
    set capabilities = ${profile.capabilities}::text[], handlers = ${profile.handlers}::text[],
      agent_labels = ${JSON.stringify(profile.labels)}::jsonb, slots = ${profile.slots},
      hostname = ${profile.hostname}, platform = ${profile.platform}, agent_version = ${profile.agentVersion},
      boot_id = ${profile.bootId}, connected_at = clock_timestamp()
    where w.id = ${workerId} and w.deleted_at is null
    returning ${ORDERS}`.execute(db)
  return rows[0]
}

/** Counts the beginning of a session. */
export async function recordConnection(db: Db, workerId: WorkerId): Promise<void> {
  await sql`/* recordConnection */
    insert into rota.worker_connection (worker_id) values (${workerId}) on conflict do nothing`.execute(
    db,
  )
}

/** What the coordinators know of these workers now. */
export async function readWorkerOrders(
  db: Db,
  workerIds: readonly WorkerId[],
): Promise<WorkerOrders[]> {
  const { rows } = await sql<WorkerOrders>`/* readWorkerOrders */
    select ${ORDERS} from rota.worker w where w.id = any (${workerIds}::bigint[])`.execute(db)
  return rows
}

/**
 * Ends the sessions that a worker had, and begins a new one with a full lease. Two sessions of one worker begin one after
 * the other; the lock ends with the transaction. `isLate`: a later hello has begun one of those that were ended.
 */
export async function replaceSession(
  db: Db,
  session: {
    readonly id: SessionId
    readonly workerId: WorkerId
    readonly coordinatorId: string
    /** 0: not known. */
    readonly helloOrder: number
  },
): Promise<{ readonly replaced: SessionId[]; readonly isLate: boolean }> {
  await sql`/* lockSessionStart */
    select pg_advisory_xact_lock(hashtext('rota.session'), ${session.workerId}::bigint::int4)`.execute(
    db,
  )
  const gone = await db
    .deleteFrom('rota.session')
    .where('worker_id', '=', session.workerId)
    .returning(['id', 'hello_order'])
    .execute()
  await db
    .insertInto('rota.session')
    .values({
      id: session.id,
      worker_id: session.workerId,
      coordinator_id: session.coordinatorId,
      hello_order: session.helloOrder,
    })
    .execute()
  const isLate =
    session.helloOrder > 0 && gone.some(({ hello_order }) => hello_order > session.helloOrder)
  return { replaced: gone.map(({ id }) => id), isLate }
}

export interface HeldAttempt {
  readonly executionId: ExecutionId
  readonly epoch: Epoch
}

/** Attempts that the agent still holds go over to its new session; answers the ones that are current. */
export async function adoptHeld(
  db: Db,
  move: {
    readonly from: readonly SessionId[]
    readonly to: SessionId
    readonly held: readonly HeldAttempt[]
  },
): Promise<ReadonlySet<ExecutionId>> {
  const { rows } = await sql<{ id: ExecutionId }>`/* adoptHeld */
    update rota.execution e
    set session_id = ${move.to}, accepted_at = coalesce(e.accepted_at, clock_timestamp())
    from unnest(${move.held.map((held) => held.executionId)}::uuid[], ${move.held.map((held) => held.epoch)}::bigint[])
      as h (id, epoch)
    where e.id = h.id and e.epoch = h.epoch and e.session_id = any (${move.from}::uuid[])
    returning e.id`.execute(db)
  return new Set(rows.map(({ id }) => id))
}

/**
 * Move `requeue` of what was sent to these sessions and never accepted: the agent has said that it does not have it. What
 * somebody wants cancelled does not begin again.
 */
export async function requeueUnaccepted(db: Db, sessionIds: readonly SessionId[]): Promise<number> {
  const { rows } = await sql`/* requeueUnaccepted */
    with moved as (
      update rota.execution e
      set state = 'queued', attempt = e.attempt - 1, worker_id = null, session_id = null, assigned_at = null
      from rota.execution o
      where o.id = e.id and e.session_id = any (${sessionIds}::uuid[])
        and e.state = any (${[...MOVES.requeue.from]}::text[]) and e.accepted_at is null
        and e.cancel_requested_at is null
      returning e.id, e.job_id, e.state, e.reason_code, e.reason_message, o.worker_id, o.attempt, e.epoch
    ), told as (${tellMoved('requeued')})
    select id from moved`.execute(db)
  return rows.length
}

/** What a session has in hand. */
export async function readInFlight(
  db: Db,
  sessionId: SessionId,
): Promise<{ id: ExecutionId; epoch: Epoch; slots: number }[]> {
  const { rows } = await sql<{ id: ExecutionId; epoch: Epoch; slots: number }>`/* readInFlight */
    select e.id, e.epoch, c.slots
    from rota.execution e join rota.placement_class c on c.id = e.class_id
    where e.session_id = ${sessionId}`.execute(db)
  return rows
}

export interface Renewal extends HostLoad {
  readonly sessionId: SessionId
  /** Something was heard since the last renewal: the lease is renewed. Else it is only looked at. */
  readonly isHeard: boolean
  /** 0 to 1. */
  readonly loadRatio: number
  readonly clockSkewMs: number
}

export interface RenewedLease {
  readonly id: SessionId
  readonly is_renewed: boolean
  /** Of its worker. */
  readonly revision: number
}

/** Renews leases and tells which of all these sessions still are, all in one statement. */
export async function renewLeases(
  db: Db,
  renewals: readonly Renewal[],
): Promise<ReadonlyMap<SessionId, RenewedLease>> {
  const column = <K extends keyof Renewal>(key: K) => renewals.map((row) => row[key])
  const { rows } = await sql<RenewedLease>`/* renewLeases */
    with told as materialized (
      select * from unnest(${column('sessionId')}::uuid[], ${column('isHeard')}::boolean[],
        ${column('loadRatio')}::real[], ${column('clockSkewMs')}::real[], ${column('cpuRatio')}::real[],
        ${column('memoryRatio')}::real[], ${column('diskRatio')}::real[], ${column('eventLoopDelayMs')}::real[])
        as t (id, is_heard, load_ratio, clock_skew_ms, cpu_ratio, memory_ratio, disk_ratio, event_loop_delay_ms)
    ), renewed as (
      update rota.session s
      set renewals = s.renewals + 1, renewed_at = clock_timestamp(), load_ratio = t.load_ratio,
        clock_skew_ms = t.clock_skew_ms, cpu_ratio = t.cpu_ratio, memory_ratio = t.memory_ratio,
        disk_ratio = t.disk_ratio, event_loop_delay_ms = t.event_loop_delay_ms
      from told t where s.id = t.id and t.is_heard
      returning s.id
    )
    select s.id, r.id is not null as is_renewed, w.revision
    from told t join rota.session s on s.id = t.id join rota.worker w on w.id = s.worker_id
    left join renewed r on r.id = s.id`.execute(db)
  return new Map(rows.map((row) => [row.id, row]))
}

export interface PendingControl {
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
  readonly is_unaccepted: boolean
  /** Its worker drains, and the deadline has come. */
  readonly is_given_up: boolean
  readonly is_cancel_requested: boolean
  readonly cancel_reason: string
  readonly cancel_force: boolean
}

/** Of these sessions: assignments not accepted for `acceptMs`, and attempts that are to end. */
export async function readPendingControl(
  db: Db,
  sessionIds: readonly SessionId[],
  acceptMs: number,
): Promise<PendingControl[]> {
  const { rows } = await sql<PendingControl>`/* readPendingControl */
    select e.id, e.job_id, e.job_version, e.attempt, e.epoch, e.worker_id, e.session_id, e.guarantee, e.scheduled_for,
      e.parameters, is_unaccepted, is_given_up, e.cancel_requested_at is not null as is_cancel_requested,
      e.cancel_reason, e.cancel_force
    from rota.execution e join rota.worker w on w.id = e.worker_id, lateral (
      select e.state = 'assigned' and e.accepted_at is null
        and e.assigned_at < clock_timestamp() - ${acceptMs} * interval '1 millisecond' as is_unaccepted,
        w.state = 'draining' and coalesce(w.drain_deadline_at <= clock_timestamp(), false) as is_given_up) u
    where e.session_id = any (${sessionIds}::uuid[])
      and (is_unaccepted or is_given_up or e.cancel_requested_at is not null)`.execute(db)
  return rows
}
