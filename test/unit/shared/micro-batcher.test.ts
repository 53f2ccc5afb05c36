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
    ...{ lanes, sizeMax, sizeOf: (item) => item },
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

test('what comes while all lanes are taken goes together, in the order of asking, up to the size', async () => {
  const { batcher, calls } = createBatcher(2, 5)
  const first = batcher.add(5)
  const second = batcher.add(5)
  await settle()
  const others = [1, 2, 2, 9, 1].map((item) => batcher.add(item))
  await settle()
  expect(calls).toHaveLength(2)
  calls[1]?.end.resolve()
  await expect(second).resolves.toBe(10)
  await settle()
  expect(calls[2]?.items).toEqual([1, 2, 2])
  calls[2]?.end.resolve()
  await settle()
  expect(calls[3]?.items).toEqual([9])
  calls[0]?.end.resolve()
  await settle()
  expect(calls[4]?.items).toEqual([1])
  for (const { end } of calls) end.resolve()
  await expect(Promise.all([first, ...others])).resolves.toEqual([10, 2, 4, 4, 18, 2])
})

test('one bad item fails alone', async () => {
  const runs: number[][] = []
  const batcher = new MicroBatcher<number, number>({
    ...{ lanes: 1, sizeMax: 10, sizeOf: () => 1 },
    run: async (items) => {
      runs.push([...items])
      if (items.includes(2)) throw new Error('bad')
      return items
    },
  })
  const answers = await Promise.allSettled([1, 2, 3].map((item) => batcher.add(item)))
  expect(answers.map(({ status }) => status)).toEqual(['fulfilled', 'rejected', 'fulfilled'])
  expect(runs).toEqual([[1, 2, 3], [1], [2], [3]])
})
