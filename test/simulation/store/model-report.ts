/** What the statements of coordinator/report/report-queries.ts do. */
import type { ExecutionId, SessionId } from '../../../coordinator/job/execution.ts'
import type { ExecutionRow, StatementContext, StatementModel } from './schema.ts'

const recordAccepted: StatementModel = (context) => {
  const { tx, tables, now, parameters } = context
  const [ids, epochs, sessionId] = parameters as [ExecutionId[], number[], SessionId]
  return currentOf(context, { ids, epochs, sessionId }).map((row) => {
    tables.execution.update(tx, { ...row, accepted_at: row.accepted_at ?? now })
    return { id: row.id }
  })
}

const recordStarted: StatementModel = (context) => {
  const { tx, tables, now, parameters } = context
  const [ids, epochs, sessionId, from] = parameters as [
    ExecutionId[],
    number[],
    SessionId,
    readonly string[],
  ]
  const current = currentOf(context, { ids, epochs, sessionId })
  const running = current.filter(({ state }) => state === 'running')
  const startable = current.filter(({ state }) => from.includes(state))
  for (const row of startable) {
    tables.execution.update(tx, {
      ...row,
      state: 'running',
      started_at: now,
      accepted_at: row.accepted_at ?? now,
    })
  }
  return [...startable, ...running].map(({ id }) => ({ id }))
}

const recordProgress: StatementModel = (context) => {
  const { tx, tables, parameters } = context
  const [ids, epochs, values, sessionId] = parameters as [
    ExecutionId[],
    number[],
    number[],
    SessionId,
  ]
  const current = currentOf(context, { ids, epochs, sessionId })
  const running = current.filter(({ state }) => state === 'running')
  for (const row of running) {
    tables.execution.update(tx, { ...row, progress: values[ids.indexOf(row.id)] as number })
  }
  return running.map(({ id }) => ({ id }))
}

const insertLateReports: StatementModel = ({ tx, tables, parameters, now }) => {
  const [worker, ids, epochs, outcomes, exitCodes, messages] = parameters as [
    string,
    ExecutionId[],
    number[],
    string[],
    (number | null)[],
    string[],
  ]
  const isMeant = new Set<string>(ids)
  const lost = tables.attempt.where(
    tx,
    (row) => row.worker === worker && row.outcome === 'lost' && isMeant.has(row.execution_id),
  )
  return ids.flatMap((execution_id, index) => {
    const epoch = epochs[index] as number
    const isEvidence = lost.some(
      (attempt) => attempt.execution_id === execution_id && attempt.epoch === epoch,
    )
    if (!isEvidence) return []
    const isNew = tables.lateReport.insert(tx, {
      execution_id,
      epoch,
      worker,
      outcome: outcomes[index] as string,
      exit_code: exitCodes[index] ?? null,
      message: messages[index] as string,
      received_at: now,
    })
    return isNew ? [{ execution_id }] : []
  })
}

const isLiveSession: StatementModel = ({ tx, tables, parameters }) => {
  const [sessionId] = parameters as [SessionId]
  return tables.session.get(tx, sessionId) === undefined ? [] : [{}]
}

interface Refs {
  readonly ids: readonly ExecutionId[]
  readonly epochs: readonly number[]
  readonly sessionId: SessionId
}

/** Rows of these ids whose epoch and session are the ones that are named. */
function currentOf({ tx, tables }: StatementContext, refs: Refs): ExecutionRow[] {
  return refs.ids.flatMap((id, index) => {
    const row = tables.execution.get(tx, id)
    return row?.epoch === refs.epochs[index] && row?.session_id === refs.sessionId ? [row] : []
  })
}

export const REPORT_STATEMENTS: Readonly<Record<string, StatementModel>> = {
  recordAccepted,
  recordStarted,
  recordProgress,
  insertLateReports,
  isLiveSession,
}
