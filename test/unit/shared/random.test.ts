import { expect, test } from 'vitest'
import { systemRandom } from '../../../shared/random.ts'

test('fractions lie in [0, 1) and differ', () => {
  const fractions = Array.from({ length: 1_000 }, () => systemRandom.fraction())
  expect(fractions.every((fraction) => fraction >= 0 && fraction < 1)).toBe(true)
  expect(new Set(fractions).size).toBeGreaterThan(990)
})

test('bytes are as many as wanted, and never the same', () => {
  expect(systemRandom.bytes(16)).toHaveLength(16)
  expect(systemRandom.bytes(16)).not.toEqual(systemRandom.bytes(16))
})
