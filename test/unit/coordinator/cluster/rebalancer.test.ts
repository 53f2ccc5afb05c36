import { expect, test } from 'vitest'
import { Rebalancer } from '../../../../coordinator/cluster/rebalancer.ts'

const SETTLE_MS = 6_000
const own = { id: 'a', address: 'a:1', sessionCount: 8 }
const empty = { id: 'b', address: 'b:1', sessionCount: 0 }
const full = { ...empty, sessionCount: 8 }
const two = [{ address: 'b:1', count: 2 }]

test('a coordinator that has just come gets nothing yet', () => {
  const rebalancer = new Rebalancer(SETTLE_MS)
  rebalancer.look(0, own, [])
  expect(rebalancer.look(10_000, own, [empty])).toEqual([])
  expect(rebalancer.look(15_999, own, [empty])).toEqual([])
  expect(rebalancer.look(16_000, own, [empty])).toEqual(two)
})

test('a difference that passes is let pass', () => {
  const rebalancer = new Rebalancer(SETTLE_MS)
  rebalancer.look(0, own, [full])
  rebalancer.look(10_000, own, [empty])
  rebalancer.look(13_000, own, [full])
  expect(rebalancer.look(16_000, own, [empty])).toEqual([])
  expect(rebalancer.look(22_000, own, [empty])).toEqual(two)
})

test('after each share it waits to see what came of it', () => {
  const rebalancer = new Rebalancer(SETTLE_MS)
  rebalancer.look(0, own, [empty])
  expect(rebalancer.look(6_000, own, [empty])).toEqual(two)
  expect(rebalancer.look(7_000, own, [empty])).toEqual([])
  expect(rebalancer.look(11_999, own, [empty])).toEqual([])
  expect(rebalancer.look(13_000, own, [empty])).toEqual(two)
})

test('one that comes and goes keeps everything where it is', () => {
  const rebalancer = new Rebalancer(SETTLE_MS)
  for (let nowMs = 0; nowMs < 100_000; nowMs += 4_000) {
    const others = (nowMs / 4_000) % 2 === 0 ? [] : [empty]
    expect(rebalancer.look(nowMs, own, others)).toEqual([])
  }
})
