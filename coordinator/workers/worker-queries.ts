import { sql } from 'kysely'
import type { SessionId, WorkerId } from '../job/execution.ts'
import type { Db } from '../store/database.ts'
import type { WorkerState } from '../store/tables.ts'

export interface LockedWorker {
  readonly id: WorkerId
  readonly name: string
  readonly state: WorkerState
}

/** The worker of this name, locked until the transaction is over. */
export async function lockWorker(db: Db, name: string): Promise<LockedWorker | undefined> {
  const { rows } = await sql<LockedWorker>`/* lockWorker */
    select id, name, state from rota.worker where name = ${name} and deleted_at is null
    for no key update`.execute(db)
  return rows[0]
}

/**
 * The session of the worker of this name, locked: a claim for it that is under way has ended, and none can begin. Comes
 * before `lockWorker` (order of locks).
 */
export async function lockSessionOf(db: Db, name: string): Promise<SessionId | undefined> {
  const { rows } = await sql<{ id: SessionId }>`/* lockSessionOf */
    select s.id from rota.session s join rota.worker w on w.id = s.worker_id
    where w.name = ${name} and w.deleted_at is null for update of s`.execute(db)
  return rows[0]?.id
}

export interface StateChange {
  readonly id: WorkerId
  readonly reason: string
  readonly actor: string
}

/** `cordoned`; a second cordon without a reason keeps the first one's. */
export async function setCordoned(db: Db, change: StateChange): Promise<void> {
  await sql`/* setCordoned */
    update rota.worker
    set state_reason = case when state = 'cordoned' and ${change.reason} = '' then state_reason else ${change.reason} end,
      state_actor = case when state = 'cordoned' and ${change.reason} = '' then state_actor else ${change.actor} end,
      state_at = case when state = 'cordoned' then state_at else clock_timestamp() end,
      state = 'cordoned', revision = revision + 1
    where id = ${change.id} and state in ('active', 'cordoned')`.execute(db)
}

/** `draining`; of a drain that goes on the deadline changes, and its reason if there is a new one. */
export async function setDraining(
  db: Db,
  change: StateChange & { readonly deadlineMs: number | undefined },
): Promise<void> {
  const { id, reason, actor, deadlineMs = null } = change
  await sql`/* setDraining */
    update rota.worker w
    set state_reason = case when state = 'draining' and ${reason} = '' then state_reason else ${reason} end,
      state_actor = case when state = 'draining' and ${reason} = '' then state_actor else ${actor} end,
      state_at = case when state = 'draining' then state_at else clock_timestamp() end,
      drain_started_at = coalesce(drain_started_at, clock_timestamp()),
      drain_deadline_at = clock_timestamp() + ${deadlineMs}::float8 * interval '1 millisecond',
      drain_initial = case when state = 'draining' then drain_initial else (
        select count(*) from rota.session s join rota.execution e on e.session_id = s.id where s.worker_id = w.id) end,
      state = 'draining', revision = revision + 1
    where id = ${id} and state in ('active', 'cordoned', 'draining')`.execute(db)
}

/** `active`, with its failures forgiven. */
export async function setActive(db: Db, change: Pick<StateChange, 'id' | 'actor'>): Promise<void> {
  await sql`/* setActive */
    update rota.worker
    set state_at = case when state = 'active' then state_at else clock_timestamp() end,
      state_actor = case when state = 'active' then state_actor else ${change.actor} end,
      state = 'active', state_reason = '', consecutive_failures = 0, drain_started_at = null,
      drain_deadline_at = null, drain_initial = 0, revision = revision + 1
    where id = ${change.id}`.execute(db)
}

/** Nobody sees the worker any more, its certificates open nothing, and no session of it can begin. */
export async function markDeleted(db: Db, id: WorkerId): Promise<void> {
  await sql`/* markDeleted */
    update rota.worker set deleted_at = clock_timestamp(), revision = revision + 1 where id = ${id}`.execute(
    db,
  )
  await sql`/* revokeCertificates */
    update rota.worker_certificate set revoked_at = clock_timestamp()
    where worker_id = ${id} and revoked_at is null`.execute(db)
}

export interface SettledWorkers {
  readonly drained: readonly WorkerId[]
  readonly deleted: readonly WorkerId[]
}

/** Workers that drain and have nothing left to run, and deleted ones whose session has ended or has nothing in hand. */
export async function readSettledWorkers(db: Db): Promise<SettledWorkers> {
  const { rows } = await sql<{ id: WorkerId; is_deleted: boolean }>`/* readSettledWorkers */
    select w.id, w.deleted_at is not null as is_deleted from rota.worker w
    where (w.state = 'draining' or w.deleted_at is not null) and not exists (
      select from rota.session s join rota.execution e on e.session_id = s.id where s.worker_id = w.id)`.execute(
    db,
  )
  return {
    drained: rows.filter((row) => !row.is_deleted).map(({ id }) => id),
    deleted: rows.filter((row) => row.is_deleted).map(({ id }) => id),
  }
}

/** Claims for these workers that are under way end first, and no other begins. In one order: sessions by id. */
export async function lockSessionsOf(db: Db, workerIds: readonly WorkerId[]): Promise<void> {
  await sql`/* lockSessionsOf */
    select from rota.session where worker_id = any (${workerIds}::bigint[]) order by id for update`.execute(
    db,
  )
}

/** `drained`, of these workers the ones that still drain and have nothing left; answers those. */
export async function setDrained(
  db: Db,
  workerIds: readonly WorkerId[],
): Promise<Pick<LockedWorker, 'id' | 'name'>[]> {
  const { rows } = await sql<Pick<LockedWorker, 'id' | 'name'>>`/* setDrained */
    update rota.worker w set state = 'drained', state_at = clock_timestamp(), revision = revision + 1
    where w.id = any (${workerIds}::bigint[]) and w.state = 'draining' and w.deleted_at is null and not exists (
      select from rota.session s join rota.execution e on e.session_id = s.id where s.worker_id = w.id)
    returning w.id, w.name`.execute(db)
  return rows
}

/** Deleted workers that have nothing in hand go, with their sessions; only their names are kept. Answers the names. */
export async function removeDeleted(db: Db, workerIds: readonly WorkerId[]): Promise<string[]> {
  await sql`/* endDeletedSessions */
    delete from rota.session s using rota.worker w
    where w.id = s.worker_id and w.id = any (${workerIds}::bigint[]) and w.deleted_at is not null and not exists (
      select from rota.execution e where e.session_id = s.id)`.execute(db)
  const { rows } = await sql<{ id: WorkerId; name: string }>`/* keepDeletedNames */
    insert into rota.deleted_worker (id, uid, name, deleted_at)
    select id, uid, name, deleted_at from rota.worker w
    where w.id = any (${workerIds}::bigint[]) and w.deleted_at is not null and not exists (
      select from rota.session s where s.worker_id = w.id)
    on conflict do nothing
    returning id, name`.execute(db)
  const gone = rows.map(({ id }) => id)
  await sql`/* removeDeletedCertificates */
    delete from rota.worker_certificate where worker_id = any (${gone}::bigint[])`.execute(db)
  await sql`/* removeDeletedConnections */
    delete from rota.worker_connection where worker_id = any (${gone}::bigint[])`.execute(db)
  await sql`/* removeDeletedWorkers */
    delete from rota.worker where id = any (${gone}::bigint[])`.execute(db)
  return rows.map(({ name }) => name)
}
