import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import type { SessionId } from '../../../../coordinator/job/execution.ts'
import { createLeaseWatch } from '../../../../coordinator/settle/lease-watch.ts'

const TIMES = { leaseMs: 12_000, graceMs: 2_000 }
const END_MS = TIMES.leaseMs + TIMES.graceMs
const LOOK_MS = 500

function lease(index: number, renewals: number, ageMs: number) {
  return { sessionId: `session-${index}` as SessionId, renewals, ageMs }
}

/** Looks every LOOK_MS; answers after how many ms each session was found over. */
function lookFor(
  forMs: number,
  leasesAt: (nowMs: number) => ReturnType<typeof lease>[],
): Map<SessionId, number> {
  const watch = createLeaseWatch(TIMES, LOOK_MS)
  const ended = new Map<SessionId, number>()
  for (let nowMs = 0; nowMs <= forMs; nowMs += LOOK_MS) {
    for (const id of watch.observe(leasesAt(nowMs), nowMs)) if (!ended.has(id)) ended.set(id, nowMs)
  }
  return ended
}

describe('a lease', () => {
  test('that is silent ends after L + G, within two looks', () => {
    const ended = lookFor(30_000, (nowMs) => [lease(1, 5, nowMs), lease(2, nowMs, 0)])
    expect([...ended.keys()]).toEqual(['session-1'])
    const endedMs = ended.get('session-1' as SessionId)!
    expect(endedMs).toBeGreaterThan(END_MS)
    expect(endedMs).toBeLessThanOrEqual(END_MS + 2 * LOOK_MS)
  })

  test('is looked at again just when it ends, and else at the usual turn', () => {
    const watch = createLeaseWatch(TIMES, LOOK_MS)
    expect(watch.nextLookMs(0)).toBe(LOOK_MS)
    for (let nowMs = 0; nowMs <= END_MS; nowMs += LOOK_MS) {
      expect(watch.observe([lease(1, 5, nowMs)], nowMs)).toEqual([])
    }
    expect(watch.nextLookMs(END_MS - 2_000)).toBe(LOOK_MS)
    expect(watch.nextLookMs(END_MS - 120)).toBe(121)
    expect(watch.nextLookMs(END_MS)).toBe(1)
    expect(watch.observe([lease(1, 5, END_MS + 1)], END_MS + 1)).toHaveLength(1)
    // Over for this clock, not for the other one: no hurry.
    expect(watch.nextLookMs(END_MS + 5)).toBe(LOOK_MS)
  })

  test('never ends before the counter has stood still for L + G, whatever the database says', () => {
    const steps = fc.array(
      fc.record({
        passMs: fc.integer({ min: 0, max: 20_000 }),
        isRenewed: fc.boolean(),
        ageMs: fc.integer({ min: -3_600_000, max: 3_600_000 }),
      }),
    )
    fc.assert(
      fc.property(steps, (all) => {
        const watch = createLeaseWatch(TIMES, LOOK_MS)
        let [nowMs, renewals, stillSinceMs] = [0, 0, 0]
        for (const { passMs, isRenewed, ageMs } of all) {
          nowMs += passMs
          const isFirst = stillSinceMs === 0 && renewals === 0
          if (isRenewed || isFirst) [renewals, stillSinceMs] = [renewals + 1, nowMs]
          const over = watch.observe([lease(1, renewals, ageMs)], nowMs)
          if (over.length === 0) continue
          expect(nowMs - stillSinceMs).toBeGreaterThan(END_MS)
          expect(ageMs).toBeGreaterThan(END_MS)
        }
      }),
    )
  })

  test('never ends while the database says that it is young, however still the counter', () => {
    expect(lookFor(60_000, () => [lease(1, 1, END_MS)]).size).toBe(0)
  })

  test('is watched anew by a coordinator that has just started', () => {
    const watch = createLeaseWatch(TIMES, LOOK_MS)
    expect(watch.observe([lease(1, 1, 3_600_000)], 5_000_000)).toEqual([])
  })

  test('that is gone and comes again is watched anew', () => {
    const ended = lookFor(20_000, (nowMs) => (nowMs === 10_000 ? [] : [lease(1, 1, 60_000)]))
    expect(ended.size).toBe(0)
  })
})

describe('the brake', () => {
  test('holds all leases for another L when three of ten fall silent and one more', () => {
    const ended = lookFor(60_000, (nowMs) =>
      Array.from({ length: 10 }, (_, index) =>
        index < 4 ? lease(index, 1, nowMs) : lease(index, nowMs, 0),
      ),
    )
    expect(ended.size).toBe(4)
    for (const endedMs of ended.values()) expect(endedMs).toBeGreaterThan(END_MS + 10_000)
  })

  test('does not hold them when three of ten, or two of two, fall silent', () => {
    for (const [silent, count] of [
      [3, 10],
      [2, 2],
    ] as const) {
      const ended = lookFor(30_000, (nowMs) =>
        Array.from({ length: count }, (_, index) =>
          index < silent ? lease(index, 1, nowMs) : lease(index, nowMs, 0),
        ),
      )
      expect(ended.size).toBe(silent)
      for (const endedMs of ended.values()) {
        expect(endedMs).toBeLessThanOrEqual(END_MS + 2 * LOOK_MS)
      }
    }
  })

  test('counts an outage from when the last answer was asked for, however late it was looked at', () => {
    const watch = createLeaseWatch(TIMES, LOOK_MS)
    watch.observe([lease(1, 1, 0)], 0)
    // The process stood still with the answer in hand; the database has been away meanwhile, and is for another second.
    watch.observe([lease(1, 1, 0)], 20_000, 500)
    const backMs = 21_000
    let nowMs = backMs
    while (watch.observe([lease(1, 1, nowMs)], nowMs).length === 0) nowMs += LOOK_MS
    expect(nowMs).toBeGreaterThanOrEqual(backMs + TIMES.leaseMs)
  })

  test('is pulled by an outage of this coordinator: nothing ends for L after it', () => {
    const watch = createLeaseWatch(TIMES, LOOK_MS)
    watch.observe([lease(1, 1, 0)], 0)
    // 20 s without a look.
    expect(watch.observe([lease(1, 1, 20_000)], 20_000)).toEqual([])
    expect(watch.observe([lease(1, 1, 20_500)], 20_500)).toEqual([])
    let nowMs = 20_500
    while (watch.observe([lease(1, 1, nowMs)], nowMs).length === 0) nowMs += LOOK_MS
    expect(nowMs).toBeGreaterThanOrEqual(20_000 + TIMES.leaseMs)
    expect(nowMs).toBeLessThanOrEqual(20_000 + TIMES.leaseMs + 2 * LOOK_MS)
  })
})
