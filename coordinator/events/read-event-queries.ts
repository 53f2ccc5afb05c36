import { sql } from 'kysely'
import type { ExecutionId, JobId } from '../job/execution.ts'
import type { Db } from '../store/database.ts'
import type { Change } from './event.ts'
import type { Position } from './position.ts'

export interface EventRow {
  readonly transaction_id: string
  readonly id: number
  /** In its row, from 1; null: the last one of it. */
  readonly place: number | null
  readonly happened_at: Date
  readonly type: 'job' | 'execution' | 'worker'
  readonly change: Change
  readonly state: string
  readonly job_id: JobId | null
  /** Name of the job. */
  readonly job: string | null
  readonly execution_id: ExecutionId | null
  /** Name of the worker; blank: none. */
  readonly worker: string
}

export function positionOf({ transaction_id, id, happened_at, place }: EventRow): Position {
  const position = { transactionId: transaction_id, id, happenedAt: happened_at }
  return place === null ? position : { ...position, place }
}

export interface ReadEvents {
  /**
   * False when the event of the position is not there (any more): it was dropped with its day, or the database has gone
   * back. Then what came after it may be missing too.
   */
  readonly isKnown: boolean
  readonly events: EventRow[]
}

/**
 * The events behind a position, in order: `limit`, or as many more as the last row has. Only those of transactions below
 * every one that still runs: nothing can be written among them any more. Days before that of the position are left out by
 * the planner. A position within a row begins with that row.
 */
export async function readEventsAfter(
  db: Db,
  { transactionId, id, happenedAt, place }: Position,
  limit: number,
): Promise<ReadEvents> {
  const behindId = place === undefined ? id : id - 1
  const { rows } = await sql<{ is_known: boolean } & Nullable<EventRow>>`/* readEventsAfter */
    select k.is_known, e.*
    from (
      select exists (select from rota.event
          where transaction_id = ${transactionId}::xid8 and id = ${id} and happened_at = ${happenedAt})
        or (${id}::bigint = 0 and ${transactionId}::xid8 <= pg_snapshot_xmin(pg_current_snapshot())
          and ${happenedAt} > clock_timestamp() - interval '1 hour') as is_known
    ) k
    left join lateral (
      select r.transaction_id, r.id, nullif(coalesce(b.place, r.event_count), r.event_count)::int as place,
        r.happened_at, case r.type when 'executions' then 'execution' else r.type end as type, r.change, r.state,
        coalesce(b.job_id, r.job_id) as job_id, j.name as job, coalesce(b.execution_id, r.execution_id) as execution_id,
        coalesce(w.name, d.name, r.worker) as worker
      from (
        select *, sum(event_count) over (order by transaction_id, id) - event_count as before
        from (
          select * from rota.event
          where (transaction_id, id) > (${transactionId}::xid8, ${behindId}::bigint)
            and transaction_id < pg_snapshot_xmin(pg_current_snapshot())
            and happened_at > ${happenedAt}::timestamptz - interval '1 day'
          order by transaction_id, id limit ${limit}
        ) page
      ) r
      left join lateral unnest(r.execution_ids, r.job_ids, r.worker_ids) with ordinality
        as b (execution_id, job_id, worker_id, place) on true
      left join rota.job j on j.id = coalesce(b.job_id, r.job_id)
      left join rota.worker w on w.id = b.worker_id
      left join rota.deleted_worker d on d.id = b.worker_id
      where r.before < ${limit} and (r.id <> ${id} or b.place > ${place ?? 0})
    ) e on k.is_known
    order by e.transaction_id, e.id, e.place nulls last`.execute(db)
  return {
    isKnown: rows[0]?.is_known === true,
    events: rows.filter((row): row is { is_known: boolean } & EventRow => row.id !== null),
  }
}

type Nullable<T> = { readonly [K in keyof T]: T[K] | null }

/** Behind everything that is settled by now. */
export async function readEventHead(db: Db): Promise<Position> {
  const { rows } = await sql<Position>`/* readEventHead */
    select coalesce(e.transaction_id, n.horizon) as "transactionId", coalesce(e.id, 0) as id,
      coalesce(e.happened_at, n.now) as "happenedAt"
    from (
      select pg_snapshot_xmin(pg_current_snapshot()) as horizon, clock_timestamp()::timestamptz(3) as now
    ) n
    left join lateral (
      select transaction_id, id, happened_at from rota.event
      where transaction_id < pg_snapshot_xmin(pg_current_snapshot())
      order by transaction_id desc, id desc limit 1
    ) e on true`.execute(db)
  const [head] = rows
  if (head === undefined) throw new Error('a left join from one row has a row')
  return head
}
