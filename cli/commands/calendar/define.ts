/** `calendar create` and `calendar update`. */
import { Calendar } from '../../../proto/gen/rota/v1/calendar.ts'
import {
  CalendarServiceService,
  CreateCalendarRequest,
  UpdateCalendarRequest,
} from '../../../proto/gen/rota/v1/calendar_service.ts'
import { assert } from '../../../shared/assert.ts'
import { newId } from '../../../shared/ids.ts'
import type { Handler } from '../../action.ts'
import { toId, toName } from '../../names.ts'
import { readEtag, usageError } from '../../option-values.ts'
import { type DayFlags, readDayFlags } from './day-flags.ts'
import { presentCalendar } from './present-calendar.ts'

export const createCalendar: Handler<DayFlags, readonly [string]> = async (
  invocation,
  flags,
  name,
) => {
  const { calendar } = readDayFlags(flags)
  const { host } = invocation
  const api = await invocation.connect()
  const response = await api.call(
    CalendarServiceService.createCalendar,
    CreateCalendarRequest.fromPartial({
      calendarId: toId(name),
      calendar: Calendar.fromPartial(calendar),
      requestId: newId(host.clock, host.random),
      validateOnly: flags.dryRun === true,
    }),
  )
  assert(response.calendar !== undefined, 'CreateCalendar answered without a calendar')
  const done = flags.dryRun ? 'valid, not stored' : 'created'
  await presentCalendar(invocation, response.calendar, done)
}

type UpdateFlags = DayFlags & { readonly etag?: string }

export const updateCalendar: Handler<UpdateFlags, readonly [string]> = async (
  invocation,
  flags,
  name,
) => {
  const { calendar, mask } = readDayFlags(flags)
  if (mask.length === 0) {
    throw usageError('--date', 'nothing says what to change', 'Add --help to see what can be.')
  }
  const api = await invocation.connect()
  const etag = flags.etag === undefined ? '' : readEtag(flags.etag)
  const response = await api.call(
    CalendarServiceService.updateCalendar,
    UpdateCalendarRequest.fromPartial({
      calendar: Calendar.fromPartial({ ...calendar, name: toName('calendars', name), etag }),
      updateMask: [...mask],
      validateOnly: flags.dryRun === true,
    }),
  )
  assert(response.calendar !== undefined, 'UpdateCalendar answered without a calendar')
  const done = flags.dryRun ? 'valid, not stored' : 'updated'
  await presentCalendar(invocation, response.calendar, done)
}
