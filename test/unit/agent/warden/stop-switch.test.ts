import { expect, test } from 'vitest'
import { StopSwitch } from '../../../../agent/warden/stop-switch.ts'

function create() {
  const graces: number[] = []
  const stop = new StopSwitch()
  return { stop, graces, listen: () => stop.onRequest((graceMs) => graces.push(graceMs)) }
}

test('the first cause counts, a later one can only hurry', () => {
  const { stop, graces, listen } = create()
  listen()
  stop.request({ kind: 'cancelled', reason: 'a' }, 5_000)
  stop.request({ kind: 'lost', reason: 'b' }, 2_000)
  stop.request({ kind: 'timeout', timeoutMs: 1 }, 9_000)
  expect(stop.cause).toEqual({ kind: 'cancelled', reason: 'a' })
  expect(graces).toEqual([5_000, 2_000])
})

test('who listens late is told at once', () => {
  const { stop, graces, listen } = create()
  stop.request({ kind: 'cancelled', reason: 'a' }, 5_000)
  listen()
  expect(graces).toEqual([5_000])
})

test('after the end a request means nothing', () => {
  const { stop, graces, listen } = create()
  listen()
  stop.close()
  stop.request({ kind: 'timeout', timeoutMs: 1 }, 0)
  expect(stop.cause).toBeUndefined()
  expect(graces).toEqual([])
})
