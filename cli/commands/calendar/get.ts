import { Calendar } from '../../../proto/gen/rota/v1/calendar.ts'
import {
  CalendarServiceService,
  GetCalendarRequest,
} from '../../../proto/gen/rota/v1/calendar_service.ts'
import { assert } from '../../../shared/assert.ts'
import type { Handler } from '../../action.ts'
import { toId, toName } from '../../names.ts'
import { type Detail, renderDetails } from '../../output/details.ts'
import { present } from '../../output/present.ts'
import type { Screen } from '../../output/screen.ts'
import { exactTime } from '../../output/time.ts'
import { describeSpan, describeWeekdays } from './describe.ts'

/** More are left to -o json. */
const SHOWN_MAX = 30

export const getCalendar: Handler<object, readonly [string]> = async (
  invocation,
  _options,
  name,
) => {
  const api = await invocation.connect()
  const request = GetCalendarRequest.fromPartial({ name: toName('calendars', name) })
  const { calendar } = await api.call(CalendarServiceService.getCalendar, request)
  assert(calendar !== undefined, 'GetCalendar answered without a calendar')
  await present(invocation, {
    answer: { typeName: 'rota.v1.Calendar', codec: Calendar, message: calendar },
    names: () => [calendar.name],
    text: (screen) => renderDetails(calendarLines(calendar, screen), screen.width),
  })
}

function calendarLines(calendar: Calendar, screen: Screen): Detail[] {
  const { days } = calendar
  const at = (time: Date | undefined) => time && exactTime(time, screen.now)
  return [
    ['calendar', toId(calendar.name)],
    ['name', calendar.displayName],
    ['description', calendar.description],
    ['weekdays', describeWeekdays(days?.weekdays ?? [])],
    ['yearly', shown(days?.yearly ?? []).join(', ')],
    ['dates', shown(days?.dates ?? []).join(', ')],
    ['ranges', shown(days?.spans.map(describeSpan) ?? []).join('\n')],
    ['used by', calendar.jobCount === 1 ? '1 job' : `${calendar.jobCount} jobs`],
    ['created', at(calendar.createTime)],
    ['updated', at(calendar.updateTime)],
    ['etag', calendar.etag],
  ]
}

function shown(items: readonly string[]): string[] {
  const more = items.length - SHOWN_MAX
  return more <= 0 ? [...items] : [...items.slice(0, SHOWN_MAX), `... and ${more} more (-o json)`]
}
