import { sql } from 'kysely'
import type { ExecutionId, ExecutionState } from '../job/execution.ts'
import type { Db } from '../store/database.ts'
import type { ExecutionChange } from './event.ts'

/** One entry of the timeline of an execution. */
export interface TimelineRow {
  readonly id: number
  readonly happened_at: Date
  readonly change: ExecutionChange
  readonly state: ExecutionState
  readonly worker: string
  readonly attempt: number | null
  readonly epoch: number | null
  readonly reason_code: string
  readonly message: string
  readonly actor: string
}

/**
 * What happened to an execution after the event `after`, oldest first. Its changes wait for each other, so their ids are
 * in order.
 */
export async function readTimeline(
  db: Db,
  executionId: ExecutionId,
  page: { readonly after: number; readonly limit: number },
): Promise<TimelineRow[]> {
  const { rows } = await sql<TimelineRow>`/* readTimeline */
    select id, happened_at, change, state, worker, attempt, epoch, reason_code, message, actor
    from rota.event
    where execution_id = ${executionId} and id > ${page.after}
    order by id limit ${page.limit}`.execute(db)
  return rows
}
