import { expect, test } from 'vitest'
import { nextTime } from '../next-time.ts'

test.each([
  // 31 May 2026 is a Sunday, 1 August a Saturday, 15 November a Sunday, 28 February 2027 too.
  ['31W', '2026-05-01', '05-29'],
  ['LW', '2026-05-01', '05-29'],
  ['1W', '2026-07-31', '08-03'],
  ['15W', '2026-11-01', '11-16'],
  ['LW', '2027-02-01', '02-26'],
  ['31W', '2027-02-01', '03-31'],
  ['1W,L', '2026-07-31', '08-03'],
  ['L-30', '2026-11-02', '12-01'],
  ['L', '2028-02-01', '02-29'],
])('the day %s after %s is %s', (day, after, expected) => {
  const question = { timeZone: 'UTC', after: new Date(`${after}T12:00:00Z`), seed: '' }
  const due = nextTime({ ...question, expression: `0 0 ${day} * *` })
  expect(due?.toISOString().slice(5, 10)).toBe(expected)
})

test.each([
  ['5#5', '2026-11-20', '2027-01-29'],
  ['1#1', '2026-11-20', '2026-12-07'],
  ['0L', '2026-11-20', '2026-11-29'],
  ['1#1,3#2,5L', '2026-12-08', '2026-12-09'],
])('the weekday %s after %s is %s', (weekday, after, expected) => {
  const question = { timeZone: 'UTC', after: new Date(`${after}T12:00:00Z`), seed: '' }
  const due = nextTime({ ...question, expression: `0 0 * * ${weekday}` })
  expect(due?.toISOString().slice(0, 10)).toBe(expected)
})
