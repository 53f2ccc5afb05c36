/**
 * Events are written in the transaction of what they tell of, so there is one exactly when it happened. Moves of
 * executions write theirs within the statement that moves them; changes of jobs and workers, which are few, by one more.
 */
import { type RawBuilder, sql } from 'kysely'
import type { JobId, WorkerId } from '../job/execution.ts'
import type { Db } from '../store/database.ts'
import type { ExecutionChange, JobChange, WorkerChange } from './event.ts'

/** What `tellMoved` needs of an execution `e`. */
export const MOVED = sql`e.id, e.job_id, e.state, e.reason_code, e.reason_message, e.worker_id, e.attempt, e.epoch`

/** Happens to every execution, so that a row for each would cost more than all else. */
const FREQUENT: readonly unknown[] = ['assigned', 'started', 'settled'] satisfies ExecutionChange[]

/**
 * The events of executions that a statement moves, as one more part of it:
 * `with moved as (update ... returning ${MOVED}), told as (${tellMoved('started')}) select ... from moved`.
 *
 * The frequent changes are one row for all that came to the same state, and the timeline takes them from the execution and
 * its attempts; the others are a row each.
 */
export function tellMoved(
  change: ExecutionChange | RawBuilder<string>,
  actor: RawBuilder<string> = sql`''`,
): RawBuilder<unknown> {
  const word = typeof change === 'string' ? sql`${change}::text` : change
  const events =
    change === 'created'
      ? sql`${inOneRow(word)} where m.state = 'queued' group by m.state
        union all ${inRows(word, actor)} where m.state <> 'queued'`
      : FREQUENT.includes(change)
        ? sql`${inOneRow(word)} group by m.state`
        : inRows(word, actor)
  return sql`insert into rota.event (type, change, state, event_count, execution_ids, job_ids, worker_ids, job_id,
      execution_id, worker, attempt, epoch, reason_code, message, actor, assigned_at) ${events}`
}

/** The arrays have the same order. */
function inOneRow(word: RawBuilder<unknown>): RawBuilder<unknown> {
  return sql`select 'executions', ${word}, m.state, count(*)::int, array_agg(m.id), array_agg(m.job_id),
      case when count(m.worker_id) > 0 then array_agg(m.worker_id) end, null::bigint, null::uuid, '', null::int,
      null::bigint, '', '', '', null::timestamptz
    from moved m`
}

/** Of an attempt that is put back only its event remains: from when it was assigned the row still says as it was before. */
function inRows(word: RawBuilder<unknown>, actor: RawBuilder<string>): RawBuilder<unknown> {
  return sql`select 'execution', ${word}, m.state, 1, null::uuid[], null::bigint[], null::bigint[], m.job_id, m.id,
      coalesce((select w.name from rota.worker w where w.id = m.worker_id), ''), nullif(m.attempt, 0),
      nullif(m.epoch, 0), m.reason_code, m.reason_message, ${actor},
      case when ${word} = 'requeued' then (select o.assigned_at from rota.execution o where o.id = m.id) end
    from moved m`
}

export interface Told<Change> {
  readonly change: Change
  /** Who did it, as `token:<name>`; blank: Rota itself. */
  readonly actor: string
  readonly message: string
}

/** Tells of jobs, in the state that they are in by now. */
export async function recordJobEvents(
  db: Db,
  ids: readonly JobId[],
  told: Told<JobChange>,
): Promise<void> {
  await sql`/* recordJobEvents */
    insert into rota.event (type, change, state, job_id, message, actor)
    select 'job', ${told.change}, j.state, j.id, ${told.message}, ${told.actor}
    from rota.job j where j.id = any (${ids}::bigint[])`.execute(db)
}

/** Tells of workers, in the state that they are in by now; of one that goes, before it has gone. */
export async function recordWorkerEvents(
  db: Db,
  ids: readonly WorkerId[],
  told: Told<WorkerChange>,
): Promise<void> {
  await sql`/* recordWorkerEvents */
    insert into rota.event (type, change, state, worker, message, actor)
    select 'worker', ${told.change}, w.state, w.name, ${told.message}, ${told.actor}
    from rota.worker w where w.id = any (${ids}::bigint[])`.execute(db)
}
