import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { decideRebalance, type Load } from '../../../../coordinator/cluster/decide-rebalance.ts'

function loadsOf(counts: readonly number[]): Load[] {
  return counts.map((sessionCount, index) => {
    const id = String.fromCharCode(97 + index)
    return { id, address: `${id}:1`, sessionCount }
  })
}

/** All coordinators decide on the same view, and all agents go. */
function step(counts: readonly number[]): number[] {
  const loads = loadsOf(counts)
  const next = [...counts]
  for (const [from, own] of loads.entries()) {
    const others = loads.filter(({ id }) => id !== own.id)
    for (const { address, count } of decideRebalance(own, others)) {
      next[from]! -= count
      next[loads.findIndex((each) => each.address === address)]! += count
    }
  }
  return next
}

function sum(counts: readonly number[]): number {
  return counts.reduce((total, count) => total + count, 0)
}

function decided(...counts: readonly number[]): Record<string, number> {
  const [own, ...others] = loadsOf(counts)
  const transfers = decideRebalance(own!, others)
  return Object.fromEntries(transfers.map(({ address, count }) => [address, count]))
}

test.each([
  ['alone', [5], {}],
  ['with as many as the other', [5, 5], {}],
  ['with one more than the other', [6, 5], {}],
  ['with all there are of two', [2, 0], { 'b:1': 1 }],
  ['with all: a quarter at once', [12, 0], { 'b:1': 3 }],
  ['with a little more of many', [52, 48], {}],
  ['with clearly more of many', [60, 40], { 'b:1': 10 }],
  ['with less than the other', [0, 8], {}],
  ['beside an empty one and a full one: the empty one first', [10, 0, 5], { 'b:1': 2 }],
  ['beside two empty ones: to both', [12, 0, 0], { 'b:1': 2, 'c:1': 1 }],
])('a coordinator %s', (_, counts, transfers) => {
  expect(decided(...counts)).toEqual(transfers)
})

describe('whatever the loads are', () => {
  const counts = fc.array(fc.nat(400), { minLength: 1, maxLength: 7 })

  test('nobody is lost, and nobody who gave gets back or falls below the mean', () => {
    fc.assert(
      fc.property(counts, (before) => {
        const after = step(before)
        expect(sum(after)).toBe(sum(before))
        const mean = Math.ceil(sum(before) / before.length)
        for (const [index, count] of after.entries()) {
          if (count < before[index]!) expect(count).toBeGreaterThanOrEqual(mean)
          if (count > before[index]!) expect(count).toBeLessThanOrEqual(mean)
        }
      }),
    )
  })

  test('it comes to rest, close to the mean', () => {
    fc.assert(
      fc.property(counts, (before) => {
        let now: readonly number[] = before
        for (let round = 0; round < 60; round++) now = step(now)
        expect(step(now)).toEqual(now)
        const mean = Math.ceil(sum(now) / now.length)
        expect(Math.max(...now) - mean).toBeLessThan(Math.max(1, mean * 0.1))
      }),
    )
  })
})
