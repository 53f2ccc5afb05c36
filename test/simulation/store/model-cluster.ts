/** What the statements of coordinator/cluster/ and coordinator/events/ do. Events are told to nobody here. */
import type { CoordinatorRow, StatementModel } from './schema.ts'
import { FOR_UPDATE } from './versioned-table.ts'

const renewCoordinator: StatementModel = ({ tx, tables, parameters, nowMs, now }) => {
  const [
    id,
    address,
    version,
    protocol_versions,
    session_count,
    is_draining,
    ,
    forgetMs,
    ,
    aliveMs,
  ] = parameters as [
    string,
    string,
    string,
    number[],
    number,
    boolean,
    string,
    number,
    string,
    number,
  ]
  const others = tables.coordinator.where(tx, (row) => row.id !== id)
  const before = tables.coordinator.get(tx, id)
  const row: CoordinatorRow = {
    started_at: now,
    version,
    protocol_versions,
    ...before,
    id,
    address,
    session_count,
    is_draining,
    renewed_at: now,
  }
  if (before === undefined) tables.coordinator.insert(tx, row)
  else tables.coordinator.update(tx, row)
  for (const other of others) {
    if (nowMs - other.renewed_at.getTime() <= forgetMs) continue
    if (tables.coordinator.tryLock(tx, other.id, FOR_UPDATE))
      tables.coordinator.delete(tx, other.id)
  }
  return others
    .filter(({ renewed_at }) => nowMs - renewed_at.getTime() < aliveMs)
    .sort((a, b) => a.started_at.getTime() - b.started_at.getTime() || (a.id < b.id ? -1 : 1))
    .map((other) => ({ ...other, silent_ms: Math.max(0, nowMs - other.renewed_at.getTime()) }))
}

const deleteCoordinator: StatementModel = ({ tx, tables, parameters }) => {
  const [id] = parameters as [string]
  if (tables.coordinator.get(tx, id) !== undefined) tables.coordinator.delete(tx, id)
  return []
}

const tellNobody: StatementModel = () => []

export const CLUSTER_STATEMENTS: Readonly<Record<string, StatementModel>> = {
  renewCoordinator,
  deleteCoordinator,
  recordJobEvents: tellNobody,
  recordWorkerEvents: tellNobody,
}
