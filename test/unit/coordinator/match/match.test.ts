import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import type { ExecutionId, SessionId, WorkerId } from '../../../../coordinator/job/execution.ts'
import type { WorkerOffer } from '../../../../coordinator/job/offer.ts'
import { rejections } from '../../../../coordinator/job/placement.ts'
import { HEALTHS } from '../../../../coordinator/job/worker-health.ts'
import {
  matchQueued,
  type Pair,
  type PlacementClass,
  type QueuedExecution,
} from '../../../../coordinator/match/match.ts'

const SKILLS = ['shell', 'script', 'gpu']

const anOffer = fc.record({
  skills: fc.subarray(SKILLS),
  region: fc.constantFrom('eu', 'us'),
  slots: fc.integer({ min: 1, max: 4 }),
  used: fc.integer({ min: 0, max: 4 }),
  health: fc.constantFrom('healthy', 'warning', 'degraded'),
  consecutiveFailures: fc.nat({ max: 3 }),
  loadRatio: fc.constantFrom(0, 0.5, 1),
})
const someOffers = fc.array(anOffer, { maxLength: 5 }).map((offers) => offers.map(toOffer))

const aClass = fc.record({
  capabilities: fc.subarray(SKILLS),
  selector: fc.constantFrom('', 'region = eu', 'region = us'),
  worker: fc.constantFrom('', 'worker-0', 'worker-9'),
  slots: fc.integer({ min: 1, max: 3 }),
})
const someClasses = fc
  .array(aClass, { minLength: 1, maxLength: 4 })
  .map((all) => all.map((needs, id): PlacementClass => ({ id, needs })))

const aQueue = fc.array(
  fc.record({
    classId: fc.nat({ max: 3 }),
    priority: fc.constantFrom(10, 50, 90),
    availableMs: fc.nat({ max: 3 }),
  }),
  { maxLength: 15 },
)

function toOffer(
  parts: typeof anOffer extends fc.Arbitrary<infer T> ? T : never,
  index: number,
): WorkerOffer {
  const { skills, region, slots, used, health, consecutiveFailures, loadRatio } = parts
  return {
    workerId: index as WorkerId,
    sessionId: `session-${index}` as SessionId,
    name: `worker-${index}`,
    capabilities: new Set(skills),
    handlers: new Set(),
    labels: { region },
    slots,
    freeSlots: Math.max(0, slots - used),
    health,
    consecutiveFailures,
    loadRatio,
  }
}

const rounds = fc.tuple(someOffers, someClasses, aQueue).map(([offers, classes, queue]) => {
  const queued = queue
    .filter(({ classId }) => classId < classes.length)
    .map(({ classId, priority, availableMs }, index): QueuedExecution => {
      const id = String(index).padStart(3, '0') as ExecutionId
      return { id, classId, priority, availableAt: new Date(availableMs) }
    })
  return { offers, classes, queued }
})

function used(pairs: readonly Pair[], offer: WorkerOffer): number {
  return pairs.filter((pair) => pair.offer === offer).reduce((sum, { slots }) => sum + slots, 0)
}

describe('whatever is queued and offered', () => {
  test('no slot is given away twice', () => {
    fc.assert(
      fc.property(rounds, ({ offers, classes, queued }) => {
        const pairs = matchQueued(queued, classes, offers)
        for (const offer of offers) expect(used(pairs, offer)).toBeLessThanOrEqual(offer.freeSlots)
      }),
    )
  })

  test('every pair fits, and no execution goes to two', () => {
    fc.assert(
      fc.property(rounds, ({ offers, classes, queued }) => {
        const pairs = matchQueued(queued, classes, offers)
        expect(new Set(pairs.map(({ executionId }) => executionId)).size).toBe(pairs.length)
        for (const { executionId, offer, slots } of pairs) {
          const { classId } = queued.find(({ id }) => id === executionId)!
          const { needs } = classes.find(({ id }) => id === classId)!
          expect(rejections(needs, offer)).toEqual([])
          expect(slots).toBe(needs.slots)
        }
      }),
    )
  })

  test('nobody waits for whom a fitting worker has slots left', () => {
    fc.assert(
      fc.property(rounds, ({ offers, classes, queued }) => {
        const pairs = matchQueued(queued, classes, offers)
        const paired = new Set(pairs.map(({ executionId }) => executionId))
        for (const { id, classId } of queued.filter((each) => !paired.has(each.id))) {
          const { needs } = classes.find((each) => each.id === classId)!
          const couldTake = offers.filter(
            (offer) =>
              rejections(needs, offer).length === 0 &&
              !(offer.health === 'degraded' && used(pairs, offer) > 0) &&
              offer.freeSlots - used(pairs, offer) >= needs.slots,
          )
          expect(couldTake, id).toEqual([])
        }
      }),
    )
  })

  test('within a class nobody overtakes: what is paired comes before what waits', () => {
    fc.assert(
      fc.property(rounds, ({ offers, classes, queued }) => {
        const paired = new Set(
          matchQueued(queued, classes, offers).map(({ executionId }) => executionId),
        )
        for (const first of queued) {
          for (const second of queued) {
            if (first.classId !== second.classId || !isBefore(first, second)) continue
            if (paired.has(second.id)) expect(paired.has(first.id)).toBe(true)
          }
        }
      }),
    )
  })

  test('a degraded worker gets one execution at a time', () => {
    fc.assert(
      fc.property(rounds, ({ offers, classes, queued }) => {
        const pairs = matchQueued(queued, classes, offers)
        for (const offer of offers.filter(({ health }) => health === 'degraded')) {
          expect(pairs.filter((pair) => pair.offer === offer).length).toBeLessThanOrEqual(1)
        }
      }),
    )
  })

  test('the first in the queue gets the best health, then the fewest failures in a row', () => {
    fc.assert(
      fc.property(rounds, ({ offers, classes, queued }) => {
        const [pair] = matchQueued(queued, classes, offers)
        if (pair === undefined) return
        const { classId } = queued.find(({ id }) => id === pair.executionId)!
        const { needs } = classes.find(({ id }) => id === classId)!
        const fitting = offers.filter(
          (offer) => offer.freeSlots >= needs.slots && rejections(needs, offer).length === 0,
        )
        const best = HEALTHS.find((each) => fitting.some(({ health }) => health === each))
        const equals = fitting.filter(({ health }) => health === best)
        const fewest = Math.min(...equals.map(({ consecutiveFailures }) => consecutiveFailures))
        expect(pair.offer.health).toBe(best)
        expect(pair.offer.consecutiveFailures).toBe(fewest)
      }),
    )
  })
})

describe('workers that are equal but for their load', () => {
  const classes = [{ id: 0, needs: { capabilities: [], selector: '', worker: '', slots: 1 } }]
  const queued = Array.from({ length: 16 }, (_, index): QueuedExecution => {
    const id = String(index).padStart(3, '0') as ExecutionId
    return { id, classId: 0, priority: 50, availableAt: new Date(0) }
  })
  const countsWith = (slots: number) => {
    const rest = {
      region: 'eu' as const,
      used: 0,
      health: 'healthy' as const,
      consecutiveFailures: 0,
    }
    const offers = [0, 1].map((index) =>
      toOffer({ ...rest, skills: [], slots, loadRatio: 0 }, index),
    )
    return matchQueued(queued, classes, offers).map(({ offer }) => offer.name)
  }

  test('get some at a time when they have many slots, and no more than the other', () => {
    const names = countsWith(512)
    expect(names.slice(0, 8)).toEqual(Array(8).fill('worker-0'))
    expect(names.slice(8)).toEqual(Array(8).fill('worker-1'))
  })

  test('take turns when they have few', () => {
    expect(countsWith(8).slice(0, 4)).toEqual(['worker-0', 'worker-1', 'worker-0', 'worker-1'])
  })
})

function isBefore(a: QueuedExecution, b: QueuedExecution): boolean {
  if (a.priority !== b.priority) return a.priority > b.priority
  const apartMs = a.availableAt.getTime() - b.availableAt.getTime()
  return apartMs === 0 ? a.id < b.id : apartMs < 0
}
