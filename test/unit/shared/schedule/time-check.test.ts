/** A slice of `npm run time-check`; the long form compares a quarter of a million cases. */
import { expect, test } from 'vitest'
import { changingZones, checkTimes } from '../../../time-check/check-times.ts'

test('due times are those that a look at every minute finds', () => {
  const report = checkTimes({ seed: 20_261_120, cases: 800, casesPerWindow: 10 })
  expect(report.differences).toEqual([])
  expect(report.cases).toBeGreaterThanOrEqual(800)
  expect(report.dueTimes).toBeGreaterThan(15_000)
})

test('zones whose clocks change are looked at, from all over the world', () => {
  const zones = changingZones()
  expect(zones.length).toBeGreaterThan(250)
  expect(zones).toEqual(
    expect.arrayContaining(['Pacific/Apia', 'Africa/Monrovia', 'Europe/Dublin']),
  )
})
