import { expect, test } from 'vitest'
import { FLOOD_MS, StreamPace } from '../../../../../coordinator/rpc/limits/stream-pace.ts'
import { createFakeClock } from '../../../../support/fake-clock.ts'

const RATES = {
  messages: { perSecond: 100, burst: 10 },
  bytes: { perSecond: 1_000, burst: 1_000 },
  entries: { perSecond: 100, burst: 1_000 },
}
const NOTHING = { bytes: 0, entries: 0 }
const { signal } = new AbortController()

test('what is within the burst does not wait', async () => {
  const clock = createFakeClock()
  const pace = new StreamPace(clock, RATES)
  for (let count = 0; count < 10; count++) await pace.pause(NOTHING, signal)
  expect(clock.pending).toBe(0)
})

test.each([
  ['messages', Array.from({ length: 11 }, () => NOTHING), 10],
  ['bytes', [{ bytes: 1_500, entries: 0 }], 500],
  ['attempts', [{ bytes: 0, entries: 1_100 }], 1_000],
])('too many %s make the reader wait', async (_, costs, waitMs) => {
  const clock = createFakeClock()
  const pace = new StreamPace(clock, RATES)
  const last = costs.length - 1
  for (const cost of costs.slice(0, last)) await pace.pause(cost, signal)
  let isDone = false
  const waiting = pace.pause(costs[last] ?? NOTHING, signal).then((isFlood) => {
    isDone = true
    return isFlood
  })
  await clock.advance(waitMs - 1)
  expect(isDone).toBe(false)
  await clock.advance(1)
  expect(await waiting).toBe(false)
})

test('a stream that ends does not wait any longer', async () => {
  const clock = createFakeClock()
  const ending = new AbortController()
  const waiting = new StreamPace(clock, RATES).pause({ bytes: 1e9, entries: 0 }, ending.signal)
  ending.abort()
  await waiting
  expect(clock.pending).toBe(0)
})

/** Sends one message each `everyMs`, or as soon as it may, for `totalMs`; answers when it was called a flood. */
async function push(everyMs: number, totalMs: number): Promise<number | undefined> {
  const clock = createFakeClock()
  const pace = new StreamPace(clock, RATES)
  while (clock.monotonicMs() < totalMs) {
    let isFlood: boolean | undefined
    void pace.pause(NOTHING, signal).then((answer) => {
      isFlood = answer
    })
    await clock.advance(everyMs)
    while (isFlood === undefined) await clock.advance(1)
    if (isFlood) return clock.monotonicMs()
  }
  return undefined
}

test('who pushes on and on is a flood', async () => {
  const floodedMs = await push(2, FLOOD_MS * 3)
  expect(floodedMs).toBeGreaterThan(FLOOD_MS)
  expect(floodedMs).toBeLessThan(FLOOD_MS + 1_000)
})

test('who keeps to the rate is none, nor who sends much and rests', async () => {
  expect(await push(11, FLOOD_MS * 3)).toBeUndefined()
  const clock = createFakeClock()
  const pace = new StreamPace(clock, RATES)
  for (let round = 0; round < 100; round++) {
    const paused = Promise.all(Array.from({ length: 60 }, async () => pace.pause(NOTHING, signal)))
    await clock.advance(600)
    expect(await paused).not.toContain(true)
  }
})
