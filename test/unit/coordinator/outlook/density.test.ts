import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import {
  chooseBucketMs,
  countBuckets,
  type ExpectedRun,
  measureDensity,
} from '../../../../coordinator/outlook/density.ts'

const HOUR_MS = 3_600_000
const DAY_MS = 24 * HOUR_MS

describe('a bucket', () => {
  test.each([
    [10_000, 1_000],
    [HOUR_MS, 120_000],
    [DAY_MS, 1_800_000],
    [7 * DAY_MS, 6 * HOUR_MS],
    [31 * DAY_MS, DAY_MS],
    [366 * DAY_MS, 14 * DAY_MS],
    [3_660 * DAY_MS, 77 * DAY_MS],
  ])('of a window of %i ms is %i ms long', (windowMs, bucketMs) => {
    expect(chooseBucketMs(windowMs)).toBe(bucketMs)
  })

  test('begins at a whole multiple of its length, and there are 49 of them at most', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 0, max: 1e12 }),
        fc.integer({ min: 1, max: 4e10 }),
        (startMs, span) => {
          const bucketMs = chooseBucketMs(span)
          const window = { startMs, endMs: startMs + span, bucketMs }
          const buckets = measureDensity(window, [])
          expect(buckets.length).toBe(countBuckets(window))
          expect(buckets.length).toBeLessThanOrEqual(49)
          expect(buckets[0]!.startMs).toBeLessThanOrEqual(startMs)
          expect(buckets[0]!.startMs).toBeGreaterThan(startMs - bucketMs)
          expect(buckets.at(-1)!.startMs + bucketMs).toBeGreaterThanOrEqual(startMs + span)
          expect(buckets.every((bucket) => bucket.startMs % bucketMs === 0)).toBe(true)
        },
      ),
    )
  })
})

const run = fc.record({
  atMs: fc.integer({ min: 3, max: 59 }),
  slots: fc.integer({ min: 1, max: 4 }),
  durationMs: fc.option(fc.integer({ min: 0, max: 80 }), { nil: undefined }),
})

test('what is counted is what a look at every millisecond finds', () => {
  const window = { startMs: 3, endMs: 60, bucketMs: 7 }
  const look = (runs: readonly ExpectedRun[], fromMs: number) => {
    const busy = Array.from({ length: 7 }, (_, index) => fromMs + index).map((atMs) =>
      runs
        .filter((each) => each.atMs <= atMs && atMs < each.atMs + (each.durationMs ?? 0))
        .reduce((sum, { slots }) => sum + slots, 0),
    )
    return busy.reduce((sum, slots) => sum + slots, 0) / 7
  }
  fc.assert(
    fc.property(fc.array(run, { maxLength: 20 }), (runs) => {
      const buckets = measureDensity(window, runs)
      expect(buckets.map(({ startMs }) => startMs)).toEqual([0, 7, 14, 21, 28, 35, 42, 49, 56])
      for (const { startMs, runs: count, expectedSlots } of buckets) {
        expect(count).toBe(runs.filter(({ atMs }) => Math.floor(atMs / 7) * 7 === startMs).length)
        expect(expectedSlots).toBeCloseTo(look(runs, startMs), 9)
      }
    }),
  )
})

test('a run of unknown length is counted, its slots are not', () => {
  const window = { startMs: 0, endMs: 10, bucketMs: 10 }
  expect(measureDensity(window, [{ atMs: 1, slots: 3, durationMs: undefined }])).toEqual([
    { startMs: 0, runs: 1, expectedSlots: 0 },
  ])
})
