/** The wall-clock times of a cron expression whose hashes are resolved: one step is a few operations on bits. */
import { DAY_S, dayNumber, dayOf, monthOf, packedDate, yearOf } from '../civil.ts'
import { hasBit, nextBit, nextOfSixty, type SixtyBits } from './bits.ts'
import { type DayRule, monthDays } from './month-days.ts'

export interface CronTimes {
  readonly seconds: SixtyBits
  readonly minutes: SixtyBits
  readonly hours: number
  /** Bit 1 is January. */
  readonly months: number
  readonly days: DayRule
}

/** The calendar repeats after 400 years: what is not due within them never is. */
const SEARCH_MONTHS = 400 * 12

/**
 * The first time strictly after `after`; both in whole seconds since 1970-01-01T00:00:00 of the wall clock. Infinity when
 * there is none within 400 years.
 */
export function nextWallTime(times: CronTimes, after: number): number {
  const from = after + 1
  const day = Math.floor(from / DAY_S)
  const date = packedDate(day)
  const year = yearOf(date)
  const month = monthOf(date)
  if (hasBit(times.months, month)) {
    const days = monthDays(times.days, year, month)
    if (hasBit(days, dayOf(date) - 1)) {
      const time = nextTimeOfDay(times, from - day * DAY_S)
      if (time >= 0) return day * DAY_S + time
    }
    const next = nextBit(days, dayOf(date))
    if (next >= 0) return dayNumber(year, month, next + 1) * DAY_S + nextTimeOfDay(times, 0)
  }
  return laterMonth(times, year, month)
}

function laterMonth(times: CronTimes, year: number, month: number): number {
  let y = year
  let m = month
  for (let count = 0; count < SEARCH_MONTHS; count++) {
    m++
    if (m > 12) {
      m = 1
      y++
    }
    if (!hasBit(times.months, m)) continue
    const day = nextBit(monthDays(times.days, y, m), 0)
    if (day >= 0) return dayNumber(y, m, day + 1) * DAY_S + nextTimeOfDay(times, 0)
  }
  return Infinity
}

/** The first time of the day from `from` on, in seconds; -1 when there is none. */
function nextTimeOfDay({ seconds, minutes, hours }: CronTimes, from: number): number {
  const hour = Math.floor(from / 3_600)
  if (hasBit(hours, hour)) {
    const minute = Math.floor(from / 60) % 60
    if (nextOfSixty(minutes, minute) === minute) {
      const second = nextOfSixty(seconds, from % 60)
      if (second >= 0) return hour * 3_600 + minute * 60 + second
    }
    const nextMinute = nextOfSixty(minutes, minute + 1)
    if (nextMinute >= 0) return hour * 3_600 + nextMinute * 60 + nextOfSixty(seconds, 0)
  }
  const nextHour = nextBit(hours, hour + 1)
  if (nextHour < 0) return -1
  return nextHour * 3_600 + nextOfSixty(minutes, 0) * 60 + nextOfSixty(seconds, 0)
}
