/** What the statements of coordinator/enqueue/ do. */
import type {
  Epoch,
  ExecutionId,
  Guarantee,
  JobId,
  SessionId,
  Trigger,
  WorkerId,
} from '../../../coordinator/job/execution.ts'
import { holdLive } from './model-match.ts'
import { type ExecutionRow, INFINITY, type StatementModel } from './schema.ts'
import { FOR_UPDATE } from './versioned-table.ts'

type NewState = 'waiting' | 'queued'

const insertExecutions: StatementModel = ({ tx, tables, parameters, nowMs, now, nextEpoch }) => {
  const [
    sessionIds,
    ids,
    jobIds,
    versions,
    states,
    reasons,
    triggers,
    priorities,
    classIds,
    guarantees,
    ...rest
  ] = parameters as [
    SessionId[],
    ExecutionId[],
    JobId[],
    number[],
    NewState[],
    string[],
    Trigger[],
    number[],
    number[],
    Guarantee[],
    ...unknown[],
  ]
  const [times, availables, deadlines, parameterTexts, requesters, maxima, ...placed] = rest as [
    (Date | null)[],
    (Date | 'infinity' | null)[],
    (number | null)[],
    string[],
    string[],
    number[],
    ...unknown[],
  ]
  const [gates, sessions, workers] = placed as [
    (string | null)[],
    (SessionId | null)[],
    (WorkerId | null)[],
  ]
  const held = holdLive({ tx, tables }, [...sessionIds].sort())
  const assigned: { id: ExecutionId; epoch: Epoch; assigned_ms: number }[] = []
  for (const [index, id] of ids.entries()) {
    const available = availables[index]
    const deadlineMs = deadlines[index] ?? null
    const fromMs =
      times[index]?.getTime() ?? (available instanceof Date ? available.getTime() : nowMs)
    const at = <T>(column: readonly T[]) => column[index] as T
    const session = at(sessions)
    const isHeld = session !== null && held.has(session)
    const owner = isHeld ? ownerOf(session, at(workers), { now, nextEpoch }) : undefined
    tables.execution.insert(tx, {
      ...EMPTY_EXECUTION,
      id,
      job_id: at(jobIds),
      job_version: at(versions),
      state: owner === undefined ? at(states) : 'assigned',
      reason_code: at(reasons),
      trigger: at(triggers),
      priority: at(priorities),
      class_id: at(classIds),
      guarantee: at(guarantees),
      scheduled_for: at(times),
      created_at: now,
      available_at: available === 'infinity' ? INFINITY : (available ?? now),
      start_deadline_at: deadlineMs === null ? null : new Date(Math.round(fromMs + deadlineMs)),
      parameters: JSON.parse(at(parameterTexts)),
      requested_by: at(requesters),
      max_attempts: at(maxima),
      gate: at(gates),
      ...owner,
    })
    if (owner !== undefined) assigned.push({ id, epoch: owner.epoch, assigned_ms: nowMs })
  }
  return assigned
}

function ownerOf(
  session_id: SessionId | null,
  worker_id: WorkerId | null,
  { now, nextEpoch }: { readonly now: Date; readonly nextEpoch: () => number },
) {
  if (session_id === null || worker_id === null) return undefined
  return { session_id, worker_id, attempt: 1, epoch: nextEpoch() as Epoch, assigned_at: now }
}

const EMPTY_EXECUTION = {
  reason_message: '',
  replay_of: null,
  attempt: 0,
  failure_count: 0,
  lost_count: 0,
  epoch: 0,
  worker_id: null,
  session_id: null,
  assigned_at: null,
  accepted_at: null,
  started_at: null,
  progress: 0,
  cancel_requested_at: null,
  cancel_reason: '',
  cancel_force: false,
} as const

const readClasses: StatementModel = ({ tx, tables, parameters }) => {
  const [keys] = parameters as [string[]]
  return keys.flatMap((key) => {
    const row = tables.class.get(tx, key)
    return row === undefined ? [] : [{ id: row.id, key }]
  })
}

/** `insert into placement_class (key, capabilities, selector, worker, slots) values ... on conflict (key) do nothing` */
const insertClasses: StatementModel = ({ tx, tables, parameters, nextId }) => {
  for (let index = 0; index < parameters.length; index += 5) {
    const [key, capabilities, selector, worker, slots] = parameters.slice(index) as [
      string,
      string[],
      string,
      string,
      number,
    ]
    tables.class.insert(tx, { id: nextId(), key, capabilities, selector, worker, slots })
  }
  return []
}

const insertDependencyChecks: StatementModel = ({ tx, tables, parameters, nextId }) => {
  const [jobIds] = parameters as [JobId[]]
  for (const job_id of jobIds) tables.check.insert(tx, { id: nextId(), job_id })
  return []
}

const releaseDue: StatementModel = ({ tx, tables, parameters, nowMs, now }) => {
  const [limit, from] = parameters as [number, readonly string[]]
  const due = tables.execution
    .where(tx, (row) => isWaiting(row) && row.available_at.getTime() <= nowMs)
    .sort(byAvailable)
  const released: object[] = []
  for (const row of due) {
    if (released.length === limit) break
    if (!tables.execution.tryLock(tx, row.id, FOR_UPDATE) || !from.includes(row.state)) continue
    const isHeld = row.state === 'waiting' && row.gate !== null
    const state = isHeld ? 'waiting' : 'queued'
    tables.execution.update(tx, {
      ...row,
      state,
      reason_code: isHeld ? row.reason_code : '',
      reason_message: '',
      available_at: isHeld ? INFINITY : now,
    })
    released.push({ state })
  }
  return released
}

const nextReleaseMs: StatementModel = ({ tx, tables, nowMs }) => {
  const [first] = tables.execution
    .where(tx, (row) => isWaiting(row) && row.available_at < INFINITY)
    .sort(byAvailable)
  return first === undefined ? [] : [{ wait_ms: first.available_at.getTime() - nowMs }]
}

const lockPastDeadline: StatementModel = ({ tx, tables, parameters, nowMs }) => {
  const [limit] = parameters as [number]
  const late = tables.execution
    .where(tx, (row) => row.start_deadline_at !== null && row.start_deadline_at.getTime() < nowMs)
    .filter((row) => (isWaiting(row) || row.state === 'queued') && row.attempt === 0)
    .sort((a, b) => (a.start_deadline_at?.getTime() ?? 0) - (b.start_deadline_at?.getTime() ?? 0))
  const locked: object[] = []
  for (const row of late) {
    if (locked.length === limit) break
    if (tables.execution.tryLock(tx, row.id, FOR_UPDATE)) locked.push(row)
  }
  return locked
}

const takeDependencyChecks: StatementModel = ({ tx, tables, parameters }) => {
  const [limit] = parameters as [number]
  const taken: object[] = []
  for (const row of tables.check.list(tx).sort((a, b) => a.id - b.id)) {
    if (taken.length === limit) break
    if (!tables.check.tryLock(tx, row.id, FOR_UPDATE)) continue
    tables.check.delete(tx, row.id)
    taken.push({ job_id: row.job_id })
  }
  return taken
}

const lockDependentJob: StatementModel = ({ tx, tables, parameters }) => {
  const [jobId] = parameters as [JobId]
  const job = tables.job.get(tx, jobId)
  if (job === undefined || !['active', 'completed'].includes(job.state)) return []
  tables.activity.lock(tx, jobId, FOR_UPDATE)
  const dependency_mark = tables.activity.get(tx, jobId)?.dependency_mark
  return [{ id: job.id, version: job.version, dependency_mark }]
}

const readDependencyActivities: StatementModel = ({ tx, tables, parameters, now }) => {
  const [jobId] = parameters as [JobId]
  const on = tables.dependency.where(tx, ({ job_id }) => job_id === jobId)
  return on.flatMap(({ on_job_id }) => {
    const job = tables.job.get(tx, on_job_id)
    const activity = tables.activity.get(tx, on_job_id)
    if (job === undefined || activity === undefined) return []
    const { last_succeeded_at, last_failed_at } = activity
    return [{ name: job.name, last_succeeded_at, last_failed_at, now }]
  })
}

const lockWaitingForDependencies: StatementModel = ({ tx, tables, parameters }) => {
  const [jobId] = parameters as [JobId]
  const isMeant = (row: ExecutionRow | undefined) =>
    row?.job_id === jobId && row.state === 'waiting' && row.reason_code === 'DEPENDENCY'
  const waiting = tables.execution.where(tx, isMeant).sort(byCreation)
  for (const { id } of waiting) tables.execution.lock(tx, id, FOR_UPDATE)
  return waiting.map(({ id }) => ({ id }))
}

const releaseWaiting: StatementModel = ({ tx, tables, parameters, now }) => {
  const [ids] = parameters as [ExecutionId[]]
  for (const id of ids) {
    const row = tables.execution.get(tx, id)
    if (row?.state !== 'waiting') continue
    tables.execution.update(tx, {
      ...row,
      state: 'queued',
      reason_code: '',
      reason_message: '',
      available_at: now,
    })
  }
  return []
}

const describeWaiting: StatementModel = ({ tx, tables, parameters }) => {
  const [reason_message, ids] = parameters as [string, ExecutionId[]]
  for (const id of ids) {
    const row = tables.execution.get(tx, id)
    if (row?.state !== 'waiting' || row.reason_message === reason_message) continue
    tables.execution.update(tx, { ...row, reason_message })
  }
  return []
}

const advanceDependencyMark: StatementModel = ({ tx, tables, parameters }) => {
  const [dependency_mark, jobId] = parameters as [Date, JobId]
  const row = tables.activity.get(tx, jobId)
  if (row !== undefined && row.dependency_mark < dependency_mark) {
    tables.activity.update(tx, { ...row, dependency_mark })
  }
  return []
}

function isWaiting({ state }: ExecutionRow): boolean {
  return state === 'waiting' || state === 'backoff'
}

function byAvailable(a: ExecutionRow, b: ExecutionRow): number {
  return a.available_at.getTime() - b.available_at.getTime()
}

function byCreation(a: ExecutionRow, b: ExecutionRow): number {
  return a.created_at.getTime() - b.created_at.getTime() || (a.id < b.id ? -1 : 1)
}

export const ENQUEUE_STATEMENTS: Readonly<Record<string, StatementModel>> = {
  insertExecutions,
  readClasses,
  insertClasses,
  insertDependencyChecks,
  releaseDue,
  nextReleaseMs,
  lockPastDeadline,
  takeDependencyChecks,
  lockDependentJob,
  readDependencyActivities,
  lockWaitingForDependencies,
  releaseWaiting,
  describeWaiting,
  advanceDependencyMark,
}
