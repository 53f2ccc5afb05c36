/** What a change does to the due times of a job: all of it before the change, the short of it after. */
import type { ScheduleImpact } from '../../../proto/gen/rota/v1/job_service.ts'
import { isoSeconds } from '../../../shared/rfc-3339.ts'
import type { Invocation } from '../../action.ts'
import { type Detail, renderDetails } from '../../output/details.ts'
import { isForMachine, talk } from '../../output/present.ts'
import type { Screen } from '../../output/screen.ts'
import { renderTable } from '../../output/table.ts'

/** Of a change that was not made. Ends with a newline. */
export function renderImpact(impact: ScheduleImpact, screen: Screen): string {
  const { nextBefore, nextAfter } = impact
  const rows = Array.from(
    { length: Math.max(nextBefore.length, nextAfter.length) },
    (_, index) => ({
      before: nextBefore[index],
      after: nextAfter[index],
    }),
  )
  const table = renderTable(
    [
      { title: 'DUE BEFORE', value: ({ before }) => showTime(before) },
      { title: 'DUE AFTER', value: ({ after }) => showTime(after?.scheduleTime) },
      { title: 'OTHER JOBS IN THAT MINUTE', value: ({ after }) => showOthers(after) },
    ],
    rows,
    screen.width,
  )
  const details = renderDetails(
    [
      ['past runs', `${impact.pastExecutionCount} would be created`],
      ...touchLines(impact),
      ['warnings', impact.warnings.join('\n')],
    ],
    screen.width,
  )
  return rows.length === 0
    ? `Not due by itself, before or after.\n${details}`
    : `${table}\n${details}`
}

/** Beside the answer of a change that was made, for a person; nothing when it left the schedule alone. */
export async function talkOfImpact(
  invocation: Invocation,
  impact: ScheduleImpact | undefined,
): Promise<void> {
  if (impact === undefined || isForMachine(invocation)) return
  const after = impact.nextAfter.slice(0, SHORT).map(({ scheduleTime }) => showTime(scheduleTime))
  const [before] = impact.nextBefore
  const details: Detail[] = [
    ['due next', after.join(', ') || 'never by itself'],
    ['before', before && showTime(before)],
    ['past runs', `${impact.pastExecutionCount} created`],
    ...touchLines(impact),
  ]
  await talk(invocation, renderDetails(details, invocation.host.stderr.columns).trimEnd())
}

const SHORT = 3

function touchLines(impact: ScheduleImpact): Detail[] {
  return [
    ['never on', impact.excludeCalendars.join(', ')],
    ['only on', impact.onlyCalendars.join(', ')],
    ['freezes', impact.freezes.join(', ')],
    ['clocks', impact.dstSurprises.map(({ message }) => message).join('\n')],
  ]
}

function showTime(time: Date | undefined): string {
  return time === undefined ? '' : isoSeconds(time)
}

function showOthers(run: ScheduleImpact['nextAfter'][number] | undefined): string {
  if (run?.otherJobCount === undefined) return ''
  return `${run.otherJobCount}${run.isTruncated ? ' or more' : ''}`
}
