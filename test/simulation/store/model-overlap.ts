/** What the statements of coordinator/enqueue/overlap-queries.ts do. */
import type { ExecutionId, JobId } from '../../../coordinator/job/execution.ts'
import type { Decision } from '../../../coordinator/store/schedule-tables.ts'
import {
  type ExecutionRow,
  INFINITY,
  occurrenceKey,
  type StatementContext,
  type StatementModel,
} from './schema.ts'
import { FOR_UPDATE } from './versioned-table.ts'

const lockGates: StatementModel = ({ tx, tables, parameters }) => {
  const [jobIds] = parameters as [JobId[]]
  for (const jobId of jobIds) tables.advisory.lock(tx, gateKey(jobId), FOR_UPDATE)
  return jobIds.map(() => ({}))
}

const tryLockGates: StatementModel = ({ tx, tables, parameters }) => {
  const [jobIds] = parameters as [JobId[]]
  return jobIds
    .filter((jobId) => tables.advisory.tryLock(tx, gateKey(jobId), FOR_UPDATE))
    .map((id) => ({ id }))
}

function gateKey(jobId: JobId): string {
  return `gate/${jobId}`
}

/** Rows of the index execution_held. */
function isAtGate(row: ExecutionRow): boolean {
  return row.state === 'waiting' && row.gate !== null && row.reason_code !== 'DEPENDENCY'
}

function isHeld(row: ExecutionRow): boolean {
  return isAtGate(row) && ['OVERLAP', 'SCHEDULED_LATER'].includes(row.reason_code)
}

const heldJobs: StatementModel = ({ tx, tables, parameters }) => {
  const [after, limit] = parameters as [number, number]
  const rows = tables.execution.where(tx, isAtGate)
  const ids = [...new Set(rows.map(({ job_id }) => job_id))].filter((id) => id > after)
  return ids
    .sort((a, b) => a - b)
    .slice(0, limit)
    .flatMap((id) => {
      const job = tables.job.get(tx, id)
      return job === undefined ? [] : [{ id, name: job.name, version: job.version }]
    })
}

const readLive: StatementModel = ({ tx, tables, parameters }) => {
  const [most, , jobIds] = parameters as [number, number, JobId[]]
  const rows = tables.execution
    .where(tx, (row) => jobIds.includes(row.job_id))
    .filter((row) => !(row.state === 'waiting' && row.reason_code !== 'DEPENDENCY'))
    .sort((a, b) => a.created_at.getTime() - b.created_at.getTime() || (a.id < b.id ? -1 : 1))
  const groups = Map.groupBy(
    rows,
    ({ job_id, gate, trigger }) => `${job_id}/${gate}/${trigger === 'backfill'}`,
  )
  return [...groups.values()].map((group) => {
    const heads = group.slice(0, most)
    const { job_id, gate, trigger } = heads[0] as ExecutionRow
    return {
      ...{ job_id, gate, is_backfill: trigger === 'backfill', count: group.length },
      ids: heads.map(({ id }) => id),
      asked: heads.map(({ cancel_requested_at }) => cancel_requested_at !== null),
    }
  })
}

const readHeld: StatementModel = ({ tx, tables, parameters }) => {
  const [jobIds] = parameters as [JobId[]]
  return tables.execution
    .where(tx, (row) => jobIds.includes(row.job_id) && isHeld(row))
    .filter(({ available_at }) => available_at.getTime() === INFINITY.getTime())
    .sort(byTurn)
    .map((row) => ({
      id: row.id,
      job_id: row.job_id,
      trigger: row.trigger,
      gate: row.gate,
      scheduled_for: row.scheduled_for,
      is_new: row.reason_code === 'SCHEDULED_LATER',
      gate_limit: null,
      reason_message: row.reason_message,
    }))
}

function byTurn(a: ExecutionRow, b: ExecutionRow): number {
  const atMs = (row: ExecutionRow) => (row.scheduled_for ?? row.created_at).getTime()
  return a.job_id - b.job_id || atMs(a) - atMs(b) || (a.id < b.id ? -1 : 1)
}

/** Those of `ids` that still wait, locked; what somebody else has in hand is left out. */
function lockFree({ tx, tables }: StatementContext, ids: readonly ExecutionId[]): ExecutionRow[] {
  return ids.flatMap((id) => {
    const row = tables.execution.get(tx, id)
    const isFree = row !== undefined && isHeld(row)
    return isFree && tables.execution.tryLock(tx, id, FOR_UPDATE) ? [row] : []
  })
}

const releaseHeld: StatementModel = (context) => {
  const [dependent, ids] = context.parameters as [ExecutionId[], ExecutionId[]]
  for (const row of lockFree(context, ids)) {
    const isDependent = dependent.includes(row.id)
    context.tables.execution.update(context.tx, {
      ...row,
      state: isDependent ? 'waiting' : 'queued',
      reason_code: isDependent ? 'DEPENDENCY' : '',
      reason_message: '',
      available_at: isDependent ? INFINITY : context.now,
    })
  }
  return []
}

function noteWith(reasonCode: string): StatementModel {
  return (context) => {
    const [ids, messages] = context.parameters as [ExecutionId[], string[]]
    return lockFree(context, ids).map((row) => {
      const reason_message = messages[ids.indexOf(row.id)] as string
      context.tables.execution.update(context.tx, {
        ...row,
        reason_code: reasonCode,
        reason_message,
      })
      return { id: row.id }
    })
  }
}

const readGivenUp: StatementModel = ({ tx, tables, parameters }) => {
  const [jobIds] = parameters as [JobId[]]
  return tables.execution
    .where(tx, (row) => jobIds.includes(row.job_id) && isAtGate(row))
    .filter(({ reason_code }) => reason_code === 'OVERLAP_SKIPPED')
    .map(({ id, reason_message: message }) => ({ id, message }))
}

const amendOccurrences: StatementModel = ({ tx, tables, parameters }) => {
  const [jobIds, times, decisions, reasons] = parameters as [JobId[], Date[], Decision[], string[]]
  for (const [index, jobId] of jobIds.entries()) {
    const row = tables.occurrence.get(tx, occurrenceKey(jobId, times[index] as Date))
    if (row?.decision !== 'enqueued') continue
    tables.occurrence.update(tx, {
      ...row,
      decision: decisions[index] as Decision,
      reason: reasons[index] as string,
      execution_id: null,
    })
  }
  return []
}

export const OVERLAP_STATEMENTS: Readonly<Record<string, StatementModel>> = {
  lockGates,
  tryLockGates,
  heldJobs,
  readLive,
  readHeld,
  releaseHeld,
  describeHeld: noteWith('OVERLAP'),
  giveUpHeld: noteWith('OVERLAP_SKIPPED'),
  readGivenUp,
  amendOccurrences,
}
