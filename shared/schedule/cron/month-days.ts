/** Which days of a month a cron expression names. */
import { dayNumber, daysInMonth, monthOf, packedDate, weekdayOf, yearOf } from '../civil.ts'
import { hasBit } from './bits.ts'

export interface DayRule {
  /** Days of the month: bit 0 is the 1st. */
  readonly days: number
  /** Distances from the last day of the month: 0 is `L`, 3 is `L-3`. */
  readonly fromLast: readonly number[]
  /** `15W`: the weekday nearest to the 15th, within its month. */
  readonly nearWeekday: readonly number[]
  /** `LW`: the last Monday to Friday of the month. */
  readonly isLastWeekday: boolean
  /** Bit 0 is Sunday. */
  readonly weekdays: number
  /** `5#2`: the second Friday. */
  readonly nth: readonly { readonly weekday: number; readonly nth: number }[]
  /** `5L`: the last Friday. */
  readonly lastOf: readonly number[]
  /** Both the day of the month and the weekday must match; else one of them is enough. */
  readonly isBoth: boolean
  readonly step: DayStep | undefined
}

/** Only every second week, for example, counted from a day; nothing is due before it. Weeks begin on Monday. */
export interface DayStep {
  readonly every: number
  readonly unit: 'day' | 'week' | 'month'
  /** Days since 1970-01-01. */
  readonly from: number
}

const SATURDAY = 6
const SUNDAY = 0

/** The days as bits: bit 0 is the 1st. */
export function monthDays(rule: DayRule, year: number, month: number): number {
  const length = daysInMonth(year, month)
  const firstDay = dayNumber(year, month, 1)
  const first = weekdayOf(firstDay)
  const whole = length === 31 ? 0x7fffffff : (1 << length) - 1
  const byDate = rule.days | specialDates(rule, first, length)
  const byWeekday = weekdayBits(rule.weekdays, first) | specialWeekdays(rule, first, length)
  const days = (rule.isBoth ? byDate & byWeekday : byDate | byWeekday) & whole
  return rule.step === undefined || days === 0 ? days : keepSteps(days, firstDay, rule.step)
}

/** Weekdays of the seven days from the 1st on, repeated over the month. */
function weekdayBits(weekdays: number, first: number): number {
  const week = ((weekdays >>> first) | (weekdays << (7 - first))) & 0x7f
  return week | (week << 7) | (week << 14) | (week << 21) | (week << 28)
}

function specialDates(rule: DayRule, first: number, length: number): number {
  let days = 0
  for (const distance of rule.fromLast) if (distance < length) days |= 1 << (length - distance - 1)
  for (const day of rule.nearWeekday) {
    if (day <= length) days |= 1 << (nearestWeekday(day, first, length) - 1)
  }
  if (rule.isLastWeekday) days |= 1 << (nearestWeekday(length, first, length) - 1)
  return days
}

function nearestWeekday(day: number, first: number, length: number): number {
  const weekday = (first + day - 1) % 7
  if (weekday === SATURDAY) return day === 1 ? 3 : day - 1
  if (weekday === SUNDAY) return day === length ? day - 2 : day + 1
  return day
}

function specialWeekdays(rule: DayRule, first: number, length: number): number {
  let days = 0
  for (const { weekday, nth } of rule.nth) {
    const day = 1 + ((weekday - first + 7) % 7) + (nth - 1) * 7
    if (day <= length) days |= 1 << (day - 1)
  }
  for (const weekday of rule.lastOf) {
    const last = (first + length - 1) % 7
    days |= 1 << (length - ((last - weekday + 7) % 7) - 1)
  }
  return days
}

function keepSteps(days: number, firstDay: number, step: DayStep): number {
  let kept = 0
  for (let index = 0; index < 31; index++) {
    if (hasBit(days, index) && isOnStep(firstDay + index, step)) kept |= 1 << index
  }
  return kept
}

function isOnStep(day: number, { every, unit, from }: DayStep): boolean {
  if (day < from) return false
  if (unit === 'day') return (day - from) % every === 0
  if (unit === 'week') return (weekIndex(day) - weekIndex(from)) % every === 0
  return (monthIndex(day) - monthIndex(from)) % every === 0
}

/** 1970-01-01 was a Thursday. */
function weekIndex(day: number): number {
  return Math.floor((day + 3) / 7)
}

function monthIndex(day: number): number {
  const date = packedDate(day)
  return yearOf(date) * 12 + monthOf(date)
}
