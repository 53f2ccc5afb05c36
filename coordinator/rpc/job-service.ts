import type { UntypedServiceImplementation } from '@grpc/grpc-js'
import { ExecutionState, type Reason } from '../../proto/gen/rota/v1/execution.ts'
import { type Job, JobState } from '../../proto/gen/rota/v1/job.ts'
import * as api from '../../proto/gen/rota/v1/job_service.ts'
import { durationFromMs } from '../../shared/duration.ts'
import { RotaError } from '../../shared/errors/rota-error.ts'
import { enumFromWord, parseResourceName, resourceName, wordFromEnum } from '../../shared/wire.ts'
import { cancelExecution } from '../cancel/cancel.ts'
import { createJob, updateJob } from '../definition/define-job.ts'
import { requireJob } from '../definition/find-job.ts'
import type { JobChange } from '../definition/rehearse.ts'
import { requestKey } from '../definition/request-key.ts'
import { rollbackJob } from '../definition/rollback-job.ts'
import { readSkip, skipJob } from '../definition/skip-job.ts'
import { deleteJob, pauseJob, resumeJob, type SwitchJob } from '../definition/switch-job.ts'
import type { Deps } from '../deps.ts'
import { principalName } from '../identity/principal.ts'
import type { ExecutionId, JobId } from '../job/execution.ts'
import { listJobs, listJobVersions, readJobFigures } from '../query/job-queries.ts'
import { finishPage, readPage } from '../query/keyset-queries.ts'
import { listOccurrences, type OccurrenceRow } from '../query/occurrence-queries.ts'
import { findOldestQueued } from '../query/queue-queries.ts'
import { backfill } from './backfill-job.ts'
import { queueReason } from './explain-execution.ts'
import { explainDueTime } from './explain-occurrence.ts'
import { upcoming } from './list-upcoming.ts'
import { JOB_LIST, OCCURRENCE_LIST } from './lists.ts'
import { preview } from './preview-schedule.ts'
import { readWholeExecution } from './read-whole-execution.ts'
import { refuseFeature } from './refuse-feature.ts'
import { required } from './required.ts'
import { impactOf } from './schedule-impact.ts'
import { type Caller, complete, unary } from './serve.ts'
import type { ServiceDeps } from './service-deps.ts'
import { toJob, toJobVersion } from './to-job.ts'
import { batchTrigger, trigger } from './trigger-jobs.ts'

type Serve = <Q, R>(
  method: string,
  handler: (request: Q, caller: Caller) => Promise<R>,
) => ReturnType<typeof unary<Q, R>>

export function createJobService(deps: ServiceDeps): UntypedServiceImplementation {
  const { boundary } = deps
  const serve: Serve = (method, handler) => unary(deps, `JobService/${method}`, handler)
  return complete(boundary, api.JobServiceService, {
    listJobs: serve('ListJobs', async (request: api.ListJobsRequest) => list(deps, request)),
    getJob: serve('GetJob', async ({ name }: api.GetJobRequest) => ({
      job: toJob(await requireJob(deps.db, jobId(name))),
    })),
    createJob: serve('CreateJob', async (request: api.CreateJobRequest, caller) =>
      create(deps, request, caller),
    ),
    updateJob: serve('UpdateJob', async (request: api.UpdateJobRequest, caller) =>
      update(deps, request, caller),
    ),
    deleteJob: serve('DeleteJob', async (request: api.DeleteJobRequest, caller) =>
      remove(deps, request, caller),
    ),
    getJobStatus: serve('GetJobStatus', async ({ name }: api.GetJobStatusRequest) =>
      status(deps, jobId(name)),
    ),
    ...switches(deps, serve),
    triggerJob: unary(
      { ...deps, calls: deps.gatheredCalls },
      'JobService/TriggerJob',
      async (request: api.TriggerJobRequest, caller) => trigger(deps, request, caller),
    ),
    batchTriggerJobs: serve(
      'BatchTriggerJobs',
      async (request: api.BatchTriggerJobsRequest, caller) => batchTrigger(deps, request, caller),
    ),
    backfillJob: serve('BackfillJob', async (request: api.BackfillJobRequest, caller) =>
      backfill(deps, request, caller),
    ),
    listJobVersions: serve('ListJobVersions', async (request: api.ListJobVersionsRequest) =>
      versions(deps, request),
    ),
    ...times(deps, serve),
  })
}

/** What starts and stops the schedule of a job, or takes it back. */
function switches(deps: ServiceDeps, serve: Serve) {
  return {
    pauseJob: serve('PauseJob', async (request: api.PauseJobRequest, caller) => {
      const { reason, resumeTime } = request
      const pause = { ...switchOf(request, caller), reason, until: resumeTime }
      return changed(deps, request, await pauseJob(deps, pause))
    }),
    resumeJob: serve('ResumeJob', async (request: api.ResumeJobRequest, caller) => {
      const resume = { ...switchOf(request, caller), recoverFrom: request.recoverFrom }
      return changed(deps, request, await resumeJob(deps, resume))
    }),
    rollbackJob: serve('RollbackJob', async (request: api.RollbackJobRequest, caller) => {
      const change = await rollbackJob(deps, { ...request, ...switchOf(request, caller) })
      return changed(deps, request, change)
    }),
    skipJob: serve('SkipJob', async (request: api.SkipJobRequest, caller) => {
      const { job, skippedTimes } = await skipJob(
        deps,
        readSkip(request, switchOf({ ...request, validateOnly: false }, caller)),
      )
      return { job: toJob(job), skippedTimes: [...skippedTimes] }
    }),
  }
}

/** What was due, and what will be. */
function times(deps: ServiceDeps, serve: Serve) {
  return {
    listOccurrences: serve('ListOccurrences', async (request: api.ListOccurrencesRequest) =>
      occurrences(deps, request),
    ),
    explainOccurrence: serve('ExplainOccurrence', async (request: api.ExplainOccurrenceRequest) =>
      explainDueTime(deps, request),
    ),
    listUpcomingRuns: serve('ListUpcomingRuns', async (request: api.ListUpcomingRunsRequest) =>
      upcoming(deps, request),
    ),
    previewSchedule: serve('PreviewSchedule', async (request: api.PreviewScheduleRequest) =>
      preview(deps, request),
    ),
  }
}

function switchOf(
  { name, validateOnly }: { readonly name: string; readonly validateOnly: boolean },
  { principal }: Caller,
): SwitchJob {
  return { name: jobId(name), actor: principalName(principal), validateOnly }
}

/** The job as it is, or would be, and what that does to its due times. */
async function changed(
  deps: Deps,
  { validateOnly }: { readonly validateOnly: boolean },
  change: JobChange,
): Promise<{ job: Job; impact: api.ScheduleImpact | undefined }> {
  const impact = await impactOf(deps, { ...change, validateOnly })
  return { job: toJob(change.after), impact }
}

function jobId(name: string): string {
  return parseResourceName('jobs', name, 'name')
}

async function list(deps: Deps, request: api.ListJobsRequest): Promise<api.ListJobsResponse> {
  refuseFeature('read_mask', request.readMask !== undefined)
  const args = { query: request.query, showDeleted: request.showDeleted }
  const page = readPage(JOB_LIST, request, args)
  const { rows, total } = await listJobs(deps.db, { ...page, ...args })
  const { rows: shown, nextPageToken } = finishPage(page, rows.map(toJob), {
    request,
    args,
    keys: (job) => page.order.map(({ field }) => jobKey(job, field)),
  })
  return { jobs: shown, nextPageToken, totalSize: total }
}

function jobKey(job: Job, field: string): string {
  switch (field) {
    case 'state':
      return wordFromEnum(JobState, job.state) ?? ''
    case 'display_name':
      return job.displayName
    case 'create_time':
      return job.createTime?.toISOString() ?? ''
    case 'update_time':
      return job.updateTime?.toISOString() ?? ''
    case 'next_fire_time':
      return job.nextFireTime?.toISOString() ?? 'infinity'
    default:
      return job.name.replace(/^jobs\//, '')
  }
}

async function create(
  deps: Deps,
  request: api.CreateJobRequest,
  caller: Caller,
): Promise<api.CreateJobResponse> {
  if (request.job === undefined) throw required('job')
  const actor = principalName(caller.principal)
  const encoded = api.CreateJobRequest.encode(request).finish()
  const row = await createJob(deps, {
    jobId: request.jobId || request.job.name.replace(/^jobs\//, ''),
    job: request.job,
    actor,
    request: requestKey(actor, 'CreateJob', { requestId: request.requestId, encoded }),
    validateOnly: request.validateOnly,
  })
  const impact = request.validateOnly
    ? await impactOf(deps, { after: row, validateOnly: true })
    : undefined
  return { job: toJob(row), impact }
}

async function update(
  deps: Deps,
  request: api.UpdateJobRequest,
  caller: Caller,
): Promise<api.UpdateJobResponse> {
  const { job } = request
  if (job === undefined) throw required('job')
  const name = parseResourceName('jobs', job.name, 'job.name')
  const actor = principalName(caller.principal)
  const { validateOnly, updateMask: mask, recoverFrom } = request
  const change = { name, job, actor, validateOnly }
  try {
    return await changed(deps, request, await updateJob(deps, { ...change, mask, recoverFrom }))
  } catch (error) {
    const isMissing = error instanceof RotaError && error.reason === 'JOB_NOT_FOUND'
    // A job that is not there yet has nothing to recover.
    if (!isMissing || !request.allowMissing || recoverFrom !== undefined) throw error
    const after = await createJob(deps, { ...change, jobId: name, request: undefined })
    return changed(deps, request, { before: undefined, after })
  }
}

async function remove(
  deps: ServiceDeps,
  request: api.DeleteJobRequest,
  caller: Caller,
): Promise<api.DeleteJobResponse> {
  try {
    const { etag, force } = request
    const by = switchOf(request, caller)
    const { actor, validateOnly } = by
    const before = await deleteJob(deps, {
      ...{ ...by, etag, force },
      cancel: async (id, reason) =>
        cancelExecution(deps, deps.endExecutions, { id, reason, actor, force: false }),
    })
    return { impact: validateOnly ? await impactOf(deps, { before, validateOnly }) : undefined }
  } catch (error) {
    const isMissing = error instanceof RotaError && error.reason === 'JOB_NOT_FOUND'
    if (!isMissing || !request.allowMissing) throw error
    return {}
  }
}

async function status(deps: ServiceDeps, name: string): Promise<api.GetJobStatusResponse> {
  const job = await requireJob(deps.db, name)
  const figures = await readJobFigures(deps.db, job.id)
  const last = job.last_execution_id
  return api.GetJobStatusResponse.fromPartial({
    job: toJob(job),
    lastExecution: last === null ? undefined : await readWholeExecution(deps.db, last),
    runningCount: figures.running,
    queuedCount: figures.queued,
    consecutiveFailureCount: job.consecutive_failures,
    successRatio: figures.settled === 0 ? 0 : figures.succeeded / figures.settled,
    durationP50: figures.p50_ms === null ? undefined : durationFromMs(figures.p50_ms),
    durationP95: figures.p95_ms === null ? undefined : durationFromMs(figures.p95_ms),
    nextRunTime: job.run_at ?? undefined,
    queueReason: await reasonOfQueue(deps, job.id),
  })
}

async function reasonOfQueue(deps: ServiceDeps, jobId: JobId): Promise<Reason | undefined> {
  const oldest = await findOldestQueued(deps.db, jobId)
  return oldest && queueReason(deps, oldest)
}

async function versions(
  deps: Deps,
  request: api.ListJobVersionsRequest,
): Promise<api.ListJobVersionsResponse> {
  const job = await requireJob(deps.db, jobId(request.name))
  const { before, limit } = readVersionPage(request)
  const rows = await listJobVersions(deps.db, job.id, { before, limit: limit + 1 })
  const shown = rows.slice(0, limit).map(toJobVersion)
  const last = shown.at(-1)
  return { versions: shown, nextPageToken: rows.length > limit && last ? String(last.version) : '' }
}

function readVersionPage(request: api.ListJobVersionsRequest): { before: number; limit: number } {
  const token = request.pageToken
  if (!/^\d{0,9}$/.test(token)) throw new RotaError('PAGE_TOKEN_INVALID', 'page_token: is damaged')
  if (request.pageSize < 0) throw negative('page_size')
  const limit = Math.min(request.pageSize || 50, 1_000)
  return { before: token === '' ? 2_147_483_647 : Number(token), limit }
}

async function occurrences(
  deps: Deps,
  request: api.ListOccurrencesRequest,
): Promise<api.ListOccurrencesResponse> {
  const job = request.job === '' ? '' : parseResourceName('jobs', request.job, 'job')
  if (job !== '') await requireJob(deps.db, job)
  const args = { job, from: request.startTime, to: request.endTime }
  const listRequest = { ...request, orderBy: '' }
  const page = readPage(OCCURRENCE_LIST, listRequest, args)
  const { rows, nextPageToken } = finishPage(
    page,
    await listOccurrences(deps.db, { ...page, ...args }),
    {
      request: listRequest,
      args,
      keys: (row) => [row.scheduled_for.toISOString(), row.job],
    },
  )
  return { occurrences: rows.map(toOccurrence), nextPageToken }
}

function toOccurrence(row: OccurrenceRow): api.Occurrence {
  return api.Occurrence.fromPartial({
    job: resourceName('jobs', row.job),
    scheduledFor: row.scheduled_for,
    decideTime: row.decided_at,
    decision: enumFromWord(api.Occurrence_Decision, row.decision),
    reason: row.reason,
    execution: nameOf(row.execution_id),
    executionState:
      row.execution_state === null ? 0 : enumFromWord(ExecutionState, row.execution_state),
    backfillExecution: nameOf(row.backfill_execution_id),
  })
}

function nameOf(id: ExecutionId | null): string {
  return id === null ? '' : resourceName('executions', id)
}

function negative(field: string): RotaError {
  const message = 'must not be negative'
  const violations = [{ field, reason: 'FIELD_INVALID' as const, message }]
  return new RotaError('FIELD_INVALID', `${field}: ${message}`, { violations })
}
