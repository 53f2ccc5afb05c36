/** What is wrong with the days of a calendar, and the form in which they are stored. */
import { CalendarDays, type DaySpan, Weekday } from '../../../proto/gen/rota/v1/calendar.ts'
import {
  checkCount,
  checkEnum,
  checkLength,
  refuseUnless,
  show,
  violation,
} from '../../errors/check-field.ts'
import type { FieldViolation } from '../../errors/rota-error.ts'
import { readDay } from '../civil.ts'
import { isYearDay } from './day-set.ts'
import type { Effort } from './repeat-rule.ts'
import { settleRepeat } from './repeat-text.ts'

export const SPANS_MAX = 2_000
export const REPEATS_MAX = 500
export const EXCEPT_MAX = 1_000
export const SUMMARY_BYTES_MAX = 200
/** A repetition of more days would run into the next one, in days. */
export const REPEATED_DAYS_MAX = 366
/** For all COUNTs of one calendar, in days that are looked at. */
export const EFFORT_DAYS = 500_000

const DATES_MAX = 5_000

export interface SettledDays {
  readonly days: CalendarDays
  readonly violations: readonly FieldViolation[]
}

/** Dates in order and once, rules in one form; `field` is the path of the days. */
export function settleDays(field: string, days: CalendarDays | undefined): SettledDays {
  const { dates, weekdays, yearly, spans } = days ?? CalendarDays.fromPartial({})
  const effort: Effort = { days: EFFORT_DAYS }
  const settled = spans
    .slice(0, SPANS_MAX)
    .map((span, index) => settleSpan(`${field}.spans[${index}]`, span, effort))
  const repeats = spans.filter(({ repeat }) => repeat !== '')
  return {
    days: {
      dates: inOrder(dates),
      weekdays: [...new Set(weekdays)].sort((a, b) => a - b),
      yearly: inOrder(yearly),
      spans: settled.map(({ span }) => span),
    },
    violations: [
      ...checkCount(`${field}.dates`, dates, DATES_MAX),
      ...checkAll(`${field}.dates`, dates.slice(0, DATES_MAX), checkDate),
      ...weekdays.slice(0, 10).flatMap((weekday, index) => {
        return checkWeekday(`${field}.weekdays[${index}]`, weekday)
      }),
      ...checkCount(`${field}.yearly`, yearly, 366),
      ...checkAll(`${field}.yearly`, yearly.slice(0, 366), checkYearDay),
      ...checkCount(`${field}.spans`, spans, SPANS_MAX),
      ...refuseUnless(repeats.length <= REPEATS_MAX, `${field}.spans`, {
        reason: 'FIELD_TOO_LONG',
        message: `has ${repeats.length} entries that repeat, more than ${REPEATS_MAX}`,
      }),
      ...settled.flatMap(({ violations }) => violations),
    ],
  }
}

function settleSpan(
  path: string,
  span: DaySpan,
  effort: Effort,
): { readonly span: DaySpan; readonly violations: readonly FieldViolation[] } {
  const { first, last, repeat, except, summary } = span
  const wrong = [
    ...(first === ''
      ? [violation(`${path}.first`, { reason: 'FIELD_REQUIRED', message: 'is missing' })]
      : checkDate(`${path}.first`, first)),
    ...(last === '' ? [] : checkDate(`${path}.last`, last)),
    ...checkCount(`${path}.except`, except, EXCEPT_MAX),
    ...checkAll(`${path}.except`, except.slice(0, EXCEPT_MAX), checkDate),
    ...checkLength(`${path}.summary`, summary, SUMMARY_BYTES_MAX),
    ...refuseUnless(!/\p{Cc}/u.test(summary), `${path}.summary`, {
      message: 'holds a line break or another control character',
    }),
  ]
  if (wrong.length > 0) return { span, violations: wrong }
  const firstDay = readDay(first) ?? 0
  const length = (readDay(last || first) ?? 0) - firstDay + 1
  if (length < 1) {
    return { span, violations: [violation(`${path}.last`, { message: 'is before first' })] }
  }
  const tidy = { ...span, last: length === 1 ? '' : last, except: inOrder(except) }
  if (repeat === '') return { span: tidy, violations: [] }
  if (length > REPEATED_DAYS_MAX) {
    const message = `is more than ${REPEATED_DAYS_MAX} days after first, and the span repeats`
    return { span, violations: [violation(`${path}.last`, { message })] }
  }
  const settled = settleRepeat(repeat, firstDay, effort)
  if (settled.kind === 'settled') return { span: { ...tidy, repeat: settled.text }, violations: [] }
  return { span, violations: [violation(`${path}.repeat`, { ...settled, hint: REPEAT_HINT })] }
}

const REPEAT_HINT = 'Write it like FREQ=YEARLY, or FREQ=YEARLY;BYMONTH=11;BYDAY=4TH.'

function checkDate(path: string, text: string): FieldViolation[] {
  return refuseUnless(readDay(text) !== undefined, path, {
    message: `${show(text)} is not a day`,
    hint: 'Write it like 2026-12-24.',
  })
}

function checkYearDay(path: string, text: string): FieldViolation[] {
  return refuseUnless(isYearDay(text), path, {
    message: `${show(text)} is not a day of the year`,
    hint: 'Write month and day like 12-25.',
  })
}

function checkWeekday(path: string, weekday: Weekday): FieldViolation[] {
  if (weekday !== Weekday.UNSPECIFIED) return checkEnum(path, weekday, Weekday)
  return [violation(path, { reason: 'FIELD_REQUIRED', message: 'is missing' })]
}

function checkAll(
  path: string,
  texts: readonly string[],
  check: (path: string, text: string) => FieldViolation[],
): FieldViolation[] {
  return texts.flatMap((text, index) => check(`${path}[${index}]`, text))
}

function inOrder(texts: readonly string[]): string[] {
  return [...new Set(texts)].sort()
}
