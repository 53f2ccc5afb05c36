/** What the statements of coordinator/match/match-queries.ts do. */
import type { ExecutionId, SessionId, WorkerId } from '../../../coordinator/job/execution.ts'
import type { ExecutionRow, StatementModel } from './schema.ts'
import { FOR_UPDATE, KEY_SHARE, NO_KEY_UPDATE } from './versioned-table.ts'

const queuedClasses: StatementModel = ({ tx, tables }) => {
  const used = new Set<number>()
  for (const row of tables.execution.list(tx)) if (row.state === 'queued') used.add(row.class_id)
  if (used.size === 0) return []
  return tables.class
    .where(tx, ({ id }) => used.has(id))
    .map(({ id, capabilities, selector, worker, slots }) => ({
      id,
      capabilities,
      selector,
      worker,
      slots,
    }))
}

const lockQueued: StatementModel = ({ tx, tables, parameters }) => {
  const [classIds, priorities, since, limit] = parameters as [number[], number[], Date[], number]
  const rows = tables.execution.where(tx, ({ state }) => state === 'queued')
  return classIds.flatMap((classId, index) => {
    const heads: ExecutionRow[] = []
    const [least = Number.NaN, from = new Date(Number.NaN)] = [priorities[index], since[index]]
    const own = rows.filter(({ available_at, class_id, priority }) => {
      return class_id === classId && priority >= least && available_at >= from
    })
    for (const row of own.sort(byQueueOrder)) {
      if (heads.length === limit) break
      if (tables.execution.tryLock(tx, row.id, FOR_UPDATE)) heads.push(row)
    }
    return heads.map(({ id, class_id, priority, available_at }) => ({
      id,
      class_id,
      priority,
      available_at,
    }))
  })
}

const holdSessions: StatementModel = ({ tx, tables, parameters }) => {
  const [ids] = parameters as [SessionId[]]
  return [...holdLive({ tx, tables }, ids)].map((id) => ({ id }))
}

/** Of these sessions the ones that live and whose workers take work, held; the insert of new executions does it too. */
export function holdLive(
  { tx, tables }: Pick<Parameters<StatementModel>[0], 'tx' | 'tables'>,
  ids: readonly SessionId[],
): ReadonlySet<SessionId> {
  const held = new Set<SessionId>()
  for (const id of ids) {
    const session = tables.session.get(tx, id)
    const worker = session && tables.worker.get(tx, session.worker_id)
    if (worker?.state !== 'active' || worker.deleted_at !== null) continue
    tables.session.lock(tx, id, KEY_SHARE)
    held.add(id)
  }
  return held
}

const claimQueued: StatementModel = ({ tx, tables, parameters, now, nextEpoch }) => {
  const [ids, workerIds, sessionIds, from] = parameters as [
    ExecutionId[],
    WorkerId[],
    SessionId[],
    readonly string[],
  ]
  const claimed: object[] = []
  for (const [index, id] of ids.entries()) {
    const row = tables.execution.get(tx, id)
    if (row === undefined || !from.includes(row.state)) continue
    const next: ExecutionRow = {
      ...row,
      state: 'assigned',
      epoch: nextEpoch(),
      attempt: row.attempt + 1,
      worker_id: workerIds[index] as WorkerId,
      session_id: sessionIds[index] as SessionId,
      assigned_at: now,
      accepted_at: null,
      reason_code: '',
      reason_message: '',
    }
    tables.execution.update(tx, next)
    claimed.push(claimedColumns(next))
  }
  return claimed
}

const readClaims: StatementModel = ({ tx, tables, parameters }) => {
  const [ids, , sessionIds] = parameters as [ExecutionId[], ExecutionId[], SessionId[]]
  const sessionOf = new Map(ids.map((id, index) => [id, sessionIds[index]]))
  return [...ids].sort().flatMap((id) => {
    tables.execution.lock(tx, id, NO_KEY_UPDATE)
    const row = tables.execution.get(tx, id)
    return row !== undefined && row.session_id === sessionOf.get(id) ? [claimedColumns(row)] : []
  })
}

function claimedColumns(row: ExecutionRow): object {
  const { id, job_id, job_version, attempt, epoch, worker_id, session_id } = row
  const { guarantee, scheduled_for, parameters } = row
  return {
    id,
    job_id,
    job_version,
    attempt,
    epoch,
    worker_id,
    session_id,
    guarantee,
    scheduled_for,
    parameters,
  }
}

function byQueueOrder(a: ExecutionRow, b: ExecutionRow): number {
  return (
    b.priority - a.priority ||
    a.available_at.getTime() - b.available_at.getTime() ||
    (a.id < b.id ? -1 : 1)
  )
}

export const MATCH_STATEMENTS: Readonly<Record<string, StatementModel>> = {
  queuedClasses,
  lockQueued,
  holdSessions,
  claimQueued,
  readClaims,
}
