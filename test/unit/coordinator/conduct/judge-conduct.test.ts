import { expect, test } from 'vitest'
import {
  describeOffences,
  isHopeless,
  isRefused,
  PATIENCE,
  quarantineMs,
  WEIGHTS,
} from '../../../../coordinator/conduct/judge-conduct.ts'

test('quarantines grow up to ten minutes', () => {
  const lengths = [1, 2, 3, 4, 5, 6, 7, 8, 100].map((count) => quarantineMs(count) / 1_000)
  expect(lengths).toEqual([10, 20, 40, 80, 160, 320, 600, 600, 600])
})

test('the third one in a row is for a person to look at', () => {
  expect([1, 2, 3, 4].map(isHopeless)).toEqual([false, false, true, true])
})

test('what honest agents make after the longest outage is far from what patience bears', () => {
  // All slots and as many unacknowledged results, on each of some reconnects, each reported thrice.
  const spoken = 2_000 * 3 * 10
  expect(WEIGHTS.stale * spoken).toBeLessThan(PATIENCE.burst)
  expect(WEIGHTS.unknown * 2_000 * 3).toBeLessThan(PATIENCE.burst)
})

test('one flood is borne, a few broken streams, some attempts of others', () => {
  expect(PATIENCE.burst / WEIGHTS.flood).toBe(1)
  expect(PATIENCE.burst / WEIGHTS.protocol).toBe(4)
  expect(PATIENCE.burst / WEIGHTS.foreign).toBe(20)
})

test('stale messages are not counted as refused', () => {
  expect(isRefused('stale')).toBe(false)
  expect(isRefused('unknown')).toBe(true)
})

test('the evidence says what was seen', () => {
  expect(describeOffences({ foreign: 20, protocol: 1, stale: 0 }, 'executions/1')).toBe(
    'refused messages of its agent: 20 foreign, 1 protocol; the last one: executions/1',
  )
})
