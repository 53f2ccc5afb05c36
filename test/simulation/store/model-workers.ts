/** What the statements about workers do: coordinator/workers/ and the orders that sessions follow. */
import type { SessionId, WorkerId } from '../../../coordinator/job/execution.ts'
import type { StatementContext, StatementModel, WorkerRow } from './schema.ts'
import { FOR_UPDATE } from './versioned-table.ts'

/** What the coordinators know of a worker beside what its agent says. */
function ordersOf(row: WorkerRow, nowMs: number): object {
  const { id, name, state, revision, consecutive_failures } = row
  const labels = { ...row.agent_labels, ...row.granted_labels, ...row.operator_labels }
  const set = Object.entries(labels).filter(([, value]) => value !== null)
  return {
    id,
    name,
    state,
    revision,
    consecutive_failures,
    labels: Object.fromEntries(set),
    slots: Math.min(row.slots, row.slot_limit ?? row.slots),
    drain_left_ms: row.drain_deadline_at === null ? null : row.drain_deadline_at.getTime() - nowMs,
  }
}

const updateWorker: StatementModel = ({ tx, tables, parameters, now, nowMs }) => {
  const [capabilities, handlers, labels, slots, hostname, platform, agent_version, boot_id, id] =
    parameters as [string[], string[], string, number, string, string, string, string, WorkerId]
  const row = tables.worker.get(tx, id)
  if (row === undefined || row.deleted_at !== null) return []
  const next: WorkerRow = {
    ...row,
    capabilities,
    handlers,
    agent_labels: JSON.parse(labels),
    slots,
    hostname,
    platform,
    agent_version,
    boot_id,
    connected_at: now,
  }
  tables.worker.update(tx, next)
  return [ordersOf(next, nowMs)]
}

/** Kept for the view of operators alone. */
const recordConnection: StatementModel = () => []

const readWorkerOrders: StatementModel = ({ tx, tables, parameters, nowMs }) => {
  const [ids] = parameters as [WorkerId[]]
  const rows = tables.worker.list(tx).filter(({ id }) => ids.includes(id))
  return rows.map((row) => ordersOf(row, nowMs))
}

function hasNothing({ tx, tables }: StatementContext, workerId: WorkerId): boolean {
  const sessions = tables.session.list(tx).filter(({ worker_id }) => worker_id === workerId)
  const ids = new Set<SessionId | null>(sessions.map(({ id }) => id))
  return !tables.execution
    .list(tx)
    .some(({ session_id }) => session_id !== null && ids.has(session_id))
}

const readSettledWorkers: StatementModel = (context) => {
  const { tx, tables } = context
  return tables.worker
    .list(tx)
    .filter(({ state, deleted_at }) => state === 'draining' || deleted_at !== null)
    .filter(({ id }) => hasNothing(context, id))
    .map(({ id, deleted_at }) => ({ id, is_deleted: deleted_at !== null }))
}

const lockSessionsOf: StatementModel = ({ tx, tables, parameters }) => {
  const [ids] = parameters as [WorkerId[]]
  const sessions = tables.session.list(tx).filter(({ worker_id }) => ids.includes(worker_id))
  for (const { id } of sessions.sort((a, b) => (a.id < b.id ? -1 : 1))) {
    tables.session.lock(tx, id, FOR_UPDATE)
  }
  return sessions.map(() => ({}))
}

const setDrained: StatementModel = (context) => {
  const { tx, tables, parameters, now } = context
  const [ids] = parameters as [WorkerId[]]
  return ids.flatMap((id) => {
    const row = tables.worker.get(tx, id)
    if (row?.state !== 'draining' || row.deleted_at !== null || !hasNothing(context, id)) return []
    const { name, revision } = row
    tables.worker.update(tx, { ...row, state: 'drained', state_at: now, revision: revision + 1 })
    return [{ id, name }]
  })
}

export const WORKER_STATEMENTS: Readonly<Record<string, StatementModel>> = {
  updateWorker,
  recordConnection,
  readWorkerOrders,
  readSettledWorkers,
  lockSessionsOf,
  setDrained,
}
