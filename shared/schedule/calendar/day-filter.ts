/** On which days a schedule may run: its excluded calendars, and those that it keeps to. */
import type { DaySet } from './day-set.ts'

export interface NamedDays {
  /** Id of the calendar, without `calendars/`. */
  readonly name: string
  readonly days: DaySet
}

export interface DayFilter {
  isAllowed(day: number): boolean
  /** Why nothing runs on a day that is not allowed. */
  refusal(day: number): string
  /** The first allowed day of [from, to]; undefined when there is none. */
  nextAllowed(from: number, to: number): number | undefined
}

/** Undefined when there is nothing to keep to. */
export function createDayFilter(
  exclude: readonly NamedDays[],
  only: readonly NamedDays[],
): DayFilter | undefined {
  if (exclude.length === 0 && only.length === 0) return undefined
  const isAllowed = (day: number) =>
    !exclude.some(({ days }) => days.has(day)) &&
    (only.length === 0 || only.some(({ days }) => days.has(day)))
  // Whoever is held up by a long stretch asks about it again and again.
  let known = { from: 0, to: -1, answer: 0 }
  return {
    isAllowed,
    refusal(day) {
      const by = exclude.find(({ days }) => days.has(day))
      if (by === undefined) return `is not in ${only.map(({ name }) => name).join(' or ')}`
      const summary = by.days.summaryOf(day)
      return summary === '' ? `is in ${by.name}` : `is in ${by.name}: ${summary}`
    },
    nextAllowed(from, to) {
      if (from >= known.from && from <= known.to) {
        return known.answer <= to ? known.answer : undefined
      }
      let day = from
      while (day <= to && !isAllowed(day)) day += 1
      if (day > to) return undefined
      known = { from, to: day, answer: day }
      return day
    },
  }
}
