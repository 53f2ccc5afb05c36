/** What the statements about jobs do that the flow and the API of the simulation use. */
import type { ExecutionId, JobId } from '../../../coordinator/job/execution.ts'
import type { HistoryRow, RequestRow, StatementModel } from './schema.ts'

const readSpecs: StatementModel = ({ tx, tables, parameters }) => {
  const rows: object[] = []
  const [jobIds, versions] = parameters as [JobId[], number[]]
  for (const [index, jobId] of jobIds.entries()) {
    const version = tables.jobVersion.get(tx, `${jobId}/${versions[index]}`)
    const job = tables.job.get(tx, jobId)
    if (version === undefined || job === undefined) continue
    const { name, uid, created_at } = job
    rows.push({
      job_id: jobId,
      version: version.version,
      spec: version.spec,
      name,
      uid,
      created_at,
    })
  }
  return rows
}

const readJobsByName: StatementModel = ({ tx, tables, parameters }) => {
  const [names] = parameters as [string[]]
  const jobs = tables.job
    .list(tx)
    .filter((row) => names.includes(row.name) && row.state !== 'deleted')
  return jobs.map((job) => {
    const { spec } = tables.jobVersion.get(tx, `${job.id}/${job.version}`) ?? { spec: {} }
    const activity = tables.activity.get(tx, job.id)
    const {
      run_at = null,
      skip_left = 0,
      skip_after = null,
    } = tables.schedule.get(tx, job.id) ?? {}
    return { ...job, ...activity, spec, run_at, skip_left, skip_after, has_manual_freeze: false }
  })
}

const readExecution: StatementModel = ({ tx, tables, parameters }) => {
  const [id] = parameters as [ExecutionId]
  const live = tables.execution.get(tx, id)
  const row = live ?? tables.history.list(tx).find((each: HistoryRow) => each.id === id)
  if (row === undefined) return []
  return [{ settled_at: null, outputs: null, ...row, job: tables.job.get(tx, row.job_id)?.name }]
}

const claimRequest: StatementModel = ({ tx, tables, parameters, now }) => {
  const [actor, method, request_id, fingerprint, resource] = parameters as [
    string,
    string,
    string,
    Buffer,
    string,
  ]
  const row: RequestRow = { actor, method, request_id, fingerprint, resource, created_at: now }
  if (tables.request.insert(tx, row)) return [{ fingerprint, resource, is_new: true }]
  const stored = tables.request.get(tx, `${actor}/${method}/${request_id}`)
  return stored === undefined ? [] : [{ ...stored, is_new: false }]
}

export const DEFINITION_STATEMENTS: Readonly<Record<string, StatementModel>> = {
  readSpecs,
  readJobsByName,
  readExecution,
  claimRequest,
}
