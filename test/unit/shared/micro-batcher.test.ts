import { expect, test } from 'vitest'
import { MicroBatcher } from '../../../shared/micro-batcher.ts'

interface Call {
  readonly items: readonly number[]
  readonly end: PromiseWithResolvers<void>
}

/** Answers each item with its double, when told to. */
function createBatcher(lanes: number, sizeMax: number) {
  const calls: Call[] = []
  const batcher = new MicroBatcher<number, number>({
    ...{ lanes, sizeMax, sizeOf: (item) => item, isUndone: () => true },
    run: async (items) => {
      const end = Promise.withResolvers<void>()
      calls.push({ items, end })
      await end.promise
      return items.map((item) => 2 * item)
    },
  })
  return { batcher, calls }
}

/** Until nothing more happens by itself. */
async function settle(): Promise<void> {
  for (let turn = 0; turn < 10; turn++) await Promise.resolve()
}

test('one alone goes at once', async () => {
  const { batcher, calls } = createBatcher(1, 10)
  const answer = batcher.add(1)
  await settle()
  expect(calls.map(({ items }) => items)).toEqual([[1]])
  calls[0]?.end.resolve()
  await expect(answer).resolves.toBe(2)
})

test('what comes while a call is under way goes together, in the order of asking, up to the size', async () => {
  const { batcher, calls } = createBatcher(1, 5)
  const first = batcher.add(1)
  await settle()
  const others = [1, 2, 2, 9, 1].map((item) => batcher.add(item))
  for (const [index, items] of [[1], [1, 2, 2], [9], [1]].entries()) {
    await settle()
    expect(calls[index]?.items).toEqual(items)
    expect(calls).toHaveLength(index + 1)
    calls[index]?.end.resolve()
  }
  await expect(Promise.all([first, ...others])).resolves.toEqual([2, 2, 4, 4, 18, 2])
})

test('another lane opens for a whole call, and no more than there are', async () => {
  const { batcher, calls } = createBatcher(2, 5)
  const answers = [batcher.add(1)]
  await settle()
  answers.push(batcher.add(4))
  await settle()
  expect(calls).toHaveLength(1)
  answers.push(batcher.add(1), batcher.add(5))
  await settle()
  expect(calls.map(({ items }) => items)).toEqual([[1], [4, 1]])
  for (let index = 0; index < 3; index++) {
    calls[index]?.end.resolve()
    await settle()
  }
  await expect(Promise.all(answers)).resolves.toEqual([2, 8, 2, 10])
})

test.each([
  ['alone when nothing was changed', true, ['fulfilled', 'rejected', 'fulfilled'], 4],
  ['with all others when something may have been', false, ['rejected', 'rejected', 'rejected'], 1],
])('one bad item fails %s', async (_, isUndone, statuses, count) => {
  const runs: number[][] = []
  const batcher = new MicroBatcher<number, number>({
    ...{ lanes: 1, sizeMax: 10, sizeOf: () => 1, isUndone: () => isUndone },
    run: async (items) => {
      runs.push([...items])
      if (items.includes(2)) throw new Error('bad')
      return items
    },
  })
  const answers = await Promise.allSettled([1, 2, 3].map((item) => batcher.add(item)))
  expect(answers.map(({ status }) => status)).toEqual(statuses)
  expect(runs).toEqual([[1, 2, 3], [1], [2], [3]].slice(0, count))
})
