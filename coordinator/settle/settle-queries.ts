import { sql } from 'kysely'
import { tellMoved } from '../events/record-event-queries.ts'
import type { AttemptReport, SessionReport } from '../job/attempt-report.ts'
import type {
  Epoch,
  ExecutionId,
  FinalState,
  Guarantee,
  JobId,
  SessionId,
  WorkerId,
} from '../job/execution.ts'
import { MOVES } from '../job/transitions.ts'
import { hasIdOf, isReported } from '../store/by-id.ts'
import type { Db } from '../store/database.ts'

/** A live execution whose attempt is ending, locked. */
export interface EndingExecution {
  readonly id: ExecutionId
  readonly job_id: JobId
  readonly job_version: number
  readonly guarantee: Guarantee
  readonly attempt: number
  readonly epoch: Epoch
  readonly failure_count: number
  readonly lost_count: number
  readonly worker_id: WorkerId
  readonly worker: string
  readonly session_id: SessionId
  readonly assigned_at: Date
  readonly started_at: Date | null
  /** The database's clock. */
  readonly now: Date
  readonly is_cancel_requested: boolean
  readonly cancel_reason: string
  /** Its worker drains and the deadline has come: the attempt is taken away from it. */
  readonly is_given_up: boolean
}

const ENDING = sql`
  e.id, e.job_id, e.job_version, e.guarantee, e.attempt, e.epoch, e.failure_count, e.lost_count, e.worker_id,
  w.name as worker, e.session_id, e.assigned_at, e.started_at, clock_timestamp()::timestamptz(3) as now,
  e.cancel_requested_at is not null as is_cancel_requested, e.cancel_reason,
  w.state = 'draining' and coalesce(w.drain_deadline_at <= clock_timestamp(), false) as is_given_up`

/** Of what sessions report, the attempts that are their own and current, locked in one order. */
export async function lockReported(
  db: Db,
  reported: readonly Pick<SessionReport, 'executionId' | 'epoch' | 'sessionId'>[],
): Promise<EndingExecution[]> {
  const { rows } = await sql<EndingExecution>`/* lockReported */
    select ${ENDING}
    from unnest(${reported.map((report) => report.executionId)}::uuid[], ${reported.map((report) => report.epoch)}::bigint[],
      ${reported.map((report) => report.sessionId)}::uuid[]) as r (id, epoch, session_id)
    join rota.execution e on ${isReported}
    join rota.worker w on w.id = e.worker_id
    where e.state in ('assigned', 'running')
    order by e.id
    for update of e`.execute(db)
  return rows
}

/** Everything that these sessions had in hand, locked in one order. */
export async function lockOfSessions(
  db: Db,
  sessionIds: readonly SessionId[],
): Promise<EndingExecution[]> {
  const { rows } = await sql<EndingExecution>`/* lockOfSessions */
    select ${ENDING}
    from rota.execution e join rota.worker w on w.id = e.worker_id
    where e.session_id = any (${sessionIds}::uuid[])
    order by e.id
    for update of e`.execute(db)
  return rows
}

/** Its times are on the database's clock. */
export interface AttemptInsert extends AttemptReport {
  readonly ending: EndingExecution
}

/** Writes attempts that have ended, one row each. Only one end of an attempt is ever written: its execution was locked. */
export async function insertAttempts(db: Db, attempts: readonly AttemptInsert[]): Promise<void> {
  const ending = <K extends keyof EndingExecution>(key: K) => attempts.map((row) => row.ending[key])
  const report = <K extends keyof AttemptReport>(key: K) => attempts.map((row) => row[key] ?? null)
  await sql`/* insertAttempts */
    insert into rota.attempt (execution_id, number, epoch, worker, session_id, assigned_at, outcome, reason_code,
      message, exit_code, signal, started_at, ended_at, cpu_ms, peak_memory_bytes, log_bytes, log_bytes_dropped)
    select * from unnest(${ending('id')}::uuid[], ${ending('attempt')}::int[], ${ending('epoch')}::bigint[],
      ${ending('worker')}::text[], ${ending('session_id')}::uuid[], ${ending('assigned_at')}::timestamptz[],
      ${report('outcome')}::text[], ${report('reasonCode')}::text[],
      ${report('message')}::text[], ${report('exitCode')}::int[], ${report('signal')}::text[],
      ${report('startedAt')}::timestamptz[], ${report('endedAt')}::timestamptz[], ${report('cpuMs')}::bigint[],
      ${report('peakMemoryBytes')}::bigint[], ${report('logBytes')}::bigint[], ${report('logBytesDropped')}::bigint[])`.execute(
    db,
  )
}

export interface SettledExecution {
  readonly id: ExecutionId
  readonly state: FinalState
  readonly reasonCode: string
  readonly reasonMessage: string
  readonly outputs: Readonly<Record<string, unknown>> | undefined
  readonly startedAt: Date | undefined
}

export interface SettledRow {
  readonly id: ExecutionId
  readonly job_id: JobId
  readonly state: FinalState
  readonly settled_at: Date
}

/** Move `settle`: out of the live table and into history, in one statement. The rows were locked before. */
export async function settleExecutions(
  db: Db,
  settled: readonly SettledExecution[],
): Promise<SettledRow[]> {
  const column = <K extends keyof SettledExecution>(key: K) =>
    settled.map((row) => row[key] ?? null)
  const outputs = settled.map((row) =>
    row.outputs === undefined ? null : JSON.stringify(row.outputs),
  )
  const { rows } = await sql<SettledRow>`/* settleExecutions */
    with decided as materialized (
      select * from unnest(${column('id')}::uuid[], ${column('state')}::text[], ${column('reasonCode')}::text[],
        ${column('reasonMessage')}::text[], ${outputs}::jsonb[], ${column('startedAt')}::timestamptz[])
        as d (id, state, reason_code, reason_message, outputs, started_at)
    ), gone as (
      delete from rota.execution e using decided d where ${hasIdOf('d')}
      returning e.*
    ), settled as (
      insert into rota.execution_history (id, job_id, job_version, state, reason_code, reason_message, trigger,
        priority, class_id, guarantee, scheduled_for, created_at, parameters, requested_by, replay_of, attempt,
        max_attempts, worker_id, started_at, settled_at, outputs)
      select g.id, g.job_id, g.job_version, d.state, d.reason_code, d.reason_message, g.trigger, g.priority,
        g.class_id, g.guarantee, g.scheduled_for, g.created_at, g.parameters, g.requested_by, g.replay_of, g.attempt,
        g.max_attempts, g.worker_id, d.started_at, clock_timestamp(), d.outputs
      from gone g join decided d on d.id = g.id
      returning id, job_id, state, settled_at
    ), moved as (
      select g.id, g.job_id, d.state, d.reason_code, d.reason_message, g.worker_id, g.attempt, g.epoch
      from gone g join decided d on d.id = g.id
    ), told as (${tellMoved('settled')})
    select * from settled`.execute(db)
  return rows
}

export interface RetriedExecution {
  readonly id: ExecutionId
  readonly delayMs: number
  readonly countsFailure: number
  readonly countsLoss: number
  readonly reasonCode: string
  readonly reasonMessage: string
}

/** Move `retry`: to backoff, or straight back into the queue when there is no delay. */
export async function retryExecutions(
  db: Db,
  retried: readonly RetriedExecution[],
): Promise<number> {
  const column = <K extends keyof RetriedExecution>(key: K) => retried.map((row) => row[key])
  const { rows } = await sql`/* retryExecutions */
    with moved as (
      update rota.execution e
      set state = case when r.delay_ms > 0 then 'backoff' else 'queued' end,
        available_at = clock_timestamp() + r.delay_ms * interval '1 millisecond',
        failure_count = e.failure_count + r.counts_failure, lost_count = e.lost_count + r.counts_loss,
        reason_code = r.reason_code, reason_message = r.reason_message, worker_id = null, session_id = null,
        assigned_at = null, accepted_at = null, started_at = null, progress = 0
      from unnest(${column('id')}::uuid[], ${column('delayMs')}::float8[], ${column('countsFailure')}::int[],
        ${column('countsLoss')}::int[], ${column('reasonCode')}::text[], ${column('reasonMessage')}::text[])
        as r (id, delay_ms, counts_failure, counts_loss, reason_code, reason_message)
      join rota.execution o on ${hasIdOf('r', 'o')}
      where ${hasIdOf('r')} and e.state = any (${[...MOVES.retry.from]}::text[])
      returning e.id, e.job_id, e.state, e.reason_code, e.reason_message, o.worker_id, e.attempt, e.epoch,
        r.counts_loss
    ), told as (${tellMoved(sql`case when m.counts_loss > 0 then 'lost' else 'retried' end`)})
    select id from moved`.execute(db)
  return rows.length
}

/** Move `requeue`: the attempt never was; its number is used again, its epoch never. */
export async function requeueExecutions(db: Db, ids: readonly ExecutionId[]): Promise<number> {
  const { rows } = await sql`/* requeueExecutions */
    with moved as (
      update rota.execution e
      set state = 'queued', attempt = e.attempt - 1, worker_id = null, session_id = null, assigned_at = null,
        accepted_at = null
      from rota.execution o
      where o.id = e.id and e.id = any (${ids}::uuid[]) and e.state = any (${[...MOVES.requeue.from]}::text[])
      returning e.id, e.job_id, e.state, e.reason_code, e.reason_message, o.worker_id, o.attempt, e.epoch
    ), told as (${tellMoved('requeued')})
    select id from moved`.execute(db)
  return rows.length
}

export interface ActivityChange {
  readonly jobId: JobId
  readonly lastExecutionId: ExecutionId
  readonly lastSucceededAt: Date | null
  readonly lastFailedAt: Date | null
  /** Failures since the last success of this change; null when there was none: then they add up. */
  readonly failuresAfterSuccess: number | null
  readonly failures: number
}

/** Brings the activity of jobs up to date, in the order of their ids so that two coordinators never wait in a ring. */
export async function recordActivity(db: Db, changes: readonly ActivityChange[]): Promise<void> {
  const ordered = [...changes].sort((a, b) => a.jobId - b.jobId)
  const column = <K extends keyof ActivityChange>(key: K) => ordered.map((row) => row[key])
  await sql`/* lockActivities */
    select from rota.job_activity where job_id = any (${column('jobId')}::bigint[]) order by job_id
    for no key update`.execute(db)
  await sql`/* recordActivity */
    update rota.job_activity a
    set last_execution_id = c.last_execution_id,
      last_succeeded_at = greatest(a.last_succeeded_at, c.last_succeeded_at),
      last_failed_at = greatest(a.last_failed_at, c.last_failed_at),
      consecutive_failures = coalesce(c.failures_after_success, a.consecutive_failures + c.failures)
    from unnest(${column('jobId')}::bigint[], ${column('lastExecutionId')}::uuid[],
      ${column('lastSucceededAt')}::timestamptz[], ${column('lastFailedAt')}::timestamptz[],
      ${column('failuresAfterSuccess')}::int[], ${column('failures')}::int[])
      as c (job_id, last_execution_id, last_succeeded_at, last_failed_at, failures_after_success, failures)
    where a.job_id = c.job_id`.execute(db)
}

export interface WorkerChange {
  readonly workerId: WorkerId
  /** As in ActivityChange. */
  readonly failuresAfterSuccess: number | null
  readonly failures: number
}

/** Counts the failures in a row of workers, in the order of their ids. One that has none and none now is left alone. */
export async function recordWorkerFailures(
  db: Db,
  changes: readonly WorkerChange[],
): Promise<void> {
  const failing = changes.filter(({ failures }) => failures > 0).map(({ workerId }) => workerId)
  const { rows } = await sql<{ id: WorkerId }>`/* lockWorkers */
    select id from rota.worker
    where id = any (${changes.map(({ workerId }) => workerId)}::bigint[])
      and (consecutive_failures > 0 or id = any (${failing}::bigint[]))
    order by id for no key update`.execute(db)
  if (rows.length === 0) return
  const locked = new Set(rows.map(({ id }) => id))
  const changed = changes.filter(({ workerId }) => locked.has(workerId))
  const column = <K extends keyof WorkerChange>(key: K) => changed.map((row) => row[key])
  await sql`/* recordWorkerFailures */
    update rota.worker w
    set consecutive_failures = coalesce(c.failures_after_success, w.consecutive_failures + c.failures)
    from unnest(${column('workerId')}::bigint[], ${column('failuresAfterSuccess')}::int[], ${column('failures')}::int[])
      as c (worker_id, failures_after_success, failures)
    where w.id = c.worker_id`.execute(db)
}

/** Tells the dependents of these jobs that there is something to look at; answers how many there are. */
export async function tellDependents(db: Db, jobIds: readonly JobId[]): Promise<number> {
  const { rows } = await sql`/* tellDependents */
    insert into rota.dependency_check (job_id)
    select distinct job_id from rota.dependency where on_job_id = any (${jobIds}::bigint[])
    returning job_id`.execute(db)
  return rows.length
}

/** Of these executions the ones that no worker has, locked. */
export async function lockUnassigned(db: Db, ids: readonly ExecutionId[]): Promise<ExecutionId[]> {
  const { rows } = await sql<{ id: ExecutionId }>`/* lockUnassigned */
    select id from rota.execution
    where id = any (${ids}::uuid[]) and state in ('waiting', 'queued', 'backoff')
    order by id for update`.execute(db)
  return rows.map(({ id }) => id)
}
