import { expect, test } from 'vitest'
import { sleep, systemClock } from '../../../shared/clock.ts'
import { createFakeClock } from '../../support/fake-clock.ts'

test('a sleep ends when its time is over, not before', async () => {
  const clock = createFakeClock()
  let isOver = false
  const sleeping = sleep(clock, 100).then(() => {
    isOver = true
  })
  await clock.advance(99)
  expect(isOver).toBe(false)
  await clock.advance(1)
  expect(isOver).toBe(true)
  await sleeping
})

test('an abort ends a sleep at once and leaves no timer', async () => {
  const clock = createFakeClock()
  const controller = new AbortController()
  const sleeping = sleep(clock, 1_000_000, controller.signal)
  expect(clock.pending).toBe(1)
  controller.abort()
  await sleeping
  expect(clock.pending).toBe(0)
})

test('a sleep under an aborted signal never begins', async () => {
  const clock = createFakeClock()
  await sleep(clock, 1_000_000, AbortSignal.abort())
  expect(clock.pending).toBe(0)
})

test('the system clock goes on, in both its kinds of time', async () => {
  const before = { now: systemClock.now(), monotonicMs: systemClock.monotonicMs() }
  await sleep(systemClock, 5)
  expect(systemClock.monotonicMs() - before.monotonicMs).toBeGreaterThanOrEqual(4)
  expect(systemClock.now().getTime()).toBeGreaterThanOrEqual(before.now.getTime())
})

test('a delay longer than timers can hold does not fire at once', async () => {
  let isFired = false
  const timer = systemClock.after(1e12, () => {
    isFired = true
  })
  await sleep(systemClock, 5)
  timer.cancel()
  timer.cancel()
  expect(isFired).toBe(false)
})
