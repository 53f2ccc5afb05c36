import { sql } from 'kysely'
import { MOVED, tellMoved } from '../events/record-event-queries.ts'
import type { ExecutionId } from '../job/execution.ts'
import type { Db } from '../store/database.ts'

/** Notes that somebody wants a running attempt to end; the first reason stays. False when no worker has it. */
export async function requestCancel(
  db: Db,
  id: ExecutionId,
  cancel: { readonly reason: string; readonly force: boolean; readonly actor: string },
): Promise<boolean> {
  const { rows } = await sql`/* requestCancel */
    with before as materialized (
      select id, cancel_requested_at is null or (${cancel.force} and not cancel_force) as is_news
      from rota.execution where id = ${id} and state in ('assigned', 'running')
      for update
    ), changed as (
      update rota.execution e
      set cancel_requested_at = coalesce(cancel_requested_at, clock_timestamp()),
        cancel_reason = case when cancel_requested_at is null then ${cancel.reason} else cancel_reason end,
        cancel_force = cancel_force or ${cancel.force}
      from before b where e.id = b.id
      returning ${MOVED}, b.is_news
    ), moved as (
      select id, job_id, state, 'CANCELLED' as reason_code, ${cancel.reason}::text as reason_message, worker_id, attempt,
        epoch
      from changed where is_news
    ), told as (${tellMoved('cancel_requested', sql`${cancel.actor}::text`)})
    select id from changed`.execute(db)
  return rows.length === 1
}
