import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import {
  durationFromMs,
  durationToMs,
  formatDurationMs,
  parseDurationMs,
} from '../../../shared/duration.ts'

describe('parseDurationMs', () => {
  test.each([
    ['90s', 90_000],
    ['250ms', 250],
    ['1h30m', 5_400_000],
    ['2d', 172_800_000],
    ['1w', 604_800_000],
    [' 1.5m ', 90_000],
    ['0s', 0],
    ['1m1ms', 60_001],
  ])('reads %j', (text, ms) => {
    expect(parseDurationMs(text)).toBe(ms)
  })

  test.each(['', ' ', '5', 's', '-5s', '5 s', '1h 30m', '5S', '1..5s', '5x', 'x5s', '5s!'])(
    'refuses %j',
    (text) => {
      expect(parseDurationMs(text)).toBeUndefined()
    },
  )

  test('never throws', () => {
    fc.assert(
      fc.property(fc.string(), (text) => {
        expect(['number', 'undefined']).toContain(typeof parseDurationMs(text))
      }),
    )
  })
})

describe('formatDurationMs', () => {
  test.each([
    [0, '0ms'],
    [250, '250ms'],
    [999, '999ms'],
    [1_000, '1s'],
    [2_500, '2.5s'],
    [60_000, '1m'],
    [5_400_000, '1h30m'],
    [3_661_000, '1h1m'],
    [86_400_000, '1d'],
    [90_000_000, '1d1h'],
    [86_460_000, '1d'],
  ])('%i ms is %s', (ms, text) => {
    expect(formatDurationMs(ms)).toBe(text)
  })

  test('what it shows in whole units is read back', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 10_000 }),
        fc.constantFrom(1_000, 60_000, 3_600_000, 86_400_000),
        (count, unitMs) => {
          const ms = Math.min(count, unitMs === 86_400_000 ? 10_000 : 59) * unitMs
          expect(parseDurationMs(formatDurationMs(ms))).toBe(ms)
        },
      ),
    )
  })
})

describe('protobuf durations', () => {
  test('hold milliseconds, also negative ones', () => {
    expect(durationFromMs(1_250)).toEqual({ seconds: 1n, nanos: 250_000_000 })
    expect(durationFromMs(-1_250)).toEqual({ seconds: -1n, nanos: -250_000_000 })
    expect(durationToMs(undefined)).toBeUndefined()
  })

  test('give back what they were made of', () => {
    fc.assert(
      fc.property(fc.integer({ min: -(2 ** 45), max: 2 ** 45 }), (ms) => {
        expect(durationToMs(durationFromMs(ms))).toBe(ms)
      }),
    )
  })
})
