import { sql } from 'kysely'
import { tellMoved } from '../events/record-event-queries.ts'
import type { SessionReport } from '../job/attempt-report.ts'
import type { Epoch, ExecutionId, JobId } from '../job/execution.ts'
import { isReported } from '../store/by-id.ts'
import type { Db } from '../store/database.ts'
import type { SettledRow } from './settle-queries.ts'

/** What was settled, by the end of this attempt. */
export interface SettledAttempt extends SettledRow {
  readonly epoch: Epoch
}

/**
 * Move `settle` of what succeeded, attempts included, in one statement: a success leaves nothing to decide, so no row has to
 * come here first. What is not its session's own and current is left out of the answer. The caller holds the sessions, so
 * nobody else ends their executions at the same time, in whatever order.
 *
 * Times come from the agent's clock and are pulled between the assignment and now, as `onDatabaseClock` does.
 */
export async function settleSucceeded(
  db: Db,
  succeeded: readonly SessionReport[],
): Promise<SettledAttempt[]> {
  const column = <K extends keyof SessionReport>(key: K) => succeeded.map((row) => row[key] ?? null)
  const outputs = succeeded.map((row) =>
    row.outputs === undefined ? null : JSON.stringify(row.outputs),
  )
  const { rows } = await sql<{
    id: ExecutionId
    job_id: JobId
    epoch: Epoch
    settled_ms: number
  }>`/* settleSucceeded */
    with told_of as materialized (
      select * from unnest(${column('executionId')}::uuid[], ${column('epoch')}::bigint[], ${column('sessionId')}::uuid[],
        ${column('message')}::text[], ${column('exitCode')}::int[], ${column('signal')}::text[], ${outputs}::jsonb[],
        ${column('startedAt')}::timestamptz[], ${column('endedAt')}::timestamptz[], ${column('cpuMs')}::bigint[],
        ${column('peakMemoryBytes')}::bigint[], ${column('logBytes')}::bigint[], ${column('logBytesDropped')}::bigint[])
        as r (id, epoch, session_id, message, exit_code, signal, outputs, start_time, end_time, cpu_ms, peak_memory_bytes,
          log_bytes, log_bytes_dropped)
    ), gone as (
      delete from rota.execution e using told_of r
      where ${isReported} and e.state in ('assigned', 'running')
      returning e.id, e.job_id, e.job_version, e.trigger, e.priority, e.class_id, e.guarantee, e.scheduled_for,
        e.created_at, e.parameters, e.requested_by, e.replay_of, e.attempt, e.max_attempts, e.worker_id, e.epoch,
        e.session_id, e.assigned_at, coalesce(r.start_time, e.started_at) as start_time, r.end_time, r.message,
        r.exit_code, r.signal, r.outputs, r.cpu_ms, r.peak_memory_bytes, r.log_bytes, r.log_bytes_dropped
    ), ended as materialized (
      select g.*, t.ended_at, n.now as settled_at,
        case when g.start_time is not null then greatest(g.assigned_at, least(g.start_time, t.ended_at)) end as started_at
      from gone g cross join (select clock_timestamp()::timestamptz(3) as now) n
      cross join lateral (select greatest(g.assigned_at, least(coalesce(g.end_time, n.now), n.now)) as ended_at) t
    ), attempts as (
      insert into rota.attempt (execution_id, number, epoch, worker, session_id, assigned_at, outcome, reason_code,
        message, exit_code, signal, started_at, ended_at, cpu_ms, peak_memory_bytes, log_bytes, log_bytes_dropped)
      select e.id, e.attempt, e.epoch, w.name, e.session_id, e.assigned_at, 'succeeded', '', e.message, e.exit_code,
        e.signal, e.started_at, e.ended_at, e.cpu_ms, e.peak_memory_bytes, e.log_bytes, e.log_bytes_dropped
      from ended e join rota.worker w on w.id = e.worker_id
    ), settled as (
      insert into rota.execution_history (id, job_id, job_version, state, reason_code, reason_message, trigger,
        priority, class_id, guarantee, scheduled_for, created_at, parameters, requested_by, replay_of, attempt,
        max_attempts, worker_id, started_at, settled_at, outputs)
      select e.id, e.job_id, e.job_version, 'succeeded', '', '', e.trigger, e.priority, e.class_id, e.guarantee,
        e.scheduled_for, e.created_at, e.parameters, e.requested_by, e.replay_of, e.attempt, e.max_attempts, e.worker_id,
        e.started_at, e.settled_at, e.outputs
      from ended e
    ), moved as (
      select id, job_id, 'succeeded' as state, '' as reason_code, '' as reason_message, worker_id, attempt, epoch
      from ended
    ), told as (${tellMoved('settled')})
    select id, job_id, ended.epoch, extract(epoch from settled_at)::float8 * 1000 as settled_ms from ended`.execute(
    db,
  )
  return rows.map(({ settled_ms, ...row }) => {
    return { ...row, state: 'succeeded', settled_at: new Date(settled_ms) }
  })
}
