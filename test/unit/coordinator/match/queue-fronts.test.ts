import { beforeEach, expect, test } from 'vitest'
import type { ExecutionId } from '../../../../coordinator/job/execution.ts'
import type { QueuedExecution } from '../../../../coordinator/match/match.ts'
import { QueueFronts, type QueueLook } from '../../../../coordinator/match/queue-fronts.ts'
import { createFakeClock, type FakeClock } from '../../../support/fake-clock.ts'

let clock: FakeClock
let fronts: QueueFronts
/** `available_at` of what is queued, by class, in the order of the queue. */
let queues: Record<number, number[]>
/** From where each statement looked, in ms. */
let asked: number[][]
let lookTakesMs: number

beforeEach(() => {
  clock = createFakeClock()
  fronts = new QueueFronts(clock)
  queues = { 1: [], 2: [] }
  asked = []
  lookTakesMs = 0
})

/** Reads two of each class. */
async function read(...classIds: number[]): Promise<number[]> {
  const limit = 2
  const look = async (looks: readonly QueueLook[]): Promise<QueuedExecution[]> => {
    asked.push(looks.map(({ since }) => since.getTime()))
    await clock.advance(lookTakesMs)
    return looks.flatMap(({ classId, since }) =>
      queues[classId]!.filter((atMs) => atMs >= since.getTime())
        .slice(0, limit)
        .map((atMs) => ({
          id: `${atMs}` as ExecutionId,
          classId,
          priority: 0,
          availableAt: new Date(atMs),
        })),
    )
  }
  const found = await fronts.read(classIds, limit, look)
  return found.map(({ availableAt }) => availableAt.getTime())
}

test('a look begins where the one before found its first row', async () => {
  queues[1] = [10, 20, 30, 40, 50]
  expect(await read(1)).toEqual([10, 20])
  queues[1] = [30, 40, 50]
  expect(await read(1)).toEqual([30, 40])
  queues[1] = [40, 50]
  expect(await read(1)).toEqual([40, 50])
  expect(asked).toEqual([[0], [10], [30]])
})

test('one that does not give all that was asked for is looked at from the very front at once', async () => {
  queues[1] = [30, 40, 50]
  await read(1)
  // One of them has come back to the queue with what it had before.
  queues[1] = [5, 50]
  expect(await read(1)).toEqual([5, 50])
  expect(asked).toEqual([[0], [30], [0]])
})

test('an execution that came back is seen after a while', async () => {
  queues[1] = [30, 40, 50]
  await read(1)
  queues[1] = [5, 30, 40, 50]
  await clock.advance(249)
  expect(await read(1)).toEqual([30, 40])
  await clock.advance(1)
  expect(await read(1)).toEqual([5, 30])
})

test('looks from the very front take a twentieth of the time, and come every two seconds at the latest', async () => {
  queues[1] = [30, 40]
  lookTakesMs = 50
  await read(1)
  lookTakesMs = 0
  await clock.advance(999)
  await read(1)
  await clock.advance(1)
  lookTakesMs = 5_000
  await read(1)
  lookTakesMs = 0
  await clock.advance(1_999)
  await read(1)
  await clock.advance(1)
  await read(1)
  expect(asked).toEqual([[0], [30], [0], [30], [0]])
})

test('all classes are looked at from their very front as long as one of them has no other', async () => {
  queues = { 1: [30, 40], 2: [70] }
  await read(1, 2)
  await read(1, 2)
  queues[2] = [70, 80]
  await read(1, 2)
  await read(1, 2)
  expect(asked).toEqual([
    [0, 0],
    [0, 0],
    [0, 0],
    [30, 70],
  ])
})

test('what waits longest goes first, though one of a higher priority came after it', async () => {
  const waiting = [
    { priority: 5, atMs: 30 },
    { priority: 0, atMs: 10 },
    { priority: 0, atMs: 40 },
  ]
  const look = async ([front]: readonly QueueLook[]): Promise<QueuedExecution[]> =>
    waiting
      .filter(({ atMs, priority }) => {
        return priority >= front!.priority && atMs >= front!.since.getTime()
      })
      .slice(0, 1)
      .map(({ atMs, priority }) => {
        return { id: `${atMs}` as ExecutionId, classId: 1, priority, availableAt: new Date(atMs) }
      })
  const order: string[] = []
  while (waiting.length > 0) {
    for (const { id } of await fronts.read([1], 1, look)) order.push(id)
    waiting.shift()
  }
  expect(order).toEqual(['30', '10', '40'])
})
