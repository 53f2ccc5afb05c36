import {
  JobServiceService,
  SkipJobRequest,
  SkipJobResponse,
} from '../../../proto/gen/rota/v1/job_service.ts'
import { isoSeconds } from '../../../shared/rfc-3339.ts'
import type { Handler } from '../../action.ts'
import { toId, toName } from '../../names.ts'
import { readInteger, usageError } from '../../option-values.ts'
import { present } from '../../output/present.ts'
import { relativeTime } from '../../output/time.ts'

interface SkipOptions {
  readonly count?: string
  readonly reason?: string
  readonly undo?: boolean
}

/** More are left to -o json. */
const SHOWN_MAX = 10

export const skipJob: Handler<SkipOptions, readonly [string]> = async (
  invocation,
  { count, reason, undo },
  text,
) => {
  if (undo === true && count !== undefined) {
    throw usageError('--undo', 'takes no --count', 'It takes back all that is to be skipped.')
  }
  const name = toName('jobs', text)
  const request = SkipJobRequest.fromPartial({
    name,
    reason: reason ?? '',
    undo: undo === true,
    ...(count !== undefined && { count: readInteger('--count', count, { min: 1, max: 1_000 }) }),
  })
  const api = await invocation.connect()
  const message = await api.call(JobServiceService.skipJob, request)
  await present(invocation, {
    answer: { typeName: 'rota.v1.SkipJobResponse', codec: SkipJobResponse, message },
    names: () => [name],
    text: ({ now }) => `job ${toId(name)} ${describeSkip(message, now)}\n`,
  })
}

/** `skips 2026-11-20T10:00:00Z; next run in 2h, 2026-11-20T11:00:00Z`. */
function describeSkip({ job, skippedTimes }: SkipJobResponse, now: Date): string {
  const shown = skippedTimes.slice(0, SHOWN_MAX).map(isoSeconds)
  const more = skippedTimes.length - shown.length
  const skips =
    shown.length === 0
      ? 'skips no run'
      : `skips ${shown.join(', ')}${more > 0 ? ` and ${more} more` : ''}`
  const next = job?.nextFireTime
  return next === undefined
    ? skips
    : `${skips}; next run ${relativeTime(next, now)}, ${isoSeconds(next)}`
}
