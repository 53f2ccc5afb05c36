import {
  GetJobRequest,
  JobServiceService,
  UpdateJobRequest,
  UpdateJobResponse,
} from '../../../proto/gen/rota/v1/job_service.ts'
import { assert } from '../../../shared/assert.ts'
import { RotaError } from '../../../shared/errors/rota-error.ts'
import type { Handler, Invocation } from '../../action.ts'
import type { Api } from '../../client.ts'
import { toName } from '../../names.ts'
import { readEtag, readPastTime, usageError } from '../../option-values.ts'
import { draftJob } from './draft.ts'
import type { JobFlags } from './flags.ts'
import { talkOfImpact } from './impact.ts'
import { presentDryRun, presentJob } from './present-job.ts'

type UpdateFlags = JobFlags & { readonly etag?: string; readonly recoverFrom?: string }

/** Somebody else's change between our read and our write is read again this often. */
const TRIES = 3

export const updateJob: Handler<UpdateFlags, readonly [string]> = async (
  invocation,
  flags,
  name,
) => {
  const api = await invocation.connect()
  for (let tryNumber = 1; ; tryNumber++) {
    try {
      const response = await updateOnce(invocation, api, { flags, name: toName('jobs', name) })
      await show(invocation, response, flags.dryRun === true)
      return undefined
    } catch (error) {
      const isOvertaken = error instanceof RotaError && error.reason === 'ETAG_MISMATCH'
      if (!isOvertaken) throw error
      if (flags.file !== undefined && flags.etag === undefined) throw overtakenFile(error)
      // Who gives an etag means exactly that state of the job.
      if (flags.etag !== undefined || tryNumber === TRIES) throw error
    }
  }
}

function overtakenFile(error: RotaError): RotaError {
  return new RotaError(error.reason, error.message, {
    cause: error.cause,
    hint: 'The file may hold the etag of an older state. Read the job again, or remove `etag` from the file.',
  })
}

/** Reads the job, puts the change on it and writes it, provided that nobody changed it in between. */
async function updateOnce(
  invocation: Invocation,
  api: Api,
  { flags, name }: { readonly flags: UpdateFlags; readonly name: string },
): Promise<UpdateJobResponse> {
  const { job: base } = await api.call(
    JobServiceService.getJob,
    GetJobRequest.fromPartial({ name }),
  )
  assert(base !== undefined, 'GetJob answered without a job')
  const { job, mask } = await draftJob(invocation, flags, base)
  const { recoverFrom: from } = flags
  const recoverFrom = from && readPastTime('--recover-from', from, invocation.host.clock.now())
  if (mask.length === 0 && !recoverFrom) {
    throw usageError('job update', 'nothing says what to change', 'Add --help to see the options.')
  }
  const etag = flags.etag === undefined ? job.etag || base.etag : readEtag(flags.etag)
  return api.call(
    JobServiceService.updateJob,
    UpdateJobRequest.fromPartial({
      job: { ...job, name, etag },
      // An empty mask would mean every field that is set.
      updateMask: mask.length === 0 ? ['description'] : [...mask],
      validateOnly: flags.dryRun === true,
      ...(recoverFrom && { recoverFrom }),
    }),
  )
}

async function show(
  invocation: Invocation,
  message: UpdateJobResponse,
  isDryRun: boolean,
): Promise<void> {
  const { impact, job } = message
  assert(job !== undefined, 'UpdateJob answered without a job')
  if (isDryRun) {
    const answer = { typeName: 'rota.v1.UpdateJobResponse', codec: UpdateJobResponse, message }
    return presentDryRun(invocation, answer, { job, done: 'would be updated' })
  }
  await presentJob(invocation, job, 'updated')
  await talkOfImpact(invocation, impact)
}
