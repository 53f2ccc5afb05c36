import { sql } from 'kysely'
import type { ExecutionId } from '../job/execution.ts'
import type { Db } from '../store/database.ts'

/** Notes that somebody wants a running attempt to end; the first reason stays. False when no worker has it. */
export async function requestCancel(
  db: Db,
  id: ExecutionId,
  cancel: { readonly reason: string; readonly force: boolean },
): Promise<boolean> {
  const { rows } = await sql`/* requestCancel */
    update rota.execution
    set cancel_requested_at = coalesce(cancel_requested_at, clock_timestamp()),
      cancel_reason = case when cancel_requested_at is null then ${cancel.reason} else cancel_reason end,
      cancel_force = cancel_force or ${cancel.force}
    where id = ${id} and state in ('assigned', 'running')
    returning id`.execute(db)
  return rows.length === 1
}
