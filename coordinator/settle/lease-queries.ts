import { sql } from 'kysely'
import type { SessionId } from '../job/execution.ts'
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

/** Ends leases that have not been renewed since they were looked at. From here on the sessions can change nothing. */
export async function endLeases(
  db: Db,
  leases: readonly Pick<ObservedLease, 'sessionId' | 'renewals'>[],
): Promise<SessionId[]> {
  const { rows } = await sql<{ id: SessionId }>`/* endLeases */
    with gone as (
      delete from rota.session s
      using unnest(${leases.map((lease) => lease.sessionId)}::uuid[], ${leases.map((lease) => lease.renewals)}::bigint[])
        as l (id, renewals)
      where s.id = l.id and s.renewals = l.renewals
      returning s.id, s.worker_id, s.renewed_at
    ), noted as (
      update rota.worker w set last_heartbeat_at = g.renewed_at from gone g where w.id = g.worker_id
    )
    select id from gone`.execute(db)
  return rows.map(({ id }) => id)
}
