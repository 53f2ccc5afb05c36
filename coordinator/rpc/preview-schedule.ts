/** What a schedule would do, before there is a job: words, rules, warnings and times. */
import type {
  PreviewScheduleRequest,
  PreviewScheduleResponse,
} from '../../proto/gen/rota/v1/job_service.ts'
import { checkInteger, checkTime, violation } from '../../shared/errors/check-field.ts'
import { invalidRequest, refuseViolations } from '../../shared/errors/rota-error.ts'
import { previewWholeSchedule } from '../../shared/schedule/preview.ts'
import { databaseNow } from '../definition/definition-queries.ts'
import type { Deps } from '../deps.ts'

const COUNT = 10
const COUNT_MAX = 1_000

export async function preview(
  deps: Deps,
  { schedule, count, startTime }: PreviewScheduleRequest,
): Promise<PreviewScheduleResponse> {
  if (schedule === undefined) {
    throw invalidRequest([
      violation('schedule', { reason: 'FIELD_REQUIRED', message: 'is missing' }),
    ])
  }
  refuseViolations([
    ...(count === 0 ? [] : checkInteger('count', count, { min: 1, max: COUNT_MAX })),
    ...checkTime('start_time', startTime),
  ])
  const from = startTime ?? (await databaseNow(deps.db))
  const span = { from, count: count || COUNT }
  const answer = previewWholeSchedule('schedule', schedule, span)
  if (answer.kind === 'refused') throw invalidRequest(answer.violations)
  const { description, compiled, warnings, times } = answer.preview
  return {
    ...{ description, compiled },
    warnings: [...warnings],
    scheduleTimes: times.map(({ instant }) => new Date(instant)),
    localTimes: times.map(({ local }) => local),
  }
}
