import { JobState } from '../../../proto/gen/rota/v1/job.ts'
import {
  GetJobStatusRequest,
  GetJobStatusResponse,
  JobServiceService,
} from '../../../proto/gen/rota/v1/job_service.ts'
import { durationToMs, formatDurationMs } from '../../../shared/duration.ts'
import type { Handler } from '../../action.ts'
import { toId, toName } from '../../names.ts'
import { type Detail, renderDetails } from '../../output/details.ts'
import { present } from '../../output/present.ts'
import type { Screen } from '../../output/screen.ts'
import { exactTime } from '../../output/time.ts'
import { word } from '../../words.ts'
import { describeReason, summarize } from '../exec/describe.ts'
import { describeWhen } from './describe.ts'

export const getJobStatus: Handler<object, readonly [string]> = async (
  invocation,
  _options,
  name,
) => {
  const api = await invocation.connect()
  const request = GetJobStatusRequest.fromPartial({ name: toName('jobs', name) })
  const message = await api.call(JobServiceService.getJobStatus, request)
  await present(invocation, {
    answer: { typeName: 'rota.v1.GetJobStatusResponse', codec: GetJobStatusResponse, message },
    names: () => [message.job?.name ?? ''],
    text: (screen) => renderDetails(statusLines(message, screen), screen.width),
  })
}

function statusLines(status: GetJobStatusResponse, { now }: Screen): Detail[] {
  const { job, lastExecution, consecutiveFailureCount } = status
  const next = status.nextRunTime ?? job?.nextFireTime
  return [
    ['job', toId(job?.name ?? '')],
    ['state', [word(JobState, job?.state ?? 0), job?.pauseReason].filter(Boolean).join(': ')],
    ['schedule', describeWhen(job?.spec) || 'none: runs when triggered'],
    ['next run', next && exactTime(next, now)],
    ['now', `${status.runningCount} running, ${status.queuedCount} queued`],
    ['waits', status.queueReason && describeReason({ reason: status.queueReason })],
    ['last', lastExecution && summarize(lastExecution, now)],
    ['reason', lastExecution && describeReason(lastExecution)],
    ['success', lastExecution && `${Math.round(status.successRatio * 100)} % of the last runs`],
    ['failures', consecutiveFailureCount > 0 ? `${consecutiveFailureCount} in a row` : ''],
    ['takes', describeDurations(status)],
  ]
}

function describeDurations({ durationP50, durationP95 }: GetJobStatusResponse): string {
  const p50 = durationToMs(durationP50)
  const p95 = durationToMs(durationP95)
  if (p50 === undefined || p95 === undefined) return ''
  return `${formatDurationMs(p50)} (median), ${formatDurationMs(p95)} (95th percentile)`
}
