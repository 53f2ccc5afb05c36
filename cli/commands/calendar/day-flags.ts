/** The options that say which days a calendar has, the same for `calendar create` and `calendar update`. */
import type { Command } from 'commander'
import {
  type Calendar,
  CalendarDays,
  DaySpan,
  Weekday,
} from '../../../proto/gen/rota/v1/calendar.ts'
import { enumFromWord } from '../../../shared/wire.ts'
import { readWord, repeatable, usageError, withoutNone } from '../../option-values.ts'
import { wordsOf } from '../../words.ts'

export interface DayFlags {
  readonly date?: readonly string[]
  readonly weekday?: readonly string[]
  readonly yearly?: readonly string[]
  readonly range?: readonly string[]
  readonly displayName?: string
  readonly description?: string
  readonly dryRun?: boolean
}

export function addDayFlags(command: Command): Command {
  return command
    .option('--date <day>', 'a day, e.g. 2026-12-24; may be repeated', repeatable)
    .option('--weekday <name>', 'every such day, e.g. sat; may be repeated', repeatable)
    .option(
      '--yearly <month-day>',
      'that day of every year, e.g. 12-25; may be repeated',
      repeatable,
    )
    .option('--range <first..last>', 'e.g. 2026-12-24..2027-01-02; may be repeated', repeatable)
    .option('--display-name <text>', 'for people')
    .option('--description <text>', 'what it is for')
    .option('--dry-run', 'check and show it, store nothing')
}

/** What the options set, and their paths in an update mask. */
export function readDayFlags(flags: DayFlags): {
  readonly calendar: Pick<Calendar, 'displayName' | 'description' | 'days'>
  readonly mask: readonly string[]
} {
  const { date, description, displayName, range, weekday, yearly } = flags
  const mask = Object.entries({
    display_name: displayName,
    description,
    'days.dates': date,
    'days.weekdays': weekday,
    'days.yearly': yearly,
    'days.spans': range,
  }).flatMap(([path, value]) => (value === undefined ? [] : [path]))
  const days = CalendarDays.fromPartial({
    dates: withoutNone(date ?? []),
    weekdays: withoutNone(weekday ?? []).map(readWeekday),
    yearly: withoutNone(yearly ?? []),
    spans: withoutNone(range ?? []).map(readRange),
  })
  return {
    calendar: { displayName: displayName ?? '', description: description ?? '', days },
    mask,
  }
}

/** `sat`, `Saturday`. */
function readWeekday(text: string): Weekday {
  const words = wordsOf(Weekday)
  const short =
    text.length < 3 ? undefined : words.find((word) => word.startsWith(text.toLowerCase()))
  return enumFromWord(Weekday, short ?? readWord('--weekday', text, words))
}

function readRange(text: string): DaySpan {
  const [first = '', last = '', extra] = text.split('..')
  if (first === '' || last === '' || extra !== undefined) {
    const hint = 'Write its first and last day like 2026-12-24..2027-01-02.'
    throw usageError('--range', `${JSON.stringify(text)} is not a range of days`, hint)
  }
  return DaySpan.fromPartial({ first, last })
}
