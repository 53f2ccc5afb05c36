import { expect, test } from 'vitest'
import { Turns } from '../../../../../coordinator/rpc/limits/turns.ts'
import { createFakeClock } from '../../../../support/fake-clock.ts'

/** Work that ends when it is told to. */
function openWork() {
  const begun: number[] = []
  const ends: (() => void)[] = []
  const work = (number: number) => async () => {
    begun.push(number)
    await new Promise<void>((resolve) => ends.push(resolve))
    return number
  }
  return { begun, ends, work }
}

test('some work at once, the others after them in their order', async () => {
  const clock = createFakeClock()
  const turns = new Turns(clock, { atOnce: 2 })
  const { begun, ends, work } = openWork()
  const all = [1, 2, 3, 4].map(async (number) => turns.take(work(number)))
  await clock.advance(3_600_000)
  expect(begun).toEqual([1, 2])
  expect(turns.waiting).toBe(2)
  ends[1]?.()
  await clock.advance(0)
  expect(begun).toEqual([1, 2, 3])
  ends[0]?.()
  await clock.advance(0)
  for (const end of ends) end()
  expect(await Promise.all(all)).toEqual([1, 2, 3, 4])
  expect(turns.waiting).toBe(0)
})

test('who would wait too long is told so, and takes nobody’s turn', async () => {
  const clock = createFakeClock()
  const turns = new Turns(clock, { atOnce: 1, waitMs: 1_500 })
  const { begun, ends, work } = openWork()
  const first = turns.take(work(1))
  const second = turns.take(work(2)).catch((error: unknown) => error)
  await clock.advance(1_000)
  const third = turns.take(work(3))
  await clock.advance(500)
  expect(await second).toMatchObject({ reason: 'OVERLOADED', retryAfterMs: 1_500 })
  ends[0]?.()
  await clock.advance(0)
  expect(begun).toEqual([1, 3])
  ends[1]?.()
  expect([await first, await third]).toEqual([1, 3])
  expect(clock.pending).toBe(0)
})

test('work that fails makes room', async () => {
  const turns = new Turns(createFakeClock(), { atOnce: 1 })
  for (let count = 0; count < 3; count++) {
    await expect(turns.take(async () => Promise.reject(new Error('no')))).rejects.toThrow('no')
  }
  expect(await turns.take(async () => 'yes')).toBe('yes')
})
