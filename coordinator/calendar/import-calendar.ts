/** The days of an iCalendar file as those of a calendar. */
import { Calendar, CalendarDays } from '../../proto/gen/rota/v1/calendar.ts'
import { RotaError } from '../../shared/errors/rota-error.ts'
import { readIcs } from '../../shared/schedule/calendar/read-ics.ts'
import type { Deps } from '../deps.ts'
import { type CalendarRow, readCalendar } from './calendar-queries.ts'
import { createCalendar, toDefinition, updateCalendar } from './define-calendar.ts'

export interface ImportCalendar {
  readonly id: string
  readonly ics: string
  /** Add to the days that it has. */
  readonly keep: boolean
  readonly validateOnly: boolean
}

export interface ImportedCalendar {
  readonly row: CalendarRow
  readonly eventCount: number
}

export async function importCalendar(
  deps: Deps,
  request: ImportCalendar,
): Promise<ImportedCalendar> {
  const { id, ics, keep, validateOnly } = request
  const reading = readIcs(ics)
  if (reading.kind === 'problem') throw unreadable(reading)
  const { eventCount, spans } = reading
  const stored = await readCalendar(deps.db, id)
  const before = stored && keep ? toDefinition(stored).days : undefined
  const days = CalendarDays.fromPartial({ ...before, spans: [...(before?.spans ?? []), ...spans] })
  const row =
    stored === undefined
      ? await createCalendar(deps, {
          ...{ id, validateOnly, request: undefined },
          calendar: Calendar.fromPartial({ days }),
        })
      : await updateCalendar(deps, {
          ...{ id, validateOnly, mask: ['days'] },
          calendar: Calendar.fromPartial({ days, etag: keep ? `"${stored.revision}"` : '' }),
        })
  return { row, eventCount }
}

function unreadable({ line, message }: { line: number; message: string }): RotaError {
  const text = `line ${line}: ${message}`
  return new RotaError('ICS_INVALID', `ics: ${text}`, {
    metadata: { line: `${line}` },
    violations: [{ field: 'ics', reason: 'ICS_INVALID', message: text }],
  })
}
