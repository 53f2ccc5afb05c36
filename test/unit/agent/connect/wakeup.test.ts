import { expect, test } from 'vitest'
import { Wakeup } from '../../../../agent/connect/wakeup.ts'

async function isWaiting(promise: Promise<unknown>): Promise<boolean> {
  const soon = new Promise((resolve) => setImmediate(() => resolve(undefined)))
  return (await Promise.race([promise.then(() => true), soon])) !== true
}

test('a wake-up before the wait is not lost, and counts once', async () => {
  const wakeup = new Wakeup()
  wakeup.wake()
  wakeup.wake()
  const seen = await wakeup.wait(0)
  const waiting = wakeup.wait(seen)
  expect(await isWaiting(waiting)).toBe(true)
  wakeup.wake()
  expect(await waiting).toBeGreaterThan(seen)
})

test('of two that wait neither takes the wake-up from the other', async () => {
  const wakeup = new Wakeup()
  const first = wakeup.wait(0)
  const second = wakeup.wait(0)
  wakeup.wake()
  const seen = await first
  wakeup.wake()
  await second
  expect(await isWaiting(wakeup.wait(seen))).toBe(false)
})
