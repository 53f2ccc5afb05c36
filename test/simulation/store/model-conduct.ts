/**
 * What the statements of coordinator/conduct/ and the judging part of coordinator/workers/ do. Nobody is kept out by a
 * quarantine here: there is no authentication.
 */
import type { ExecutionId, WorkerId } from '../../../coordinator/job/execution.ts'
import type { AttemptRow, StatementModel, WorkerRow } from './schema.ts'
import { FOR_UPDATE } from './versioned-table.ts'

const classifyAttempts: StatementModel = ({ tx, tables, parameters, lastEpoch }) => {
  const [lostMax, workerId, workerName, ids, epochs] = parameters as [
    number,
    WorkerId,
    string,
    ExecutionId[],
    number[],
  ]
  const attempts = tables.attempt.list(tx)
  const kindOf = (id: ExecutionId, epoch: number) => {
    if (epoch > lastEpoch() + lostMax) return 'impossible'
    const row = tables.execution.get(tx, id)
    const owner = row?.epoch === epoch ? row.worker_id : null
    const workers = attempts
      .filter((each) => each.execution_id === id && each.epoch === epoch)
      .map(({ worker }) => worker)
    if (owner === workerId || workers.includes(workerName)) return 'stale'
    return owner !== null || workers.length > 0 ? 'foreign' : 'unknown'
  }
  const kinds = Map.groupBy(ids.keys(), (index) =>
    kindOf(ids[index] as ExecutionId, epochs[index] as number),
  )
  return [...kinds].map(([kind, found]) => ({
    kind,
    count: found.length,
    example: found.map((index) => ids[index]).sort()[0],
  }))
}

const addRefusals: StatementModel = ({ tx, tables, parameters }) => {
  const [ids, refused, stale] = parameters as [WorkerId[], number[], number[]]
  for (const [index, id] of ids.entries()) {
    const row = tables.worker.get(tx, id)
    if (row === undefined) continue
    tables.worker.update(tx, {
      ...row,
      refused_messages: row.refused_messages + (refused[index] as number),
      stale_messages: row.stale_messages + (stale[index] as number),
    })
  }
  return []
}

const quarantineWorker: StatementModel = ({ tx, tables, parameters, nowMs }) => {
  const [, evidence, worker_id, lengthsMs] = parameters as [number, string, WorkerId, number[]]
  const worker = tables.worker.get(tx, worker_id)
  if (worker === undefined) return []
  const before = tables.quarantine.get(tx, worker_id)
  const count = (before?.count ?? 0) + 1
  const lengthMs = lengthsMs[Math.min(count, lengthsMs.length) - 1] as number
  const row = { worker_id, count, evidence, until: new Date(Math.round(nowMs + lengthMs)) }
  if (before === undefined) tables.quarantine.insert(tx, row)
  else tables.quarantine.update(tx, row)
  return [{ name: worker.name, state: worker.state, count }]
}

const liftQuarantine: StatementModel = ({ tx, tables, parameters }) => {
  const [workerId] = parameters as [WorkerId]
  if (tables.quarantine.get(tx, workerId) !== undefined) tables.quarantine.delete(tx, workerId)
  return []
}

const readDoubtful: StatementModel = ({ tx, tables, parameters }) => {
  const [failuresMin, limit] = parameters as [number, number]
  const connected = new Set(tables.session.list(tx).map(({ worker_id }) => worker_id))
  return tables.worker
    .where(tx, (row) => row.state === 'active' && row.deleted_at === null && connected.has(row.id))
    .filter(({ consecutive_failures }) => consecutive_failures >= failuresMin)
    .sort((a, b) => b.consecutive_failures - a.consecutive_failures || a.id - b.id)
    .slice(0, limit)
    .map(({ id }) => ({ id }))
}

const tryLockCordons: StatementModel = ({ tx, tables }) => [
  { is_locked: tables.advisory.tryLock(tx, 'cordon', FOR_UPDATE) },
]

const FAILED: readonly string[] = ['failed', 'timed_out', 'start_failed']
/** Of the loop that asks. */
const WINDOW_MS = 15 * 60_000

const readFailureEvidence: StatementModel = ({ tx, tables, parameters, nowMs }) => {
  const [, workerIds] = parameters as [number, WorkerId[]]
  const sinceMs = nowMs - WINDOW_MS
  const history = tables.history.where(tx, ({ settled_at }) => settled_at.getTime() > sinceMs)
  const executions = [...tables.history.list(tx), ...tables.execution.list(tx)]
  const jobOf = new Map<string, number>(executions.map(({ id, job_id }) => [id, job_id]))
  const isFailure = (row: AttemptRow, worker: WorkerRow) =>
    row.worker === worker.name &&
    FAILED.includes(row.outcome) &&
    row.ended_at.getTime() > Math.max(sinceMs, worker.state_at?.getTime() ?? sinceMs)
  return workerIds.flatMap((id) => {
    const worker = tables.worker.get(tx, id)
    if (worker === undefined) return []
    const failures = tables.attempt.where(tx, (row) => isFailure(row, worker))
    const byJob = Map.groupBy(failures, ({ execution_id }) => jobOf.get(execution_id))
    return [...byJob].map(([jobId, failed]) => {
      const ended = history.filter(
        ({ job_id, worker_id }) => job_id === jobId && worker_id !== null,
      )
      const count = (isHere: boolean, state: string) =>
        ended.filter((row) => (row.worker_id === id) === isHere && row.state === state).length
      return {
        workerId: id,
        job: tables.job.list(tx).find((job) => job.id === jobId)?.name,
        failedHere: failed.length,
        succeededHere: count(true, 'succeeded'),
        succeededElsewhere: count(false, 'succeeded'),
        failedElsewhere: count(false, 'failed'),
      }
    })
  })
}

const readFleetMembers: StatementModel = ({ tx, tables }) => {
  const connected = new Set(tables.session.list(tx).map(({ worker_id }) => worker_id))
  return tables.worker
    .where(tx, ({ deleted_at }) => deleted_at === null)
    .map(({ id, name, capabilities, handlers, slots, slot_limit, state, state_actor }) => ({
      id,
      name,
      capabilities,
      handlers,
      labels: {},
      slots: Math.min(slots, slot_limit ?? slots),
      is_active: state === 'active' && connected.has(id),
      is_cordoned_by_rota: state === 'cordoned' && state_actor === 'rota',
    }))
}

const readNeeds: StatementModel = ({ tx, tables }) =>
  tables.class
    .list(tx)
    .sort((a, b) => b.id - a.id)
    .map(({ capabilities, selector, worker, slots }) => ({ capabilities, selector, worker, slots }))

export const CONDUCT_STATEMENTS: Readonly<Record<string, StatementModel>> = {
  classifyAttempts,
  addRefusals,
  quarantineWorker,
  liftQuarantine,
  readDoubtful,
  tryLockCordons,
  readFailureEvidence,
  readFleetMembers,
  readNeeds,
}
