/** What the statements about workers do: coordinator/workers/ and the orders that sessions follow. */
import type { SessionId, WorkerId } from '../../../coordinator/job/execution.ts'
import type { ExecutionRow, StatementContext, StatementModel, WorkerRow } from './schema.ts'
import { FOR_UPDATE, NO_KEY_UPDATE } from './versioned-table.ts'

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
  const rows = tables.worker.where(tx, ({ id }) => ids.includes(id))
  return rows.map((row) => ordersOf(row, nowMs))
}

function inHand({ tx, tables }: StatementContext, workerId: WorkerId): ExecutionRow[] {
  const sessions = tables.session.where(tx, ({ worker_id }) => worker_id === workerId)
  const ids = new Set<SessionId | null>(sessions.map(({ id }) => id))
  return tables.execution.where(tx, ({ session_id }) => session_id !== null && ids.has(session_id))
}

function hasNothing(context: StatementContext, workerId: WorkerId): boolean {
  return inHand(context, workerId).length === 0
}

const readSettledWorkers: StatementModel = (context) => {
  const { tx, tables } = context
  return tables.worker
    .where(tx, ({ state, deleted_at }) => state === 'draining' || deleted_at !== null)
    .filter(({ id }) => hasNothing(context, id))
    .map(({ id, deleted_at }) => ({ id, is_deleted: deleted_at !== null }))
}

const lockSessionsOf: StatementModel = ({ tx, tables, parameters }) => {
  const [ids] = parameters as [WorkerId[]]
  const sessions = tables.session.where(tx, ({ worker_id }) => ids.includes(worker_id))
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

const lockWorker: StatementModel = ({ tx, tables, parameters }) => {
  const [name] = parameters as [string]
  const row = tables.worker.list(tx).find((each) => each.name === name && each.deleted_at === null)
  if (row === undefined) return []
  tables.worker.lock(tx, row.id, NO_KEY_UPDATE)
  return [{ id: row.id, name, state: row.state }]
}

const lockSessionOf: StatementModel = ({ tx, tables, parameters }) => {
  const [name] = parameters as [string]
  const worker = tables.worker.list(tx).find((each) => each.name === name)
  const session = tables.session.list(tx).find(({ worker_id }) => worker_id === worker?.id)
  if (session === undefined || worker?.deleted_at !== null) return []
  tables.session.lock(tx, session.id, FOR_UPDATE)
  return [{ id: session.id }]
}

/** The reason comes three times, the actor once. */
const setCordoned: StatementModel = ({ tx, tables, parameters, now }) => {
  const [reason, , , actor, id] = parameters as [string, string, string, string, WorkerId]
  const row = tables.worker.get(tx, id)
  if (row === undefined || !['active', 'cordoned'].includes(row.state)) return []
  const isAgain = row.state === 'cordoned' && reason === ''
  tables.worker.update(tx, {
    ...row,
    state: 'cordoned',
    state_reason: isAgain ? row.state_reason : reason,
    state_actor: isAgain ? row.state_actor : actor,
    state_at: row.state === 'cordoned' ? row.state_at : now,
    revision: row.revision + 1,
  })
  return []
}

/** The reason comes three times, the actor once. */
const setDraining: StatementModel = (context) => {
  const { tx, tables, parameters, now, nowMs } = context
  const [reason, , , actor, deadlineMs, id] = parameters as [
    string,
    string,
    string,
    string,
    number | null,
    WorkerId,
  ]
  const row = tables.worker.get(tx, id)
  if (row === undefined || !['active', 'cordoned', 'draining'].includes(row.state)) return []
  const isOn = row.state === 'draining'
  const isAgain = isOn && reason === ''
  tables.worker.update(tx, {
    ...row,
    state: 'draining',
    state_reason: isAgain ? row.state_reason : reason,
    state_actor: isAgain ? row.state_actor : actor,
    state_at: isOn ? row.state_at : now,
    drain_started_at: row.drain_started_at ?? now,
    drain_deadline_at: deadlineMs === null ? null : new Date(Math.round(nowMs + deadlineMs)),
    drain_initial: isOn ? row.drain_initial : inHand(context, id).length,
    revision: row.revision + 1,
  })
  return []
}

const setActive: StatementModel = ({ tx, tables, parameters, now }) => {
  const [actor, id] = parameters as [string, WorkerId]
  const row = tables.worker.get(tx, id)
  if (row === undefined) return []
  tables.worker.update(tx, {
    ...row,
    state: 'active',
    state_at: row.state === 'active' ? row.state_at : now,
    state_actor: row.state === 'active' ? row.state_actor : actor,
    state_reason: '',
    consecutive_failures: 0,
    drain_started_at: null,
    drain_deadline_at: null,
    drain_initial: 0,
    revision: row.revision + 1,
  })
  return []
}

export const WORKER_STATEMENTS: Readonly<Record<string, StatementModel>> = {
  updateWorker,
  recordConnection,
  readWorkerOrders,
  readSettledWorkers,
  lockSessionsOf,
  setDrained,
  lockWorker,
  lockSessionOf,
  setCordoned,
  setDraining,
  setActive,
}
