import { expect, test } from 'vitest'
import { pauseAfter } from '../../../../coordinator/match/pause-after.ts'

test.each([
  [0, 100],
  [5, 100],
  [30, 600],
  [100, 2_000],
  [10_000, 2_000],
])('a look that took %i ms comes again after %i ms', (tookMs, pauseMs) => {
  expect(pauseAfter(tookMs, { leastMs: 100, mostMs: 2_000 })).toBeCloseTo(pauseMs)
})
