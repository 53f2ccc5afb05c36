import fc from 'fast-check'
import { expect, test } from 'vitest'
import { backoffDelayMs } from '../../../shared/backoff.ts'

const DOUBLING = { delayMs: 200, maxDelayMs: 2_000, multiplier: 2, jitter: 0.5 }

test('it grows from the delay to the maximum', () => {
  const delays = [1, 2, 3, 4, 5, 6].map((retry) => backoffDelayMs(DOUBLING, retry, 0))
  expect(delays).toEqual([200, 400, 800, 1_600, 2_000, 2_000])
})

test('jitter adds its share of the delay at most', () => {
  expect(backoffDelayMs(DOUBLING, 1, 0.5)).toBe(250)
  expect(backoffDelayMs(DOUBLING, 6, 0.999)).toBeLessThanOrEqual(3_000)
})

test('a multiplier of 1 keeps the delay', () => {
  expect(backoffDelayMs({ ...DOUBLING, multiplier: 1 }, 1_000, 0)).toBe(200)
})

test('however many retries there were, it is a time that can be waited', () => {
  fc.assert(
    fc.property(
      fc.integer({ min: 1, max: 1_000_000 }),
      fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true }),
      (retry, fraction) => {
        const delayMs = backoffDelayMs(DOUBLING, retry, fraction)
        expect(delayMs).toBeGreaterThanOrEqual(200)
        expect(delayMs).toBeLessThanOrEqual(3_000)
      },
    ),
  )
})
