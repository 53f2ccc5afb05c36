import { sql } from 'kysely'
import type { Db } from '../store/database.ts'

export interface StatsRow {
  readonly jobs_by_state: Record<string, number>
  readonly live_by_state: Record<string, number>
  readonly settled_by_state: Record<string, number>
  readonly workers_total: number
  readonly workers_connected: number
  readonly oldest_queued_ms: number | null
  readonly schedule_delay_p95_ms: number | null
}

/** Totals now, and of what settled within the window. */
export async function readStats(db: Db, windowMs: number): Promise<StatsRow> {
  const { rows } = await sql<StatsRow>`
    with settled as (
      select state, extract(epoch from started_at - scheduled_for)::float8 * 1000 as delay_ms
      from rota.execution_history
      where settled_at > clock_timestamp() - ${windowMs} * interval '1 millisecond'
    )
    select
      (select coalesce(jsonb_object_agg(state, n), '{}') from
        (select state, count(*) as n from rota.job where state <> 'deleted' group by state) j) as jobs_by_state,
      (select coalesce(jsonb_object_agg(state, n), '{}') from
        (select state, count(*) as n from rota.execution group by state) e) as live_by_state,
      (select coalesce(jsonb_object_agg(state, n), '{}') from
        (select state, count(*) as n from settled group by state) s) as settled_by_state,
      (select count(*) from rota.worker where deleted_at is null) as workers_total,
      (select count(*) from rota.session) as workers_connected,
      (select extract(epoch from clock_timestamp() - min(available_at))::float8 * 1000
        from rota.execution where state = 'queued') as oldest_queued_ms,
      (select percentile_cont(0.95) within group (order by delay_ms) from settled) as schedule_delay_p95_ms`.execute(
    db,
  )
  const [stats] = rows
  if (stats === undefined) throw new Error('an aggregate without a row')
  return stats
}

/** Answers when the database does. */
export async function ping(db: Db): Promise<void> {
  await sql`/* ping */ select 1`.execute(db)
}
