import { expect, test } from 'vitest'
import { Bell } from '../../../shared/bell.ts'
import { createFakeClock } from '../../support/fake-clock.ts'

function waiting(bell: Bell) {
  const clock = createFakeClock()
  let isOver = false
  void bell.wait(clock, 1_000).then(() => (isOver = true))
  return { clock, isOver: () => isOver }
}

test('a wait ends when it rings, and leaves no timer behind', async () => {
  const bell = new Bell()
  const { clock, isOver } = waiting(bell)
  await clock.advance(999)
  expect(isOver()).toBe(false)
  bell.ring()
  await clock.advance(0)
  expect(isOver()).toBe(true)
  expect(clock.pending).toBe(0)
})

test('a wait ends when its time is over', async () => {
  const { clock, isOver } = waiting(new Bell())
  await clock.advance(1_000)
  expect(isOver()).toBe(true)
})

test('a ring before the wait ends it at once, and only that one', async () => {
  const bell = new Bell()
  bell.ring()
  bell.ring()
  const first = waiting(bell)
  await first.clock.advance(0)
  expect(first.isOver()).toBe(true)
  const second = waiting(bell)
  await second.clock.advance(999)
  expect(second.isOver()).toBe(false)
})
