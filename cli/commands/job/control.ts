/** `job pause`, `job resume` and `job delete`. */
import {
  DeleteJobRequest,
  DeleteJobResponse,
  JobServiceService,
  PauseJobRequest,
  PauseJobResponse,
  ResumeJobRequest,
  ResumeJobResponse,
} from '../../../proto/gen/rota/v1/job_service.ts'
import { assert } from '../../../shared/assert.ts'
import type { Handler } from '../../action.ts'
import { toId, toName } from '../../names.ts'
import { readEtag, readPastTime, readTime } from '../../option-values.ts'
import { present } from '../../output/present.ts'
import { renderImpact } from './impact.ts'
import { presentDryRun, presentJob } from './present-job.ts'

interface PauseOptions {
  readonly reason?: string
  readonly until?: string
  readonly dryRun?: true
}

export const pauseJob: Handler<PauseOptions, readonly [string]> = async (
  invocation,
  { reason, until, dryRun },
  name,
) => {
  const resumeTime = until && readTime('--until', until, invocation.host.clock.now())
  const api = await invocation.connect()
  const message = await api.call(
    JobServiceService.pauseJob,
    PauseJobRequest.fromPartial({
      name: toName('jobs', name),
      reason: reason ?? '',
      ...(resumeTime && { resumeTime }),
      validateOnly: dryRun === true,
    }),
  )
  const { job } = message
  assert(job !== undefined, 'PauseJob answered without a job')
  const answer = { typeName: 'rota.v1.PauseJobResponse', codec: PauseJobResponse, message }
  await (dryRun
    ? presentDryRun(invocation, answer, { job, done: 'would be paused' })
    : presentJob(invocation, job, 'paused'))
}

interface ResumeOptions {
  readonly recoverFrom?: string
  readonly dryRun?: true
}

export const resumeJob: Handler<ResumeOptions, readonly [string]> = async (
  invocation,
  { dryRun, recoverFrom: from },
  name,
) => {
  const recoverFrom = from && readPastTime('--recover-from', from, invocation.host.clock.now())
  const api = await invocation.connect()
  const request = ResumeJobRequest.fromPartial({
    name: toName('jobs', name),
    validateOnly: dryRun === true,
    ...(recoverFrom && { recoverFrom }),
  })
  const message = await api.call(JobServiceService.resumeJob, request)
  const { job } = message
  assert(job !== undefined, 'ResumeJob answered without a job')
  const answer = { typeName: 'rota.v1.ResumeJobResponse', codec: ResumeJobResponse, message }
  await (dryRun
    ? presentDryRun(invocation, answer, { job, done: 'would be resumed' })
    : presentJob(invocation, job, 'resumed'))
}

interface DeleteOptions {
  readonly force?: boolean
  readonly etag?: string
  readonly dryRun?: true
}

export const deleteJob: Handler<DeleteOptions, readonly [string]> = async (
  invocation,
  { force, etag, dryRun },
  text,
) => {
  const name = toName('jobs', text)
  const api = await invocation.connect()
  const request = DeleteJobRequest.fromPartial({
    name,
    force: force === true,
    etag: etag === undefined ? '' : readEtag(etag),
    validateOnly: dryRun === true,
  })
  const message = await api.call(JobServiceService.deleteJob, request)
  await present(invocation, {
    answer: { typeName: 'rota.v1.DeleteJobResponse', codec: DeleteJobResponse, message },
    names: () => [name],
    text: (screen) => {
      const line = `job ${toId(name)} ${dryRun ? 'would be deleted' : 'deleted'}\n`
      return message.impact ? `${line}\n${renderImpact(message.impact, screen)}` : line
    },
  })
}
