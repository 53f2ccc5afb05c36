import { expect, test } from 'vitest'
import { ResultGathering } from '../../../../agent/report/result-gathering.ts'
import { createFakeClock } from '../../../support/fake-clock.ts'

function createGathering() {
  const clock = createFakeClock()
  const gathering = new ResultGathering(clock)
  const told: string[] = []
  const begin = (...keys: readonly string[]) => {
    for (const key of keys) gathering.begin(key)
  }
  const end = async (key: string) => {
    gathering.end(key)
    void gathering.gather().then(() => told.push(key))
    await clock.advance(0)
  }
  return { clock, gathering, told, begin, end }
}

test('a result beside nothing that is about to end goes at once', async () => {
  const { clock, gathering, told, begin, end } = createGathering()
  begin('a')
  await end('a')
  expect(told).toEqual(['a'])
  begin('b', 'c', 'long')
  gathering.start('long')
  await clock.advance(100)
  gathering.end('c')
  await end('b')
  expect(told).toEqual(['a', 'b'])
  await end('never begun')
  expect(told).toEqual(['a', 'b', 'never begun'])
})

test('results wait for each other until as many wait as are about to end', async () => {
  const { gathering, told, begin, end } = createGathering()
  begin('a', 'b', 'c', 'd', 'e')
  for (const key of ['a', 'b', 'c']) gathering.start(key)
  await end('a')
  await end('b')
  expect(told).toEqual([])
  await end('c')
  expect(told).toEqual(['a', 'b', 'c'])
  await end('d')
  expect(told).toEqual(['a', 'b', 'c', 'd'])
})

test('none waits longer than a moment', async () => {
  const { clock, told, begin, end } = createGathering()
  begin('a', 'b', 'c', 'd', 'e')
  await end('a')
  await clock.advance(30)
  await end('b')
  expect(told).toEqual([])
  await clock.advance(20)
  expect(told).toEqual(['a', 'b'])
})
