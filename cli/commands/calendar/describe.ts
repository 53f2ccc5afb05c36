/** The days of a calendar in words. */
import { type Calendar, type DaySpan, Weekday } from '../../../proto/gen/rota/v1/calendar.ts'
import { word } from '../../words.ts'

/** `Sat, Sun; 12 dates; 2 days of the year; 3 ranges`. */
export function describeDays({ days }: Calendar): string {
  const repeats = days?.spans.filter(({ repeat }) => repeat !== '').length ?? 0
  const parts = [
    describeWeekdays(days?.weekdays ?? []),
    count(days?.dates.length ?? 0, 'date'),
    count(days?.yearly.length ?? 0, 'yearly day'),
    count((days?.spans.length ?? 0) - repeats, 'range'),
    count(repeats, 'rule'),
  ]
  return parts.filter((part) => part !== '').join('; ') || 'no days'
}

/** `Sat, Sun`. */
export function describeWeekdays(weekdays: readonly Weekday[]): string {
  return weekdays.map((weekday) => capital(word(Weekday, weekday)).slice(0, 3)).join(', ')
}

/** `2026-12-24..2027-01-02  FREQ=YEARLY  but 2027-12-24  Christmas`. */
export function describeSpan({ first, last, repeat, except, summary }: DaySpan): string {
  const days = last === '' ? first : `${first}..${last}`
  const but = except.length === 0 ? '' : `but ${except.join(', ')}`
  return [days, repeat, but, summary].filter((part) => part !== '').join('  ')
}

function count(number: number, noun: string): string {
  return number === 0 ? '' : `${number} ${noun}${number === 1 ? '' : 's'}`
}

function capital(text: string): string {
  return text.charAt(0).toUpperCase() + text.slice(1)
}
