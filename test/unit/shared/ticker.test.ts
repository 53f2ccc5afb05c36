import { expect, test } from 'vitest'
import { createLogger } from '../../../shared/logger.ts'
import { Ticker } from '../../../shared/ticker.ts'
import { createFakeClock } from '../../support/fake-clock.ts'

/** A ticker whose rounds the test ends by hand. */
function setUp(options: { retryMs?: number } = {}) {
  const clock = createFakeClock()
  const lines: string[] = []
  const logger = createLogger({
    name: 'test',
    level: 'error',
    destination: { write: (line) => void lines.push(line) },
  })
  const rounds: PromiseWithResolvers<number>[] = []
  let isOverlapping = false
  let running = 0
  const ticker = new Ticker({
    name: 'sample',
    clock,
    logger,
    ...options,
    runOnce: async () => {
      running += 1
      isOverlapping ||= running > 1
      const round = Promise.withResolvers<number>()
      rounds.push(round)
      return round.promise.finally(() => {
        running -= 1
      })
    },
  })
  const end = async (index: number, waitMs: number) => {
    rounds[index]?.resolve(waitMs)
    await clock.advance(0)
  }
  return { clock, lines, rounds, ticker, end, isOverlapping: () => isOverlapping }
}

test('the first round begins at the start, the next after the delay that a round asks for', async () => {
  const { clock, rounds, ticker, end } = setUp()
  await ticker.start()
  await ticker.start()
  await clock.advance(0)
  expect(rounds).toHaveLength(1)
  await end(0, 1_000)
  await clock.advance(999)
  expect(rounds).toHaveLength(1)
  await clock.advance(1)
  expect(rounds).toHaveLength(2)
})

test('a wake-up brings the next round forward', async () => {
  const { clock, rounds, ticker, end } = setUp()
  await ticker.start()
  await clock.advance(0)
  await end(0, 60_000)
  ticker.wake()
  await clock.advance(0)
  expect(rounds).toHaveLength(2)
})

test('wake-ups during a round cause one more after it, never one beside it (T1, T2)', async () => {
  const { clock, rounds, ticker, end, isOverlapping } = setUp()
  await ticker.start()
  await clock.advance(0)
  for (let count = 0; count < 5; count++) ticker.wake()
  await clock.advance(10)
  expect(rounds).toHaveLength(1)
  await end(0, 60_000)
  expect(rounds).toHaveLength(2)
  await end(1, 60_000)
  await clock.advance(59_999)
  expect(rounds).toHaveLength(2)
  expect(isOverlapping()).toBe(false)
})

test('a failed round is logged and tried again after the retry delay (T3)', async () => {
  const { clock, lines, rounds, ticker } = setUp({ retryMs: 200 })
  await ticker.start()
  await clock.advance(0)
  rounds[0]?.reject(new Error('database away'))
  await clock.advance(199)
  expect(rounds).toHaveLength(1)
  expect(lines.map((line) => JSON.parse(line))).toMatchObject([
    { loop: 'sample', err: { message: 'database away' } },
  ])
  await clock.advance(1)
  expect(rounds).toHaveLength(2)
})

test('stop waits for the round that runs, and nothing runs after it (T4)', async () => {
  const { clock, rounds, ticker, end } = setUp()
  await ticker.start()
  await clock.advance(0)
  let isStopped = false
  const stopping = ticker.stop().then(() => {
    isStopped = true
  })
  await clock.advance(1_000)
  expect(isStopped).toBe(false)
  await end(0, 0)
  await stopping
  ticker.wake()
  await clock.advance(60_000)
  expect(rounds).toHaveLength(1)
  expect(clock.pending).toBe(0)
  await ticker.stop()
})

test('a ticker that was stopped before its first round never runs', async () => {
  const { clock, rounds, ticker } = setUp()
  ticker.wake()
  await ticker.start()
  await ticker.stop()
  await clock.advance(60_000)
  expect(rounds).toHaveLength(0)
})
