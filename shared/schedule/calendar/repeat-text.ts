/** The text of a rule of repetition: `FREQ=YEARLY;BYMONTH=11;BYDAY=4TH`, as in the RRULE of RFC 5545. */
import { dayOf, daysInMonth, monthOf, packedDate, readDay, yearOf } from '../civil.ts'
import {
  DAY_MAX,
  type Effort,
  lastOfCount,
  type RepeatRule,
  type WeekdayOfPeriod,
  withDefaults,
} from './repeat-rule.ts'

export type RepeatReading =
  | { readonly kind: 'rule'; readonly rule: RepeatRule; readonly count: number | undefined }
  | RepeatProblem

export interface RepeatProblem {
  readonly kind: 'problem'
  readonly message: string
}

const LENGTH_MAX = 500
const INTERVAL_MAX = 1_000
const COUNT_MAX = 10_000
const FREQUENCIES = ['daily', 'weekly', 'monthly', 'yearly'] as const
const WEEKDAYS = ['SU', 'MO', 'TU', 'WE', 'TH', 'FR', 'SA']
const PARTS = ['FREQ', 'INTERVAL', 'COUNT', 'UNTIL', 'BYMONTH', 'BYMONTHDAY', 'BYDAY', 'WKST']

/** Reads a rule. Never throws. */
export function readRepeat(text: string): RepeatReading {
  if (text.length > LENGTH_MAX) return problem(`is longer than ${LENGTH_MAX} characters`)
  const parts = new Map<string, string>()
  for (const part of text.trim().split(';')) {
    const [, name = '', value = ''] = /^([A-Za-z]+)=(.+)$/.exec(part.trim()) ?? []
    const key = name.toUpperCase()
    if (!PARTS.includes(key)) return problem(unknownPart(part, key))
    if (parts.has(key)) return problem(`has ${key} twice`)
    parts.set(key, value.trim().toUpperCase())
  }
  return readParts(parts)
}

function unknownPart(part: string, key: string): string {
  const known = `known are ${PARTS.join(', ')}`
  if (key === '') return `${quote(part)} is not of the form NAME=VALUE`
  return key === 'BYSETPOS' || key.startsWith('BY')
    ? `${key} is not supported; ${known}`
    : `${quote(key)} is no part of a rule; ${known}`
}

function readParts(parts: ReadonlyMap<string, string>): RepeatReading {
  const frequency = FREQUENCIES.find((each) => each === parts.get('FREQ')?.toLowerCase())
  if (frequency === undefined) {
    return problem('FREQ is not DAILY, WEEKLY, MONTHLY or YEARLY')
  }
  const interval = readNumber(parts.get('INTERVAL') ?? '1', 1, INTERVAL_MAX)
  if (interval === undefined) return problem(`INTERVAL is not from 1 to ${INTERVAL_MAX}`)
  const countText = parts.get('COUNT')
  const count = countText === undefined ? undefined : readNumber(countText, 1, COUNT_MAX)
  if (countText !== undefined && count === undefined) {
    return problem(`COUNT is not from 1 to ${COUNT_MAX}`)
  }
  const untilText = parts.get('UNTIL')
  const until = untilText === undefined ? Infinity : readCompactDay(untilText)
  if (until === undefined) return problem(`UNTIL=${quote(untilText ?? '')} is not a date`)
  if (count !== undefined && untilText !== undefined) return problem('has both COUNT and UNTIL')
  const days = readByParts(parts, frequency)
  if (days.kind === 'problem') return days
  const weekStart = WEEKDAYS.indexOf(parts.get('WKST') ?? 'MO')
  if (weekStart < 0) return problem('WKST is not one of MO, TU, WE, TH, FR, SA, SU')
  const { months, monthDays, weekdays } = days
  return {
    kind: 'rule',
    rule: { frequency, interval, until, months, monthDays, weekdays, weekStart },
    count,
  }
}

type ByParts = Pick<RepeatRule, 'months' | 'monthDays' | 'weekdays'>

function readByParts(
  parts: ReadonlyMap<string, string>,
  frequency: RepeatRule['frequency'],
): ({ readonly kind: 'days' } & ByParts) | RepeatProblem {
  const months = readList(parts.get('BYMONTH'), (text) => readNumber(text, 1, 12))
  if (months === undefined) return problem('BYMONTH is not a list of 1 to 12')
  const monthDays = readList(parts.get('BYMONTHDAY'), readMonthDay)
  if (monthDays === undefined) return problem('BYMONTHDAY is not a list of 1 to 31 or -31 to -1')
  const weekdays = readList(parts.get('BYDAY'), readWeekday)
  if (weekdays === undefined) return problem('BYDAY is not a list of days such as MO or -1FR')
  const isNth = weekdays.some(({ nth }) => nth !== 0)
  if (isNth && frequency !== 'monthly' && frequency !== 'yearly') {
    return problem('BYDAY with a number is for FREQ=MONTHLY and FREQ=YEARLY')
  }
  if (monthDays.length > 0 && frequency === 'weekly') {
    return problem('BYMONTHDAY is not for FREQ=WEEKLY')
  }
  return { kind: 'days', months, monthDays, weekdays }
}

/** Empty when there is no such part; undefined when it cannot be read. */
function readList<T>(
  text: string | undefined,
  read: (item: string) => T | undefined,
): T[] | undefined {
  if (text === undefined) return []
  const items = text.split(',').map((item) => read(item.trim()))
  return items.some((item) => item === undefined) ? undefined : (items as T[])
}

function readNumber(text: string, min: number, max: number): number | undefined {
  const value = /^\d{1,5}$/.test(text) ? Number(text) : Number.NaN
  return value >= min && value <= max ? value : undefined
}

function readMonthDay(text: string): number | undefined {
  const size = readNumber(text.replace(/^[+-]/, ''), 1, 31)
  return size === undefined ? undefined : text.startsWith('-') ? -size : size
}

function readWeekday(text: string): WeekdayOfPeriod | undefined {
  const [, sign = '', number = '', name = ''] = /^([+-]?)(\d{0,2})([A-Z]{2})$/.exec(text) ?? []
  const weekday = WEEKDAYS.indexOf(name)
  const nth = Number(number)
  if (weekday < 0 || nth > 53 || (number !== '' && nth === 0)) return undefined
  return { weekday, nth: sign === '-' ? -nth : nth }
}

/** `20261224`, and the day of `20261224T235959Z`. */
export function readCompactDay(text: string): number | undefined {
  const [, year, month, day] = /^(\d{4})(\d{2})(\d{2})(?:T\d{6}Z?)?$/i.exec(text) ?? []
  return year === undefined ? undefined : readDay(`${year}-${month}-${day}`)
}

export type SettledRepeat =
  | { readonly kind: 'settled'; readonly text: string }
  /** Fewer repetitions than COUNT says within reach: what is asked for never ends or never comes. */
  | RepeatProblem

/** The text to store for a rule: in one form, with COUNT as the UNTIL that it means. */
export function settleRepeat(text: string, first: number, effort: Effort): SettledRepeat {
  const reading = readRepeat(text)
  if (reading.kind === 'problem') return reading
  const { rule, count } = reading
  const whole = withDefaults(rule, first)
  if (neverComes(whole)) return problem('names days that never come')
  if (count === undefined) return { kind: 'settled', text: repeatText(rule) }
  const until = lastOfCount(whole, first, { count, effort })
  if (until === undefined) {
    return problem(`COUNT=${count} goes too far; write the day of its end as UNTIL`)
  }
  return { kind: 'settled', text: repeatText({ ...rule, until }) }
}

/** February has no 30th. Five years tell, but for 29 February. */
function neverComes({ months, monthDays }: RepeatRule): boolean {
  if (monthDays.length === 0) return false
  const named = months.length > 0 ? months : [1]
  return named.every((month) => {
    const size = daysInMonth(2_000, month)
    return monthDays.every((day) => Math.abs(day) > size)
  })
}

function repeatText(rule: RepeatRule): string {
  const { frequency, interval, until, months, monthDays, weekdays, weekStart } = rule
  const parts = [
    `FREQ=${frequency.toUpperCase()}`,
    interval > 1 && `INTERVAL=${interval}`,
    until !== Infinity && `UNTIL=${compactDay(Math.min(until, DAY_MAX))}`,
    months.length > 0 && `BYMONTH=${months.join(',')}`,
    monthDays.length > 0 && `BYMONTHDAY=${monthDays.join(',')}`,
    weekdays.length > 0 &&
      `BYDAY=${weekdays.map(({ weekday, nth }) => `${nth || ''}${WEEKDAYS[weekday] ?? ''}`).join(',')}`,
    weekStart !== 1 && `WKST=${WEEKDAYS[weekStart] ?? ''}`,
  ]
  return parts.filter((part) => part !== false).join(';')
}

function compactDay(day: number): string {
  const date = packedDate(day)
  const pad = (value: number, size: number) => `${value}`.padStart(size, '0')
  return `${pad(yearOf(date), 4)}${pad(monthOf(date), 2)}${pad(dayOf(date), 2)}`
}

function problem(message: string): RepeatProblem {
  return { kind: 'problem', message }
}

function quote(text: string): string {
  return JSON.stringify(text.slice(0, 40))
}
