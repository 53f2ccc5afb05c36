/** What the statements of coordinator/report/report-queries.ts do. */
import type { ExecutionId, SessionId } from '../../../coordinator/job/execution.ts'
import type { ExecutionRow, StatementContext, StatementModel } from './schema.ts'
import { KEY_SHARE } from './versioned-table.ts'

const recordAccepted: StatementModel = (context) => {
  const { tx, tables, now, parameters } = context
  const [ids, epochs, sessionIds] = parameters as [ExecutionId[], number[], SessionId[]]
  return currentOf(context, { ids, epochs, sessionIds }).map((row) => {
    tables.execution.update(tx, { ...row, accepted_at: row.accepted_at ?? now })
    return movedRow(row)
  })
}

const recordStarted: StatementModel = (context) => {
  const { tx, tables, now, parameters } = context
  const [ids, epochs, sessionIds, from] = parameters as [
    ExecutionId[],
    number[],
    SessionId[],
    readonly string[],
  ]
  const current = currentOf(context, { ids, epochs, sessionIds })
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
  return [...startable, ...running].map(movedRow)
}

const recordProgress: StatementModel = (context) => {
  const { tx, tables, parameters } = context
  const [ids, epochs, sessionIds, values] = parameters as [
    ExecutionId[],
    number[],
    SessionId[],
    number[],
  ]
  const current = currentOf(context, { ids, epochs, sessionIds })
  const running = current.filter(({ state }) => state === 'running')
  for (const row of running) {
    tables.execution.update(tx, { ...row, progress: values[ids.indexOf(row.id)] as number })
  }
  return running.map(movedRow)
}

const insertLateReports: StatementModel = ({ tx, tables, parameters, now }) => {
  const [ids, epochs, workers, outcomes, exitCodes, messages] = parameters as [
    ExecutionId[],
    number[],
    string[],
    string[],
    (number | null)[],
    string[],
  ]
  const isMeant = new Set<string>(ids)
  const lost = tables.attempt.where(
    tx,
    (row) => row.outcome === 'lost' && isMeant.has(row.execution_id),
  )
  return ids.flatMap((execution_id, index) => {
    const epoch = epochs[index] as number
    const worker = workers[index] as string
    const isEvidence = lost.some(
      (attempt) =>
        attempt.execution_id === execution_id &&
        attempt.epoch === epoch &&
        attempt.worker === worker,
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

const holdReporting: StatementModel = ({ tx, tables, parameters }) => {
  const [ids] = parameters as [SessionId[]]
  const live = [...ids].sort().filter((id) => tables.session.get(tx, id) !== undefined)
  for (const id of live) tables.session.lock(tx, id, KEY_SHARE)
  return live.map((id) => ({ id }))
}

interface Refs {
  readonly ids: readonly ExecutionId[]
  readonly epochs: readonly number[]
  readonly sessionIds: readonly SessionId[]
}

/** Rows of these ids whose epoch and session are the ones that are named. */
function currentOf({ tx, tables }: StatementContext, refs: Refs): ExecutionRow[] {
  return refs.ids.flatMap((id, index) => {
    const row = tables.execution.get(tx, id)
    const isOwn = row?.epoch === refs.epochs[index] && row?.session_id === refs.sessionIds[index]
    return row !== undefined && isOwn ? [row] : []
  })
}

function movedRow({ id, session_id }: ExecutionRow): object {
  return { executionId: id, sessionId: session_id }
}

export const REPORT_STATEMENTS: Readonly<Record<string, StatementModel>> = {
  recordAccepted,
  recordStarted,
  recordProgress,
  insertLateReports,
  holdReporting,
}
