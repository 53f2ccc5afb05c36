/** What the statements of coordinator/schedule/schedule-queries.ts do. */
import type { ExecutionId, JobId } from '../../../coordinator/job/execution.ts'
import type { Decision } from '../../../coordinator/store/schedule-tables.ts'
import type { ScheduleRow, StatementModel } from './schema.ts'
import { FOR_UPDATE, NO_KEY_UPDATE } from './versioned-table.ts'

const lockDueSchedules: StatementModel = ({ tx, tables, parameters, nowMs, now }) => {
  const [limit] = parameters as [number]
  const due = tables.schedule.where(tx, (row) => row.due_at.getTime() <= nowMs)
  const rows: ScheduleRow[] = []
  for (const row of due.sort(byDue)) {
    if (rows.length === limit) break
    if (tables.schedule.tryLock(tx, row.job_id, FOR_UPDATE)) rows.push(row)
  }
  return rows.map((row) => ({ ...row, frozen_until: null, now }))
}

const nextDueMs: StatementModel = ({ tx, tables, nowMs }) => {
  const [first] = tables.schedule.list(tx).sort(byDue)
  return first === undefined ? [] : [{ wait_ms: first.due_at.getTime() - nowMs }]
}

const insertOccurrences: StatementModel = ({ tx, tables, parameters, now }) => {
  const [jobIds, times, decisions, reasons, executionIds, freezeIds] = parameters as [
    JobId[],
    Date[],
    Decision[],
    string[],
    (ExecutionId | null)[],
    (number | null)[],
  ]
  const inserted: object[] = []
  for (const [index, job_id] of jobIds.entries()) {
    const scheduled_for = times[index] as Date
    const isNew = tables.occurrence.insert(tx, {
      job_id,
      scheduled_for,
      decided_at: now,
      decision: decisions[index] as Decision,
      reason: reasons[index] as string,
      execution_id: executionIds[index] ?? null,
      freeze_id: freezeIds[index] ?? null,
    })
    if (isNew) inserted.push({ job_id, scheduled_for })
  }
  return inserted
}

const advanceSchedules: StatementModel = ({ tx, tables, parameters }) => {
  const [jobIds, marks, dues, runs] = parameters as [JobId[], Date[], Date[], (Date | null)[]]
  for (const [index, jobId] of jobIds.entries()) {
    const row = tables.schedule.get(tx, jobId)
    const marked_at = marks[index] as Date
    if (row === undefined || row.marked_at > marked_at) continue
    const run_at = runs[index] ?? null
    tables.schedule.update(tx, { ...row, marked_at, due_at: dues[index] as Date, run_at })
  }
  return []
}

const recordLastDue: StatementModel = ({ tx, tables, parameters }) => {
  const [jobIds, times] = parameters as [JobId[], (Date | null)[]]
  for (const [index, jobId] of jobIds.entries()) {
    const last_due_at = times[index] ?? null
    const row = tables.activity.get(tx, jobId)
    if (row !== undefined && last_due_at !== null)
      tables.activity.update(tx, { ...row, last_due_at })
  }
  return []
}

const endSchedules: StatementModel = ({ tx, tables, parameters, nextId }) => {
  const [jobIds] = parameters as [JobId[]]
  for (const job_id of jobIds) {
    if (tables.schedule.get(tx, job_id) === undefined) continue
    tables.schedule.delete(tx, job_id)
    tables.scheduleEnd.insert(tx, { id: nextId(), job_id })
  }
  return []
}

const takeEndedSchedules: StatementModel = ({ tx, tables, parameters }) => {
  const [limit] = parameters as [number]
  const taken: object[] = []
  for (const row of tables.scheduleEnd.list(tx).sort((a, b) => a.id - b.id)) {
    if (taken.length === limit) break
    if (!tables.scheduleEnd.tryLock(tx, row.id, FOR_UPDATE)) continue
    tables.scheduleEnd.delete(tx, row.id)
    taken.push({ job_id: row.job_id })
  }
  return taken
}

const lockActiveJobs: StatementModel = ({ tx, tables, parameters }) => {
  const [jobIds] = parameters as [JobId[]]
  const active = jobIds.filter((id) => tables.job.get(tx, id)?.state === 'active')
  for (const id of active.sort((a, b) => a - b)) tables.job.lock(tx, id, NO_KEY_UPDATE)
  return active.map((id) => ({ id }))
}

const completeJobs: StatementModel = ({ tx, tables, parameters, now }) => {
  const [jobIds] = parameters as [JobId[]]
  const completed: object[] = []
  for (const id of jobIds) {
    const row = tables.job.get(tx, id)
    const spec = row && tables.jobVersion.get(tx, `${id}/${row.version}`)?.spec
    if (row === undefined || spec?.['schedule'] === undefined) continue
    if (tables.schedule.get(tx, id) !== undefined) continue
    const revision = row.revision + 1
    tables.job.update(tx, { ...row, state: 'completed', revision, updated_at: now })
    completed.push({ id })
  }
  return completed
}

const countSkips: StatementModel = ({ tx, tables, parameters }) => {
  const [jobIds, left] = parameters as [JobId[], number[]]
  for (const [index, jobId] of jobIds.entries()) {
    const row = tables.schedule.get(tx, jobId)
    if (row !== undefined) tables.schedule.update(tx, { ...row, skip_left: left[index] ?? 0 })
  }
  return []
}

const endPauses: StatementModel = ({ tx, tables, parameters }) => {
  const [jobIds] = parameters as [JobId[]]
  for (const jobId of jobIds) {
    const row = tables.schedule.get(tx, jobId)
    const ended = { is_paused: false, resume_at: null, pause_note: '' }
    if (row !== undefined) tables.schedule.update(tx, { ...row, ...ended })
  }
  return []
}

const resumeJobs: StatementModel = ({ tx, tables, parameters, now }) => {
  const [jobIds] = parameters as [JobId[]]
  const resumed: object[] = []
  for (const jobId of jobIds) {
    const row = tables.job.get(tx, jobId)
    if (row?.state !== 'paused') continue
    const active = { state: 'active' as const, pause_reason: '', paused_by: '', resume_at: null }
    tables.job.update(tx, { ...row, ...active, revision: row.revision + 1, updated_at: now })
    resumed.push({ id: jobId })
  }
  return resumed
}

/** There are no freezes here. */
const nextThawMs: StatementModel = () => []

function byDue(a: ScheduleRow, b: ScheduleRow): number {
  return a.due_at.getTime() - b.due_at.getTime()
}

export const SCHEDULE_STATEMENTS: Readonly<Record<string, StatementModel>> = {
  lockDueSchedules,
  nextDueMs,
  insertOccurrences,
  advanceSchedules,
  recordLastDue,
  endSchedules,
  takeEndedSchedules,
  lockActiveJobs,
  completeJobs,
  countSkips,
  endPauses,
  resumeJobs,
  nextThawMs,
}
