import { expect, test } from 'vitest'
import {
  dayNumber,
  dayOf,
  daysInMonth,
  monthOf,
  packedDate,
  weekdayOf,
  yearOf,
} from '../../../../shared/schedule/civil.ts'

test('days, dates and weekdays are those of Date, over the centuries', () => {
  for (let day = -800_000; day < 3_000_000; day += 997) {
    const date = new Date(day * 86_400_000)
    const packed = packedDate(day)
    const [year, month] = [date.getUTCFullYear(), date.getUTCMonth() + 1]
    const found = [yearOf(packed), monthOf(packed), dayOf(packed), weekdayOf(day)]
    expect(found).toEqual([year, month, date.getUTCDate(), date.getUTCDay()])
    expect(dayNumber(year, month, date.getUTCDate())).toBe(day)
    const next = new Date(0)
    next.setUTCFullYear(year, month, 0)
    expect(daysInMonth(year, month)).toBe(next.getUTCDate())
  }
})
