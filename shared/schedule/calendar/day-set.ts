/**
 * The days of a calendar, made ready to be asked about: year by year, as bits.
 *
 * C1. Days that validation accepts never make it throw; what it would refuse is no day.
 * C2. Years that were not asked for long are forgotten, which changes no answer.
 */
import type { CalendarDays, DaySpan } from '../../../proto/gen/rota/v1/calendar.ts'
import { RecentlyUsed } from '../../recently-used.ts'
import { dayNumber, packedDate, readDay, weekdayOf, yearOf } from '../civil.ts'
import { formatDay } from '../describe/day-text.ts'
import { type RepeatRule, repetitions, withDefaults } from './repeat-rule.ts'
import { readRepeat } from './repeat-text.ts'

export interface DaySet {
  /** `day` in days since 1970-01-01. */
  has(day: number): boolean
  /** What a day that it has is, e.g. `Christmas Day`; blank when nobody said. */
  summaryOf(day: number): string
}

/** Half a lifetime of each calendar. */
const YEARS_MAX = 40

/** What the days say, in numbers. */
interface Ready {
  readonly dates: ReadonlySet<number>
  /** By `weekdayOf`. */
  readonly weekdays: ReadonlySet<number>
  /** `MM-DD`. */
  readonly yearly: ReadonlySet<string>
  readonly spans: readonly Span[]
}

interface Span {
  readonly first: number
  readonly last: number
  readonly rule: RepeatRule | undefined
  readonly except: ReadonlySet<number>
  readonly summary: string
}

export function compileDays(days: CalendarDays): DaySet {
  const ready: Ready = {
    dates: new Set(days.dates.map(readDay).filter((day) => day !== undefined)),
    weekdays: new Set(days.weekdays.filter((each) => each > 0).map((each) => each % 7)),
    yearly: new Set(days.yearly),
    spans: days.spans.flatMap(readSpan),
  }
  const years = new RecentlyUsed<Uint8Array>(YEARS_MAX)
  let begin = 0
  let bits: Uint8Array = new Uint8Array()
  return {
    has(day) {
      if (day < begin || day >= begin + bits.length) {
        const year = yearOf(packedDate(day))
        bits = years.get(`${year}`, () => yearBits(ready, year))
        begin = dayNumber(year, 1, 1)
      }
      return bits[day - begin] === 1
    },
    summaryOf(day) {
      const span = ready.spans.find((each) => each.summary !== '' && covers(each, day))
      return span?.summary ?? ''
    },
  }
}

function readSpan({ first, last, repeat, except, summary }: DaySpan): Span[] {
  const firstDay = readDay(first)
  const lastDay = last === '' ? firstDay : readDay(last)
  if (firstDay === undefined || lastDay === undefined || lastDay < firstDay) return []
  const reading = repeat === '' ? undefined : readRepeat(repeat)
  if (reading?.kind === 'problem') return []
  return [
    {
      first: firstDay,
      last: lastDay,
      rule: reading && withDefaults(reading.rule, firstDay),
      except: new Set(except.map(readDay).filter((day) => day !== undefined)),
      summary,
    },
  ]
}

function yearBits(ready: Ready, year: number): Uint8Array {
  const begin = dayNumber(year, 1, 1)
  const end = dayNumber(year + 1, 1, 1)
  const bits = new Uint8Array(end - begin)
  for (let day = begin; day < end; day++) {
    const isPlain =
      ready.weekdays.has(weekdayOf(day)) || ready.dates.has(day) || ready.yearly.has(yearDay(day))
    if (isPlain) bits[day - begin] = 1
  }
  for (const span of ready.spans) {
    for (const start of startsOf(span, begin, end - 1)) {
      const length = span.last - span.first + 1
      bits.fill(1, Math.max(0, start - begin), Math.max(0, start - begin + length))
    }
  }
  return bits
}

function yearDay(day: number): string {
  return formatDay(day).slice(5)
}

function covers(span: Span, day: number): boolean {
  for (const _ of startsOf(span, day, day)) return true
  return false
}

/** Where it begins, of what touches [from, to]. */
function* startsOf(span: Span, from: number, to: number): Generator<number, void> {
  const { first, last, rule, except } = span
  if (rule === undefined) {
    if (first <= to && last >= from && !except.has(first)) yield first
    return
  }
  for (const start of repetitions(rule, first, { from: from - (last - first), to })) {
    if (!except.has(start)) yield start
  }
}

/** `02-29` is one, in leap years. */
export function isYearDay(text: string): boolean {
  return readDay(`2000-${text}`) !== undefined
}
