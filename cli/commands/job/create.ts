import { Job } from '../../../proto/gen/rota/v1/job.ts'
import {
  CreateJobRequest,
  CreateJobResponse,
  JobServiceService,
} from '../../../proto/gen/rota/v1/job_service.ts'
import { assert } from '../../../shared/assert.ts'
import { newId } from '../../../shared/ids.ts'
import type { Handler } from '../../action.ts'
import { toId } from '../../names.ts'
import { usageError } from '../../option-values.ts'
import { draftJob } from './draft.ts'
import type { JobFlags } from './flags.ts'
import { presentDryRun, presentJob } from './present-job.ts'

export const createJob: Handler<JobFlags, readonly [string | undefined]> = async (
  invocation,
  flags,
  name,
) => {
  const { job } = await draftJob(invocation, flags)
  const jobId = toId(name ?? job.name)
  if (jobId === '') {
    throw usageError('NAME', 'is missing', 'Write it after `job create`, or as `name` in the file.')
  }
  if (job.spec?.task === undefined) {
    throw usageError(
      '--command',
      'nothing says what the job does',
      'Give one of --command, --script, --url, --handler, or a file with -f.',
    )
  }
  const { host } = invocation
  const api = await invocation.connect()
  const response = await api.call(
    JobServiceService.createJob,
    CreateJobRequest.fromPartial({
      jobId,
      job: Job.fromPartial({ ...job, name: '', etag: '' }),
      requestId: newId(host.clock, host.random),
      validateOnly: flags.dryRun === true,
    }),
  )
  const { job: created } = response
  assert(created !== undefined, 'CreateJob answered without a job')
  if (flags.dryRun !== true) await presentJob(invocation, created, 'created')
  else {
    const typeName = 'rota.v1.CreateJobResponse'
    const answer = { typeName, codec: CreateJobResponse, message: response }
    await presentDryRun(invocation, answer, { job: created, done: 'valid, not stored' })
  }
}
