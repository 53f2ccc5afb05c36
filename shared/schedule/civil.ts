/**
 * The Gregorian calendar on whole numbers, without an object per date: days since 1970-01-01, weekdays from Sunday = 0.
 * The formulas are Howard Hinnant's "chrono-Compatible Low-Level Date Algorithms"; the era of 400 years is their period.
 */

export const DAY_S = 86_400
const ERA_DAYS = 146_097

/** Months from 1. */
export function dayNumber(year: number, month: number, day: number): number {
  const y = month <= 2 ? year - 1 : year
  const era = Math.floor(y / 400)
  const yearOfEra = y - era * 400
  const dayOfYear = Math.floor((153 * (month + (month > 2 ? -3 : 9)) + 2) / 5) + day - 1
  const dayOfEra =
    yearOfEra * 365 + Math.floor(yearOfEra / 4) - Math.floor(yearOfEra / 100) + dayOfYear
  return era * ERA_DAYS + dayOfEra - 719_468
}

/** A date as one number, `year * 512 + month * 32 + day`: see yearOf, monthOf and dayOf. */
export type PackedDate = number

export function packedDate(dayIndex: number): PackedDate {
  const shifted = dayIndex + 719_468
  const era = Math.floor(shifted / ERA_DAYS)
  const dayOfEra = shifted - era * ERA_DAYS
  const yearOfEra = Math.floor(
    (dayOfEra -
      Math.floor(dayOfEra / 1_460) +
      Math.floor(dayOfEra / 36_524) -
      Math.floor(dayOfEra / 146_096)) /
      365,
  )
  const dayOfYear =
    dayOfEra - (365 * yearOfEra + Math.floor(yearOfEra / 4) - Math.floor(yearOfEra / 100))
  const shiftedMonth = Math.floor((5 * dayOfYear + 2) / 153)
  const day = dayOfYear - Math.floor((153 * shiftedMonth + 2) / 5) + 1
  const month = shiftedMonth < 10 ? shiftedMonth + 3 : shiftedMonth - 9
  const year = yearOfEra + era * 400 + (month <= 2 ? 1 : 0)
  return year * 512 + month * 32 + day
}

export function yearOf(date: PackedDate): number {
  return Math.floor(date / 512)
}

export function monthOf(date: PackedDate): number {
  return (date >> 5) & 15
}

export function dayOf(date: PackedDate): number {
  return date & 31
}

/** 0 is Sunday. */
export function weekdayOf(dayIndex: number): number {
  return (((dayIndex + 4) % 7) + 7) % 7
}

export function daysInMonth(year: number, month: number): number {
  if (month === 2) return isLeap(year) ? 29 : 28
  return month === 4 || month === 6 || month === 9 || month === 11 ? 30 : 31
}

function isLeap(year: number): boolean {
  return year % 4 === 0 && (year % 100 !== 0 || year % 400 === 0)
}

/** Days since 1970-01-01 of a date of the years 1 to 9999; undefined for a date that does not exist. */
export function readDay(text: string): number | undefined {
  const match = /^(\d{4})-(\d{2})-(\d{2})$/.exec(text)
  const [year = 0, month = 0, day = 0] = match?.slice(1).map(Number) ?? []
  if (year < 1 || month < 1 || month > 12 || day < 1 || day > daysInMonth(year, month)) {
    return undefined
  }
  return dayNumber(year, month, day)
}
