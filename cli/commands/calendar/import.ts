import { basename } from 'node:path'
import {
  CalendarServiceService,
  ImportCalendarRequest,
  ImportCalendarResponse,
} from '../../../proto/gen/rota/v1/calendar_service.ts'
import { assert } from '../../../shared/assert.ts'
import type { Handler } from '../../action.ts'
import { toId, toName } from '../../names.ts'
import { usageError } from '../../option-values.ts'
import { present } from '../../output/present.ts'
import { escapeControls } from '../../output/text.ts'
import { readText } from '../job/read-text.ts'
import { describeDays } from './describe.ts'

interface ImportOptions {
  readonly name?: string
  readonly keep?: boolean
  readonly dryRun?: boolean
}

export const importCalendar: Handler<ImportOptions, readonly [string]> = async (
  invocation,
  { name, keep, dryRun },
  file,
) => {
  const calendarName = toName('calendars', name ?? nameOf(file))
  const ics = await readText(invocation.host, 'FILE', file)
  const api = await invocation.connect()
  const request = ImportCalendarRequest.fromPartial({
    name: calendarName,
    ics,
    keep: keep === true,
    validateOnly: dryRun === true,
  })
  const message = await api.call(CalendarServiceService.importCalendar, request)
  const { calendar, eventCount } = message
  assert(calendar !== undefined, 'ImportCalendar answered without a calendar')
  await present(invocation, {
    answer: { typeName: 'rota.v1.ImportCalendarResponse', codec: ImportCalendarResponse, message },
    names: () => [calendar.name],
    text: () => {
      const done = dryRun ? 'would have' : 'has'
      const events = `${eventCount} event${eventCount === 1 ? '' : 's'} read`
      const line = `${events}; calendar ${toId(calendar.name)} ${done} ${describeDays(calendar)}`
      return `${escapeControls(line)}\n`
    },
  })
}

/** `holidays` of `feeds/Holidays.ics`. */
function nameOf(file: string): string {
  if (file !== '-')
    return basename(file)
      .replace(/\.[^.]*$/, '')
      .toLowerCase()
  throw usageError('--name', 'is missing', 'A file from stdin has no name.')
}
