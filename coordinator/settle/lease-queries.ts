import { sql } from 'kysely'
import type { SessionId, WorkerId } from '../job/execution.ts'
import type { Db } from '../store/database.ts'
import type { ObservedLease } from './lease-watch.ts'

/** All leases and how old their last renewal is by the database's clock (`clock_timestamp()`, never `now()`). */
export async function observeLeases(db: Db): Promise<ObservedLease[]> {
  const { rows } = await sql<{
    id: SessionId
    renewals: number
    age_ms: number
  }>`/* observeLeases */
    select id, renewals, extract(epoch from clock_timestamp() - renewed_at)::float8 * 1000 as age_ms
    from rota.session`.execute(db)
  return rows.map((row) => ({ sessionId: row.id, renewals: row.renewals, ageMs: row.age_ms }))
}

export interface EndedLease {
  readonly sessionId: SessionId
  readonly workerId: WorkerId
  readonly renewedAt: Date
}

/**
 * Ends leases that have not been renewed since they were looked at. From here on the sessions can change nothing. Locked in
 * the order of their ids, like everybody locks sessions.
 */
export async function endLeases(
  db: Db,
  leases: readonly Pick<ObservedLease, 'sessionId' | 'renewals'>[],
): Promise<EndedLease[]> {
  const { rows } = await sql<EndedLease>`/* endLeases */
    with locked as materialized (
      select s.id from rota.session s
      join unnest(${leases.map((lease) => lease.sessionId)}::uuid[], ${leases.map((lease) => lease.renewals)}::bigint[])
        as l (id, renewals) on s.id = l.id and s.renewals = l.renewals
      order by s.id for update of s
    )
    delete from rota.session s using locked l where s.id = l.id
    returning s.id as "sessionId", s.worker_id as "workerId", s.renewed_at as "renewedAt"`.execute(
    db,
  )
  return rows
}

/** Keeps when the workers of ended sessions were last heard. Workers come last in the order of locks. */
export async function recordLastHeard(db: Db, ended: readonly EndedLease[]): Promise<void> {
  await sql`/* recordLastHeard */
    update rota.worker w set last_heartbeat_at = l.renewed_at
    from unnest(${ended.map((lease) => lease.workerId)}::bigint[], ${ended.map((lease) => lease.renewedAt)}::timestamptz[])
      as l (id, renewed_at)
    where w.id = l.id`.execute(db)
}
