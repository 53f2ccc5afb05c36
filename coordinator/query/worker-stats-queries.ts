import { sql } from 'kysely'
import type { WorkerId } from '../job/execution.ts'
import type { Db } from '../store/database.ts'

export interface WorkerStatsRow {
  readonly succeeded: number
  readonly failed: number
  readonly running: number
  /** Of the slots that it has now, how much of their time was in use; above 1 when it had more before. */
  readonly busy_ratio: number
  readonly duration_p95_ms: number | null
  readonly connections: number
}

/**
 * What became of a worker's attempts that ended within the window, and how busy it was. An attempt counts for the part of
 * it that lies in the window, and for the slots of its execution.
 */
export async function readWorkerStats(
  db: Db,
  worker: { readonly id: WorkerId; readonly name: string; readonly slots: number },
  windowMs: number,
): Promise<WorkerStatsRow> {
  // Stable, unlike clock_timestamp(): partitions and blocks before it are not read.
  const since = sql<Date>`(statement_timestamp() - ${windowMs} * interval '1 millisecond')`
  const { rows } = await sql<WorkerStatsRow>`/* readWorkerStats */
    with ended as materialized (
      select a.outcome, a.execution_id, a.started_at, a.ended_at
      from rota.attempt a where a.worker = ${worker.name} and a.ended_at > ${since}
    ), running as materialized (
      select e.started_at, c.slots
      from rota.session s join rota.execution e on e.session_id = s.id
      join rota.placement_class c on c.id = e.class_id
      where s.worker_id = ${worker.id}
    ), held as (
      select started_at, clock_timestamp() as ended_at, slots from running
      union all
      select e.started_at, e.ended_at, coalesce(c.slots, 1)
      from ended e
      left join rota.execution_any x on x.id = e.execution_id
      left join rota.placement_class c on c.id = x.class_id
    )
    select
      (select count(*) from ended where outcome = 'succeeded') as succeeded,
      (select count(*) from ended where outcome in ('failed', 'timed_out', 'start_failed', 'lost')) as failed,
      (select count(*) from running) as running,
      coalesce((
        select sum(greatest(0, extract(epoch from ended_at - greatest(started_at, ${since}))) * slots)::float8
        from held where started_at is not null
      ), 0) / greatest(0.001, ${worker.slots}::int * ${windowMs}::float8 / 1000) as busy_ratio,
      (select percentile_cont(0.95) within group (order by extract(epoch from ended_at - started_at)::float8 * 1000)
        from ended where started_at is not null) as duration_p95_ms,
      (select count(*) from rota.worker_connection c
        where c.worker_id = ${worker.id} and c.connected_at > ${since}) as connections`.execute(db)
  const [stats] = rows
  if (stats === undefined) throw new Error('an aggregate without a row')
  return stats
}
