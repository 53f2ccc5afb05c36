/**
 * What the statements of coordinator/conduct/ do. There is no quarantine here: the agents of the simulation keep to the
 * rules, so a run in which one is sentenced ends for want of the statement.
 */
import type { ExecutionId, WorkerId } from '../../../coordinator/job/execution.ts'
import type { StatementModel } from './schema.ts'

const addRefusals: StatementModel = ({ tx, tables, parameters }) => {
  const [ids, refused, stale] = parameters as [WorkerId[], number[], number[]]
  ids.forEach((id, index) => {
    const row = tables.worker.get(tx, id)
    if (row === undefined) return
    tables.worker.update(tx, {
      ...row,
      refused_messages: row.refused_messages + (refused[index] ?? 0),
      stale_messages: row.stale_messages + (stale[index] ?? 0),
    })
  })
  return []
}

const classifyAttempts: StatementModel = ({ tx, tables, parameters }) => {
  const [, workerId, workerName, ids, epochs] = parameters as [
    number,
    WorkerId,
    string,
    ExecutionId[],
    number[],
  ]
  const attempts = tables.attempt.list(tx)
  const kinds = ids.map((id, index) => {
    const epoch = epochs[index]
    const live = tables.execution.get(tx, id)
    const owner = live?.epoch === epoch ? live?.worker_id : undefined
    const workers = attempts
      .filter((attempt) => attempt.execution_id === id && attempt.epoch === epoch)
      .map(({ worker }) => worker)
    if (owner === workerId || workers.includes(workerName)) return { kind: 'stale', id }
    return { kind: owner === undefined && workers.length === 0 ? 'unknown' : 'foreign', id }
  })
  return [...Map.groupBy(kinds, ({ kind }) => kind)].map(([kind, of]) => ({
    kind,
    count: of.length,
    example: of[0]?.id,
  }))
}

export const CONDUCT_STATEMENTS: Readonly<Record<string, StatementModel>> = {
  addRefusals,
  classifyAttempts,
}
