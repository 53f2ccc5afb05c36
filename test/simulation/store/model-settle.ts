/** What the statements of coordinator/settle/ and coordinator/cancel/ do. */
import type {
  AttemptOutcome,
  ExecutionId,
  FinalState,
  JobId,
  SessionId,
  WorkerId,
} from '../../../coordinator/job/execution.ts'
import {
  type ExecutionRow,
  type HistoryRow,
  isGivenUp,
  type StatementContext,
  type StatementModel,
} from './schema.ts'
import { FOR_UPDATE, NO_KEY_UPDATE } from './versioned-table.ts'

function isCurrent(
  row: ExecutionRow | undefined,
  { epoch, sessionId }: { readonly epoch: number; readonly sessionId: SessionId },
): row is ExecutionRow {
  const isOwn = row?.epoch === epoch && row.session_id === sessionId
  return isOwn && ['assigned', 'running'].includes(row.state)
}

const lockReported: StatementModel = (context) => {
  const { tx, tables, parameters } = context
  const [ids, epochs, sessionIds] = parameters as [ExecutionId[], number[], SessionId[]]
  const rows = ids.flatMap((id, index) => {
    const row = tables.execution.get(tx, id)
    const ref = { epoch: epochs[index] as number, sessionId: sessionIds[index] as SessionId }
    return isCurrent(row, ref) ? [row] : []
  })
  return lockEnding(context, rows)
}

const settleSucceeded: StatementModel = (context) => {
  const { tx, tables, parameters, now, nowMs } = context
  const columns = parameters as unknown[][]
  const [ids = []] = columns
  return ids.flatMap((_, index) => {
    const at = <T>(column: number) => columns[column]?.[index] as T
    const row = tables.execution.get(tx, at<ExecutionId>(0))
    if (!isCurrent(row, { epoch: at<number>(1), sessionId: at<SessionId>(2) })) return []
    const assignedMs = row.assigned_at?.getTime() ?? nowMs
    const endedMs = clamp(assignedMs, at<Date | null>(8)?.getTime() ?? nowMs, nowMs)
    const startedMs = (at<Date | null>(7) ?? row.started_at)?.getTime()
    const started_at =
      startedMs === undefined ? null : new Date(clamp(assignedMs, startedMs, endedMs))
    tables.attempt.insert(tx, {
      execution_id: row.id,
      number: row.attempt,
      epoch: row.epoch,
      worker: tables.worker.get(tx, row.worker_id as WorkerId)?.name ?? '',
      session_id: at<SessionId>(2),
      assigned_at: new Date(assignedMs),
      outcome: 'succeeded',
      reason_code: '',
      message: at<string>(3),
      exit_code: at<number | null>(4),
      signal: at<string>(5),
      started_at,
      ended_at: new Date(endedMs),
      cpu_ms: at<number | null>(9),
      peak_memory_bytes: at<number | null>(10),
      log_bytes: at<number>(11),
      log_bytes_dropped: at<number>(12),
    })
    const settled = { state: 'succeeded', reason_code: '', reason_message: '' } as const
    const outputs = parseOutputs(at<string | null>(6))
    moveToHistory(context, row, { ...settled, started_at, settled_at: now, outputs })
    return [{ id: row.id, job_id: row.job_id, epoch: row.epoch, settled_ms: nowMs }]
  })
}

function clamp(fromMs: number, timeMs: number, toMs: number): number {
  return Math.max(fromMs, Math.min(timeMs, toMs))
}

const lockOfSessions: StatementModel = (context) => {
  const [sessionIds] = context.parameters as [SessionId[]]
  const rows = context.tables.execution.where(
    context.tx,
    ({ session_id }) => session_id !== null && sessionIds.includes(session_id),
  )
  return lockEnding(context, rows)
}

function lockEnding(context: StatementContext, rows: ExecutionRow[]): object[] {
  const { tx, tables, now, nowMs } = context
  rows.sort((a, b) => (a.id < b.id ? -1 : 1))
  for (const { id } of rows) tables.execution.lock(tx, id, FOR_UPDATE)
  return rows.map((row) => {
    const worker = tables.worker.get(tx, row.worker_id as WorkerId)
    return {
      ...row,
      worker: worker?.name,
      now,
      is_cancel_requested: row.cancel_requested_at !== null,
      is_given_up: isGivenUp(worker, nowMs),
    }
  })
}

const insertAttempts: StatementModel = ({ tx, tables, parameters }) => {
  const columns = parameters as unknown[][]
  const [ids = []] = columns
  for (const index of ids.keys()) {
    const at = <T>(column: number) => columns[column]?.[index] as T
    const isNew = tables.attempt.insert(tx, {
      execution_id: at<ExecutionId>(0),
      number: at<number>(1),
      epoch: at<number>(2),
      worker: at<string>(3),
      session_id: at<SessionId>(4),
      assigned_at: at<Date>(5),
      outcome: at<AttemptOutcome>(6),
      reason_code: at<string>(7),
      message: at<string>(8),
      exit_code: at<number | null>(9),
      signal: at<string>(10),
      started_at: at<Date | null>(11),
      ended_at: at<Date>(12),
      cpu_ms: at<number | null>(13),
      peak_memory_bytes: at<number | null>(14),
      log_bytes: at<number>(15),
      log_bytes_dropped: at<number>(16),
    })
    if (!isNew)
      throw Object.assign(new Error('duplicate attempt'), {
        code: '23505',
        constraint: 'attempt_pkey',
      })
  }
  return []
}

const settleExecutions: StatementModel = (context) => {
  const { tx, tables, parameters, now } = context
  const [ids, states, codes, messages, outputs, starts] = parameters as [
    ExecutionId[],
    FinalState[],
    string[],
    string[],
    (string | null)[],
    (Date | null)[],
  ]
  return ids.flatMap((id, index) => {
    const row = tables.execution.get(tx, id)
    if (row === undefined) return []
    const state = states[index] as FinalState
    moveToHistory(context, row, {
      state,
      reason_code: codes[index] as string,
      reason_message: messages[index] as string,
      started_at: starts[index] ?? null,
      settled_at: now,
      outputs: parseOutputs(outputs[index] ?? null),
    })
    return [{ id, job_id: row.job_id, state, settled_at: now }]
  })
}

type Settled = Pick<
  HistoryRow,
  'state' | 'reason_code' | 'reason_message' | 'started_at' | 'settled_at' | 'outputs'
>

function parseOutputs(text: string | null): HistoryRow['outputs'] {
  return text === null ? null : (JSON.parse(text) as HistoryRow['outputs'])
}

function moveToHistory(
  { tx, tables }: StatementContext,
  row: ExecutionRow,
  settled: Settled,
): void {
  const { id, job_id, job_version, trigger, priority, class_id, guarantee, scheduled_for } = row
  const { created_at, parameters, requested_by, replay_of, attempt, max_attempts, worker_id } = row
  tables.execution.delete(tx, id)
  tables.history.insert(tx, {
    id,
    job_id,
    job_version,
    trigger,
    priority,
    class_id,
    guarantee,
    scheduled_for,
    created_at,
    parameters,
    requested_by,
    replay_of,
    attempt,
    max_attempts,
    worker_id,
    ...settled,
  })
}

const retryExecutions: StatementModel = ({ tx, tables, parameters, nowMs }) => {
  const [ids, delays, failures, losses, codes, messages, from] = parameters as [
    ExecutionId[],
    number[],
    number[],
    number[],
    string[],
    string[],
    readonly string[],
  ]
  return ids.flatMap((id, index) => {
    const row = tables.execution.get(tx, id)
    if (row === undefined || !from.includes(row.state)) return []
    const delayMs = delays[index] as number
    tables.execution.update(tx, {
      ...row,
      state: delayMs > 0 ? 'backoff' : 'queued',
      available_at: new Date(Math.round(nowMs + delayMs)),
      failure_count: row.failure_count + (failures[index] as number),
      lost_count: row.lost_count + (losses[index] as number),
      reason_code: codes[index] as string,
      reason_message: messages[index] as string,
      worker_id: null,
      session_id: null,
      assigned_at: null,
      accepted_at: null,
      started_at: null,
      progress: 0,
    })
    return [{ id }]
  })
}

const requeueExecutions: StatementModel = ({ tx, tables, parameters }) => {
  const [ids, from] = parameters as [ExecutionId[], readonly string[]]
  return ids.flatMap((id) => {
    const row = tables.execution.get(tx, id)
    if (row === undefined || !from.includes(row.state)) return []
    tables.execution.update(tx, {
      ...row,
      state: 'queued',
      attempt: row.attempt - 1,
      worker_id: null,
      session_id: null,
      assigned_at: null,
      accepted_at: null,
    })
    return [{ id }]
  })
}

const lockActivities: StatementModel = ({ tx, tables, parameters }) => {
  const [jobIds] = parameters as [JobId[]]
  const present = [...jobIds].sort((a, b) => a - b)
  for (const jobId of present) tables.activity.lock(tx, jobId, NO_KEY_UPDATE)
  return present.map(() => ({}))
}

const recordActivity: StatementModel = ({ tx, tables, parameters }) => {
  const [jobIds, lastIds, succeeded, failed, failuresAfter, failures] = parameters as [
    JobId[],
    ExecutionId[],
    (Date | null)[],
    (Date | null)[],
    (number | null)[],
    number[],
  ]
  for (const [index, jobId] of jobIds.entries()) {
    const row = tables.activity.get(tx, jobId)
    if (row === undefined) continue
    tables.activity.update(tx, {
      ...row,
      last_execution_id: lastIds[index] as ExecutionId,
      last_succeeded_at: greatest(row.last_succeeded_at, succeeded[index] ?? null),
      last_failed_at: greatest(row.last_failed_at, failed[index] ?? null),
      consecutive_failures:
        failuresAfter[index] ?? row.consecutive_failures + (failures[index] as number),
    })
  }
  return []
}

const lockWorkers: StatementModel = ({ tx, tables, parameters }) => {
  const [ids, failing] = parameters as [WorkerId[], WorkerId[]]
  const isMeant = (id: WorkerId) => {
    const failures = tables.worker.get(tx, id)?.consecutive_failures
    return failures !== undefined && (failures > 0 || failing.includes(id))
  }
  const locked = [...ids].sort((a, b) => a - b).filter(isMeant)
  for (const id of locked) tables.worker.lock(tx, id, NO_KEY_UPDATE)
  return locked.map((id) => ({ id }))
}

const recordWorkerFailures: StatementModel = ({ tx, tables, parameters }) => {
  const [ids, failuresAfter, failures] = parameters as [WorkerId[], (number | null)[], number[]]
  for (const [index, id] of ids.entries()) {
    const row = tables.worker.get(tx, id)
    if (row === undefined) continue
    const consecutive_failures =
      failuresAfter[index] ?? row.consecutive_failures + (failures[index] as number)
    tables.worker.update(tx, { ...row, consecutive_failures })
  }
  return []
}

const tellDependents: StatementModel = ({ tx, tables, parameters, nextId }) => {
  const [onJobIds] = parameters as [JobId[]]
  const dependents = new Set(
    tables.dependency
      .where(tx, ({ on_job_id }) => onJobIds.includes(on_job_id))
      .map(({ job_id }) => job_id),
  )
  for (const job_id of dependents) tables.check.insert(tx, { id: nextId(), job_id })
  return [...dependents].map((job_id) => ({ job_id }))
}

const lockUnassigned: StatementModel = ({ tx, tables, parameters }) => {
  const [ids] = parameters as [ExecutionId[]]
  const isUnassigned = (row: ExecutionRow | undefined) =>
    row !== undefined && ['waiting', 'queued', 'backoff'].includes(row.state)
  const found = [...ids].sort().filter((id) => isUnassigned(tables.execution.get(tx, id)))
  for (const id of found) tables.execution.lock(tx, id, FOR_UPDATE)
  return found.map((id) => ({ id }))
}

const observeLeases: StatementModel = ({ tx, tables, nowMs }) =>
  tables.session.list(tx).map(({ id, renewals, renewed_at }) => ({
    id,
    renewals,
    age_ms: nowMs - renewed_at.getTime(),
  }))

const endLeases: StatementModel = ({ tx, tables, parameters }) => {
  const [ids, renewals] = parameters as [SessionId[], number[]]
  return ids.flatMap((id, index) => {
    const row = tables.session.get(tx, id)
    if (row === undefined || row.renewals !== renewals[index]) return []
    tables.session.delete(tx, id)
    return [{ sessionId: id, workerId: row.worker_id, renewedAt: row.renewed_at }]
  })
}

const recordLastHeard: StatementModel = ({ tx, tables, parameters }) => {
  const [ids, times] = parameters as [WorkerId[], Date[]]
  for (const [index, id] of ids.entries()) {
    const row = tables.worker.get(tx, id)
    if (row !== undefined)
      tables.worker.update(tx, { ...row, last_heartbeat_at: times[index] as Date })
  }
  return []
}

const requestCancel: StatementModel = ({ tx, tables, parameters, now }) => {
  const [force, id, reason] = parameters as [boolean, ExecutionId, string]
  const row = tables.execution.get(tx, id)
  if (row === undefined || !['assigned', 'running'].includes(row.state)) return []
  tables.execution.update(tx, {
    ...row,
    cancel_requested_at: row.cancel_requested_at ?? now,
    cancel_reason: row.cancel_requested_at === null ? reason : row.cancel_reason,
    cancel_force: row.cancel_force || force,
  })
  return [{ id }]
}

function greatest(a: Date | null, b: Date | null): Date | null {
  if (a === null || b === null) return a ?? b
  return a > b ? a : b
}

export const SETTLE_STATEMENTS: Readonly<Record<string, StatementModel>> = {
  lockReported,
  lockOfSessions,
  insertAttempts,
  settleExecutions,
  settleSucceeded,
  retryExecutions,
  requeueExecutions,
  lockActivities,
  recordActivity,
  lockWorkers,
  recordWorkerFailures,
  tellDependents,
  lockUnassigned,
  observeLeases,
  endLeases,
  recordLastHeard,
  requestCancel,
}
