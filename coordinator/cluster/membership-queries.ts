import { sql } from 'kysely'
import type { Db } from '../store/database.ts'

export interface OwnRow {
  readonly id: string
  readonly address: string
  readonly version: string
  readonly protocolVersions: readonly number[]
  readonly sessionCount: number
  readonly isDraining: boolean
}

export interface CoordinatorRow {
  readonly id: string
  readonly address: string
  readonly version: string
  readonly session_count: number
  readonly is_draining: boolean
  readonly started_at: Date
  /** Since its last renewal, by the database's clock, in ms. */
  readonly silent_ms: number
}

/**
 * Writes this coordinator's row and reads those of the others that were renewed within `aliveMs`; rows that nobody has
 * renewed for `forgetMs` go away.
 */
export async function renewCoordinator(
  db: Db,
  own: OwnRow,
  { aliveMs, forgetMs }: { readonly aliveMs: number; readonly forgetMs: number },
): Promise<CoordinatorRow[]> {
  const { rows } = await sql<CoordinatorRow>`/* renewCoordinator */
    with own as (
      insert into rota.coordinator (id, address, version, protocol_versions, session_count, is_draining)
      values (${own.id}, ${own.address}, ${own.version}, ${[...own.protocolVersions]}::integer[], ${own.sessionCount},
        ${own.isDraining})
      on conflict (id) do update set address = excluded.address, session_count = excluded.session_count,
        is_draining = excluded.is_draining, renewed_at = clock_timestamp()
    ), forgotten as (
      delete from rota.coordinator where id in (
        select id from rota.coordinator
        where id <> ${own.id} and renewed_at < clock_timestamp() - ${forgetMs} * interval '1 millisecond'
        for update skip locked)
    )
    select id, address, version, session_count, is_draining, started_at,
      greatest(0, extract(epoch from clock_timestamp() - renewed_at) * 1000)::float8 as silent_ms
    from rota.coordinator
    where id <> ${own.id} and renewed_at > clock_timestamp() - ${aliveMs} * interval '1 millisecond'
    order by started_at, id`.execute(db)
  return rows
}

/** The coordinator has stopped. */
export async function deleteCoordinator(db: Db, id: string): Promise<void> {
  await db.deleteFrom('rota.coordinator').where('id', '=', id).execute()
}
