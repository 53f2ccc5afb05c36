/** Days as text: `2026-11-24`. */
import { dayOf, monthOf, packedDate, yearOf } from '../civil.ts'

/** `2026-11-24`. */
export function formatDay(day: number): string {
  const date = packedDate(day)
  const pad = (value: number, length: number) => `${value}`.padStart(length, '0')
  return `${pad(yearOf(date), 4)}-${pad(monthOf(date), 2)}-${pad(dayOf(date), 2)}`
}
