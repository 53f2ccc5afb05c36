import { sql } from 'kysely'
import type { ExecutionId, ExecutionState } from '../job/execution.ts'
import type { Db } from '../store/database.ts'
import type { ExecutionChange } from './event.ts'

/** One entry of the timeline of an execution. */
export interface TimelineRow {
  /** Grows along the timeline, and stays the same; has gaps. */
  readonly sequence: number
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

/** Steps within an epoch, in the only order in which they can happen. */
const STEPS = sql`(values
  ('created', 1), ('restored', 2), ('assigned', 2), ('started', 5), ('requeued', 8), ('retried', 8), ('lost', 8),
  ('queued', 9), ('settled', 10)) as steps (change, step)`

/** Somebody may want the end before the start or after it, and then want it by force. */
const CANCEL_STEP = sql`case state when 'assigned' then 3 else 6 end
  + row_number() over (partition by change, epoch, state order by id) - 1`

/** So many steps has an epoch. */
const STRIDE = 11

/**
 * What happened to an execution after `page.after`, oldest first. What happens to every execution is taken from the
 * execution itself and its attempts; what an event says too is said by the event (releases before wrote one for each).
 */
export async function readTimeline(
  db: Db,
  executionId: ExecutionId,
  page: { readonly after: number; readonly limit: number },
): Promise<TimelineRow[]> {
  const { rows } = await sql<TimelineRow>`/* readTimeline */
    with execution as (
      select e.*, coalesce(w.name, d.name, '') as worker
      from rota.execution_any e
      left join rota.worker w on w.id = e.worker_id left join rota.deleted_worker d on d.id = e.worker_id
      where e.id = ${executionId}
    ), since as (
      select created_at - interval '1 hour' as time from execution
    ), stored as (
      select * from rota.event
      where execution_id = ${executionId} and happened_at > (select time from since)
    ), attempts as (
      select number, epoch, worker, assigned_at, started_at from rota.attempt
      where execution_id = ${executionId} and ended_at > (select time from since)
      union all
      select attempt, epoch, worker, assigned_at, started_at from execution where session_id is not null
      union all
      select attempt, epoch, worker, assigned_at, null from stored where change = 'requeued' and assigned_at is not null
    ), told as (
      select false as is_derived, id, happened_at, change, state, worker, attempt, epoch, reason_code, message, actor
      from stored
      union all
      select true, 0, created_at, 'created', 'queued', '', null, null, '', '', requested_by from execution
      union all
      select true, 0, assigned_at, 'assigned', 'assigned', worker, number, epoch, '', '', '' from attempts
      union all
      select true, 0, started_at, 'started', 'running', worker, number, epoch, '', '', '' from attempts
      where started_at is not null
        and not exists (select from stored s where s.change = 'restored' and s.epoch = attempts.epoch)
      union all
      select true, 0, settled_at, 'settled', state, worker, nullif(attempt, 0),
        greatest((select max(epoch) from attempts), (select max(epoch) from stored)), reason_code,
        reason_message, ''
      from execution
      where settled_at is not null and not exists (select from stored where change = 'settled')
    ), steps as (
      select t.*, coalesce(epoch, 0) * ${STRIDE}::bigint + coalesce(step, ${CANCEL_STEP}) as sequence
      from told t left join ${STEPS} using (change)
    )
    select * from (
      select distinct on (sequence) sequence, happened_at, change, state, worker, attempt, epoch, reason_code, message,
        actor
      from steps order by sequence, is_derived
    ) timeline
    where sequence > ${page.after} order by sequence limit ${page.limit}`.execute(db)
  return rows
}
