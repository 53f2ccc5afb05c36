/** What a sentence says, before it becomes a rule. */
import type { Unit } from './words.ts'

/** Seconds since midnight. */
export type TimeOfDay = number

export interface Phrase {
  /** `every 5 minutes`, `daily`. */
  frequency: { readonly every: number; readonly unit: Unit } | undefined
  /** `twice a day`. */
  perDay: number | undefined
  /** It says `every`, a plural, or `of the month`: it comes again. */
  isRepeated: boolean
  /** 0 is Sunday. */
  readonly weekdays: Set<number>
  readonly nthWeekdays: { readonly nth: number; readonly weekday: number }[]
  readonly lastWeekdays: number[]
  /** Days of the month. */
  readonly dates: Set<number>
  /** `L`, `LW`, `15W`: as cron writes them. */
  readonly specialDates: string[]
  readonly months: Set<number>
  readonly times: TimeOfDay[]
  readonly minutes: number[]
  window: { readonly from: TimeOfDay; readonly to: TimeOfDay } | undefined
  /** `in 10 minutes`, in ms. */
  inMs: number | undefined
  /** A day of the calendar, for something that happens once: days from today, or a date. */
  day: Temporal.PlainDate | undefined
  /** `starting 2026-12-01`. */
  start: Temporal.PlainDate | undefined
}

export function emptyPhrase(): Phrase {
  return {
    frequency: undefined,
    perDay: undefined,
    isRepeated: false,
    weekdays: new Set(),
    nthWeekdays: [],
    lastWeekdays: [],
    dates: new Set(),
    specialDates: [],
    months: new Set(),
    times: [],
    minutes: [],
    window: undefined,
    inMs: undefined,
    day: undefined,
    start: undefined,
  }
}

/** Says on which days, whatever it says of the time. */
export function hasDays(phrase: Phrase): boolean {
  return hasMonthDays(phrase) || phrase.weekdays.size > 0 || phrase.months.size > 0
}

/** Says days of a month: dates, or weekdays by their place in it. */
export function hasMonthDays(phrase: Phrase): boolean {
  const { dates, specialDates, nthWeekdays, lastWeekdays } = phrase
  return dates.size + specialDates.length + nthWeekdays.length + lastWeekdays.length > 0
}
