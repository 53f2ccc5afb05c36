import { sql } from 'kysely'
import type { ExecutionId, JobId } from '../job/execution.ts'
import type { Db } from '../store/database.ts'
import type { Change } from './event.ts'
import type { Position } from './position.ts'

export interface EventRow {
  readonly transaction_id: string
  readonly id: number
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

export function positionOf({ transaction_id, id, happened_at }: EventRow): Position {
  return { transactionId: transaction_id, id, happenedAt: happened_at }
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
 * The events behind a position, in order. Only those of transactions below every one that still runs: nothing can be
 * written among them any more. Days before that of the position are left out by the planner.
 */
export async function readEventsAfter(
  db: Db,
  { transactionId, id, happenedAt }: Position,
  limit: number,
): Promise<ReadEvents> {
  const { rows } = await sql<{ is_known: boolean } & Nullable<EventRow>>`/* readEventsAfter */
    select k.is_known, e.*, j.name as job
    from (
      select exists (select from rota.event
          where transaction_id = ${transactionId}::xid8 and id = ${id} and happened_at = ${happenedAt})
        or (${id}::bigint = 0 and ${transactionId}::xid8 <= pg_snapshot_xmin(pg_current_snapshot())
          and ${happenedAt} > clock_timestamp() - interval '1 hour') as is_known
    ) k
    left join lateral (
      select transaction_id, id, happened_at, type, change, state, job_id, execution_id, worker
      from rota.event
      where (transaction_id, id) > (${transactionId}::xid8, ${id}::bigint)
        and transaction_id < pg_snapshot_xmin(pg_current_snapshot())
        and happened_at > ${happenedAt}::timestamptz - interval '1 day'
      order by transaction_id, id limit ${limit}
    ) e on k.is_known
    left join rota.job j on j.id = e.job_id
    order by e.transaction_id, e.id`.execute(db)
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
