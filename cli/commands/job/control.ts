/** `job pause`, `job resume` and `job delete`. */
import {
  DeleteJobRequest,
  DeleteJobResponse,
  JobServiceService,
  PauseJobRequest,
  ResumeJobRequest,
} from '../../../proto/gen/rota/v1/job_service.ts'
import { assert } from '../../../shared/assert.ts'
import type { Handler } from '../../action.ts'
import { toId, toName } from '../../names.ts'
import { readEtag, readPastTime, readTime } from '../../option-values.ts'
import { present } from '../../output/present.ts'
import { presentJob } from './present-job.ts'

interface PauseOptions {
  readonly reason?: string
  readonly until?: string
}

export const pauseJob: Handler<PauseOptions, readonly [string]> = async (
  invocation,
  { reason, until },
  name,
) => {
  const resumeTime = until && readTime('--until', until, invocation.host.clock.now())
  const api = await invocation.connect()
  const { job } = await api.call(
    JobServiceService.pauseJob,
    PauseJobRequest.fromPartial({
      name: toName('jobs', name),
      reason: reason ?? '',
      ...(resumeTime && { resumeTime }),
    }),
  )
  assert(job !== undefined, 'PauseJob answered without a job')
  await presentJob(invocation, job, 'paused')
}

interface ResumeOptions {
  readonly recoverFrom?: string
}

export const resumeJob: Handler<ResumeOptions, readonly [string]> = async (
  invocation,
  { recoverFrom: from },
  name,
) => {
  const recoverFrom = from && readPastTime('--recover-from', from, invocation.host.clock.now())
  const api = await invocation.connect()
  const request = ResumeJobRequest.fromPartial({
    name: toName('jobs', name),
    ...(recoverFrom && { recoverFrom }),
  })
  const { job } = await api.call(JobServiceService.resumeJob, request)
  assert(job !== undefined, 'ResumeJob answered without a job')
  await presentJob(invocation, job, 'resumed')
}

interface DeleteOptions {
  readonly force?: boolean
  readonly etag?: string
}

export const deleteJob: Handler<DeleteOptions, readonly [string]> = async (
  invocation,
  { force, etag },
  text,
) => {
  const name = toName('jobs', text)
  const api = await invocation.connect()
  const request = DeleteJobRequest.fromPartial({
    name,
    force: force === true,
    etag: etag === undefined ? '' : readEtag(etag),
  })
  const message = await api.call(JobServiceService.deleteJob, request)
  await present(invocation, {
    answer: { typeName: 'rota.v1.DeleteJobResponse', codec: DeleteJobResponse, message },
    names: () => [name],
    text: () => `job ${toId(name)} deleted\n`,
  })
}
