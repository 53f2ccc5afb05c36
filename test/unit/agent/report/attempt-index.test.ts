import { expect, test } from 'vitest'
import { AttemptIndex } from '../../../../agent/report/attempt-index.ts'

const first = { execution: 'a', epoch: 1n }
const second = { execution: 'a', epoch: 2n }
const other = { execution: 'b', epoch: 1n }

test('attempts of one execution are told apart by their epochs', () => {
  const index = new AttemptIndex()
  for (const entry of [first, other, second]) index.add(entry)
  expect(index.size).toBe(3)
  expect(index.get({ execution: 'a', epoch: 2n })).toBe(second)
  expect(index.get({ execution: 'a', epoch: 3n })).toBeUndefined()
  expect(index.ofExecution('a')).toEqual([first, second])
  expect([...index]).toEqual([first, second, other])
})

test('what was removed is gone, and only that', () => {
  const index = new AttemptIndex()
  for (const entry of [first, second, other]) index.add(entry)
  expect(index.delete({ execution: 'a', epoch: 1n })).toBe(first)
  expect(index.delete(first)).toBeUndefined()
  expect([...index]).toEqual([second, other])
  index.delete(second)
  expect(index.ofExecution('a')).toEqual([])
  expect(index.size).toBe(1)
})

test('entries may be removed while all are walked', () => {
  const index = new AttemptIndex()
  for (const entry of [first, second, other]) index.add(entry)
  const seen: unknown[] = []
  for (const entry of index) {
    seen.push(entry)
    index.delete(entry)
  }
  expect(seen).toEqual([first, second, other])
  expect(index.size).toBe(0)
})

test('the newest of an execution is found whatever came first', () => {
  const index = new AttemptIndex()
  for (const entry of [second, other, first]) index.add(entry)
  expect(index.newestOf('a')).toBe(second)
  expect(index.newestOf('c')).toBeUndefined()
  expect([index.isAlone(first), index.isAlone(other)]).toEqual([false, true])
  index.delete(other)
  index.delete(second)
  expect(index.newestOf('a')).toBe(first)
  expect(index.isAlone(first)).toBe(true)
})
