/** What the statements of coordinator/dispatch/dispatch-queries.ts do. */
import type { ExecutionId, SessionId, WorkerId } from '../../../coordinator/job/execution.ts'
import { isGivenUp, type SessionRow, type StatementModel } from './schema.ts'
import { Blocked, FOR_UPDATE } from './versioned-table.ts'

const lockSessionStart: StatementModel = ({ tx, tables, parameters }) => {
  tables.advisory.lock(tx, `session/${String(parameters[0])}`, FOR_UPDATE)
  return [{}]
}

const deleteSessions: StatementModel = ({ tx, tables, parameters }) => {
  const [workerId] = parameters as [WorkerId]
  const gone = tables.session.where(tx, ({ worker_id }) => worker_id === workerId)
  for (const { id } of gone) tables.session.delete(tx, id)
  return gone.map(({ id, hello_order }) => ({ id, hello_order }))
}

/** A worker has one session: the unique index makes a second one wait for the first one's transaction, and fail. */
const insertSession: StatementModel = ({ tx, tables, parameters, now }) => {
  const [id, worker_id, coordinator_id, hello_order] = parameters as [
    SessionId,
    WorkerId,
    string,
    number,
  ]
  for (const other of tables.session.othersPending(tx)) {
    const isMeant = other.before?.worker_id === worker_id || other.after?.worker_id === worker_id
    if (isMeant) throw new Blocked(other.tx)
  }
  if (tables.session.list(tx).some((row) => row.worker_id === worker_id)) {
    const violation = new Error('duplicate key value violates unique constraint')
    throw Object.assign(violation, { code: '23505', constraint: 'session_worker_id_key' })
  }
  const row: SessionRow = {
    id,
    worker_id,
    coordinator_id,
    started_at: now,
    renewals: 0,
    renewed_at: now,
    load_ratio: 0,
    clock_skew_ms: 0,
    cpu_ratio: 0,
    memory_ratio: 0,
    disk_ratio: 0,
    event_loop_delay_ms: 0,
    hello_order,
  }
  tables.session.insert(tx, row)
  return []
}

const adoptHeld: StatementModel = ({ tx, tables, parameters, now }) => {
  const [to, ids, epochs, from] = parameters as [SessionId, ExecutionId[], number[], SessionId[]]
  return ids.flatMap((id, index) => {
    const row = tables.execution.get(tx, id)
    const isOurs =
      row?.epoch === epochs[index] && row?.session_id != null && from.includes(row.session_id)
    if (!isOurs || row === undefined) return []
    tables.execution.update(tx, { ...row, session_id: to, accepted_at: row.accepted_at ?? now })
    return [{ id }]
  })
}

const requeueUnaccepted: StatementModel = ({ tx, tables, parameters }) => {
  const [sessionIds, from] = parameters as [SessionId[], readonly string[]]
  const rows = tables.execution.where(tx, (row) => {
    const isTheirs = row.session_id !== null && sessionIds.includes(row.session_id)
    const isUntouched = row.accepted_at === null && row.cancel_requested_at === null
    return isTheirs && from.includes(row.state) && isUntouched
  })
  for (const row of rows) {
    tables.execution.update(tx, {
      ...row,
      state: 'queued',
      attempt: row.attempt - 1,
      worker_id: null,
      session_id: null,
      assigned_at: null,
    })
  }
  return rows.map(({ id }) => ({ id }))
}

const readInFlight: StatementModel = ({ tx, tables, parameters }) => {
  const [sessionId] = parameters as [SessionId]
  const slotsOf = new Map(tables.class.list(tx).map(({ id, slots }) => [id, slots]))
  return tables.execution
    .where(tx, ({ session_id }) => session_id === sessionId)
    .map(({ id, epoch, class_id }) => ({ id, epoch, slots: slotsOf.get(class_id) ?? 1 }))
}

const renewLeases: StatementModel = ({ tx, tables, parameters, now }) => {
  const [ids, heard, loads, skews, cpus, memories, disks, delays] = parameters as [
    SessionId[],
    boolean[],
    ...number[][],
  ]
  return ids.flatMap((id, index) => {
    const row = tables.session.get(tx, id)
    if (row === undefined) return []
    const at = (column: readonly number[] | undefined) => column?.[index] as number
    const is_renewed = heard[index] === true
    if (is_renewed) {
      tables.session.update(tx, {
        ...row,
        renewals: row.renewals + 1,
        renewed_at: now,
        load_ratio: at(loads),
        clock_skew_ms: at(skews),
        cpu_ratio: at(cpus),
        memory_ratio: at(memories),
        disk_ratio: at(disks),
        event_loop_delay_ms: at(delays),
      })
    }
    const revision = tables.worker.get(tx, row.worker_id)?.revision
    return [{ id, is_renewed, revision }]
  })
}

const readPendingControl: StatementModel = ({ tx, tables, parameters, nowMs }) => {
  const [acceptMs, sessionIds] = parameters as [number, SessionId[]]
  return tables.execution.list(tx).flatMap((row) => {
    if (row.session_id === null || !sessionIds.includes(row.session_id)) return []
    const is_unaccepted =
      row.state === 'assigned' &&
      row.accepted_at === null &&
      (row.assigned_at?.getTime() ?? 0) < nowMs - acceptMs
    const is_cancel_requested = row.cancel_requested_at !== null
    const worker = tables.worker.get(tx, row.worker_id as WorkerId)
    const is_given_up = isGivenUp(worker, nowMs)
    return is_unaccepted || is_cancel_requested || is_given_up
      ? [{ ...row, is_unaccepted, is_given_up, is_cancel_requested }]
      : []
  })
}

export const DISPATCH_STATEMENTS: Readonly<Record<string, StatementModel>> = {
  lockSessionStart,
  deleteSessions,
  insertSession,
  adoptHeld,
  requeueUnaccepted,
  readInFlight,
  renewLeases,
  readPendingControl,
}
