import { sql } from 'kysely'
import { tellMoved } from '../events/record-event-queries.ts'
import type { Epoch, ExecutionId, Guarantee, JobId, SessionId, WorkerId } from '../job/execution.ts'
import { MOVES } from '../job/transitions.ts'
import type { Db } from '../store/database.ts'
import type { WorkerState } from '../store/tables.ts'

export interface WorkerRow {
  readonly id: WorkerId
  readonly name: string
  readonly state: WorkerState
  readonly granted_labels: Record<string, string>
  readonly consecutive_failures: number
}

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

/** Writes what an agent says of itself. */
export async function updateWorker(
  db: Db,
  workerId: WorkerId,
  profile: WorkerProfile,
): Promise<WorkerRow | undefined> {
  return db
    .updateTable('rota.worker')
    .set({
      capabilities: [...profile.capabilities],
      handlers: [...profile.handlers],
      agent_labels: JSON.stringify(profile.labels),
      slots: profile.slots,
      hostname: profile.hostname,
      platform: profile.platform,
      agent_version: profile.agentVersion,
      boot_id: profile.bootId,
      connected_at: sql<Date>`clock_timestamp()`,
    })
    .where('id', '=', workerId)
    .returning(['id', 'name', 'state', 'consecutive_failures'])
    .returning(sql<Record<string, string>>`granted_labels`.as('granted_labels'))
    .executeTakeFirst()
}

/**
 * Ends the sessions that a worker had, and begins a new one with a full lease. Two sessions of one worker begin one after
 * the other; the lock ends with the transaction.
 */
export async function replaceSession(
  db: Db,
  session: { readonly id: SessionId; readonly workerId: WorkerId; readonly coordinatorId: string },
): Promise<SessionId[]> {
  await sql`/* lockSessionStart */
    select pg_advisory_xact_lock(hashtext('rota.session'), ${session.workerId}::bigint::int4)`.execute(
    db,
  )
  const gone = await db
    .deleteFrom('rota.session')
    .where('worker_id', '=', session.workerId)
    .returning('id')
    .execute()
  await db
    .insertInto('rota.session')
    .values({
      id: session.id,
      worker_id: session.workerId,
      coordinator_id: session.coordinatorId,
    })
    .execute()
  return gone.map(({ id }) => id)
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

/** Move `requeue` of what was sent to these sessions and never accepted: the agent has said that it does not have it. */
export async function requeueUnaccepted(db: Db, sessionIds: readonly SessionId[]): Promise<number> {
  const { rows } = await sql`/* requeueUnaccepted */
    with moved as (
      update rota.execution e
      set state = 'queued', attempt = e.attempt - 1, worker_id = null, session_id = null, assigned_at = null
      from rota.execution o
      where o.id = e.id and e.session_id = any (${sessionIds}::uuid[])
        and e.state = any (${[...MOVES.requeue.from]}::text[]) and e.accepted_at is null
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

export interface Renewal {
  readonly sessionId: SessionId
  readonly loadRatio: number
  readonly clockSkewMs: number
}

/** Renews leases, all in one statement; answers the ones that still were. */
export async function renewLeases(
  db: Db,
  renewals: readonly Renewal[],
): Promise<ReadonlySet<SessionId>> {
  const column = <K extends keyof Renewal>(key: K) => renewals.map((row) => row[key])
  const { rows } = await sql<{ id: SessionId }>`/* renewLeases */
    update rota.session s
    set renewals = s.renewals + 1, renewed_at = clock_timestamp(), load_ratio = r.load_ratio,
      clock_skew_ms = r.clock_skew_ms
    from unnest(${column('sessionId')}::uuid[], ${column('loadRatio')}::real[], ${column('clockSkewMs')}::real[])
      as r (id, load_ratio, clock_skew_ms)
    where s.id = r.id
    returning s.id`.execute(db)
  return new Set(rows.map(({ id }) => id))
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
  readonly is_cancel_requested: boolean
  readonly cancel_reason: string
  readonly cancel_force: boolean
}

/** Of these sessions: assignments not accepted for `acceptMs`, and attempts that somebody wants cancelled. */
export async function readPendingControl(
  db: Db,
  sessionIds: readonly SessionId[],
  acceptMs: number,
): Promise<PendingControl[]> {
  const { rows } = await sql<PendingControl>`/* readPendingControl */
    select id, job_id, job_version, attempt, epoch, worker_id, session_id, guarantee, scheduled_for, parameters,
      is_unaccepted, cancel_requested_at is not null as is_cancel_requested, cancel_reason, cancel_force
    from rota.execution e, lateral (
      select state = 'assigned' and accepted_at is null
        and assigned_at < clock_timestamp() - ${acceptMs} * interval '1 millisecond' as is_unaccepted) u
    where session_id = any (${sessionIds}::uuid[]) and (is_unaccepted or cancel_requested_at is not null)`.execute(
    db,
  )
  return rows
}
