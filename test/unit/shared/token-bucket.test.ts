import { expect, test } from 'vitest'
import { KeyedBuckets } from '../../../shared/keyed-buckets.ts'
import { TokenBucket } from '../../../shared/token-bucket.ts'
import { createFakeClock } from '../../support/fake-clock.ts'

const RATE = { perSecond: 10, burst: 5 }

test('a burst goes through at once, then as many as the rate', async () => {
  const clock = createFakeClock()
  const bucket = new TokenBucket(clock, RATE)
  expect(Array.from({ length: 6 }, () => bucket.take())).toEqual([0, 0, 0, 0, 0, 100])
  await clock.advance(100)
  expect(bucket.take()).toBe(0)
  expect(bucket.take()).toBe(100)
})

test('what is not there is not taken, and is said to come when it does', async () => {
  const clock = createFakeClock()
  const bucket = new TokenBucket(clock, RATE)
  bucket.take(4)
  expect(bucket.take(3)).toBe(200)
  expect(bucket.look(1)).toBe(0)
  await clock.advance(199)
  expect(bucket.take(3)).toBeGreaterThan(0)
  await clock.advance(1)
  expect(bucket.take(3)).toBe(0)
})

test('a pause saves up to the burst and no more', async () => {
  const clock = createFakeClock()
  const bucket = new TokenBucket(clock, RATE)
  bucket.take(5)
  await clock.advance(3_600_000)
  expect(bucket.take(5)).toBe(0)
  expect(bucket.take()).toBe(100)
})

test('spending more than there is leaves a debt that takes its time', async () => {
  const clock = createFakeClock()
  const bucket = new TokenBucket(clock, RATE)
  expect(bucket.spend(5)).toBe(0)
  expect(bucket.spend(20)).toBe(2_000)
  await clock.advance(1_500)
  expect(bucket.spend(0)).toBe(500)
  await clock.advance(500)
  expect(bucket.spend(0)).toBe(0)
})

test('each key has its own bucket, and the keys are bounded', () => {
  const buckets = new KeyedBuckets<number>(createFakeClock(), { perSecond: 0.001, burst: 1 })
  expect(buckets.take(1)).toBe(0)
  expect(buckets.take(1)).toBeGreaterThan(0)
  expect(buckets.take(2)).toBe(0)
  for (let key = 3; key < 50_000; key++) {
    buckets.take(key)
    // The one in use is never the one that is forgotten.
    if (key % 1_000 === 0) expect(buckets.look(1)).toBeGreaterThan(0)
  }
  expect(buckets.size).toBe(10_000)
})
