/**
 * Days that come again: the part of RFC 5545's RRULE that is about days. Every part is a question about one day, so that a
 * rule can be asked about any year without walking there.
 */
import { dayNumber, dayOf, daysInMonth, monthOf, packedDate, weekdayOf, yearOf } from '../civil.ts'

export interface RepeatRule {
  readonly frequency: 'daily' | 'weekly' | 'monthly' | 'yearly'
  readonly interval: number
  /** The last day on which a repetition may begin; Infinity for none. */
  readonly until: number
  /** Empty: all months, as far as the frequency goes. */
  readonly months: readonly number[]
  /** Negative ones count from the end of the month. Empty: all days. */
  readonly monthDays: readonly number[]
  /** `nth` 0 is every one of them; others count in the month, or in the year when no month is named. Empty: all. */
  readonly weekdays: readonly WeekdayOfPeriod[]
  /** On which weeks begin; 0 is Sunday. */
  readonly weekStart: number
}

export interface WeekdayOfPeriod {
  /** 0 is Sunday. */
  readonly weekday: number
  readonly nth: number
}

/** What RFC 5545 takes from the first day when the rule does not say it. */
export function withDefaults(rule: RepeatRule, first: number): RepeatRule {
  const date = packedDate(first)
  const { frequency, months, monthDays, weekdays } = rule
  if (frequency === 'weekly' && weekdays.length === 0) {
    return { ...rule, weekdays: [{ weekday: weekdayOf(first), nth: 0 }] }
  }
  if (weekdays.length > 0 || monthDays.length > 0) return rule
  if (frequency === 'monthly') return { ...rule, monthDays: [dayOf(date)] }
  if (frequency !== 'yearly') return rule
  return { ...rule, months: months.length > 0 ? months : [monthOf(date)], monthDays: [dayOf(date)] }
}

/** How much may be looked at for one calendar, in days: what somebody sends must not keep the process busy. */
export interface Effort {
  days: number
}

/** Where repetitions begin within [from, to], in order; `first` always is one. The rule has its defaults. */
export function* repetitions(
  rule: RepeatRule,
  first: number,
  span: { readonly from: number; readonly to: number; readonly effort?: Effort },
): Generator<number, void> {
  const { effort } = span
  const to = Math.min(span.to, rule.until)
  if (first >= span.from && first <= span.to) yield first
  for (let day = Math.max(span.from, first + 1); day <= to; ) {
    if (effort !== undefined) effort.days -= 1
    if (effort !== undefined && effort.days < 0) return
    const next = skipPeriod(rule, first, day)
    if (next > day) day = next
    else {
      if (isNamed(rule, day)) yield day
      day += 1
    }
  }
}

/** The last of `count` repetitions; undefined when there are not so many, or it takes too long to count. */
export function lastOfCount(
  rule: RepeatRule,
  first: number,
  { count, effort }: { readonly count: number; readonly effort: Effort },
): number | undefined {
  let left = count
  for (const day of repetitions(rule, first, { from: first, to: DAY_MAX, effort })) {
    left -= 1
    if (left === 0) return day
  }
  return undefined
}

/** 9999-12-31. */
export const DAY_MAX = dayNumber(9_999, 12, 31)

/** `day`, or the first day behind it that a period which the rule leaves out ends with. */
function skipPeriod(rule: RepeatRule, first: number, day: number): number {
  const date = packedDate(day)
  const [year, month] = [yearOf(date), monthOf(date)]
  const start = packedDate(first)
  switch (rule.frequency) {
    case 'daily':
      if ((day - first) % rule.interval !== 0) {
        return day + rule.interval - ((day - first) % rule.interval)
      }
      break
    case 'weekly': {
      const week = weekOf(day, rule.weekStart)
      const distance = (week - weekOf(first, rule.weekStart)) % rule.interval
      if (distance !== 0) return weekStartDay(week + rule.interval - distance, rule.weekStart)
      break
    }
    case 'monthly': {
      const months = (year - yearOf(start)) * 12 + month - monthOf(start)
      if (months % rule.interval !== 0) return nextMonth(year, month)
      break
    }
    case 'yearly':
      if ((year - yearOf(start)) % rule.interval !== 0) return dayNumber(year + 1, 1, 1)
  }
  if (rule.months.length > 0 && !rule.months.includes(month)) return nextMonth(year, month)
  return day
}

/** Of a day of a period that the rule does not leave out. */
function isNamed(rule: RepeatRule, day: number): boolean {
  const date = packedDate(day)
  const size = daysInMonth(yearOf(date), monthOf(date))
  const isMonthDay = rule.monthDays.some(
    (each) => each === dayOf(date) || size + 1 + each === dayOf(date),
  )
  if (rule.monthDays.length > 0 && !isMonthDay) return false
  return rule.weekdays.length === 0 || rule.weekdays.some((each) => isWeekday(rule, each, day))
}

function isWeekday(rule: RepeatRule, { weekday, nth }: WeekdayOfPeriod, day: number): boolean {
  if (weekdayOf(day) !== weekday) return false
  if (nth === 0) return true
  const [begin, end] = periodOf(rule, day)
  const index = nth > 0 ? Math.floor((day - begin) / 7) + 1 : -Math.floor((end - 1 - day) / 7) - 1
  return index === nth
}

/** What the n-th weekday counts in; the end is the first day behind it. */
function periodOf(rule: RepeatRule, day: number): readonly [number, number] {
  const date = packedDate(day)
  const [year, month] = [yearOf(date), monthOf(date)]
  const isYear = rule.frequency === 'yearly' && rule.months.length === 0
  if (isYear) return [dayNumber(year, 1, 1), dayNumber(year + 1, 1, 1)]
  return [dayNumber(year, month, 1), nextMonth(year, month)]
}

function nextMonth(year: number, month: number): number {
  return month === 12 ? dayNumber(year + 1, 1, 1) : dayNumber(year, month + 1, 1)
}

function weekOf(day: number, weekStart: number): number {
  return Math.floor((day + 4 - weekStart) / 7)
}

function weekStartDay(week: number, weekStart: number): number {
  return week * 7 - 4 + weekStart
}
