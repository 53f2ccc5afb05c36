import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import {
  admitArrival,
  admitHeld,
  type HeldExecution,
  type LiveGroup,
} from '../../../../coordinator/enqueue/decide-overlap.ts'
import type { ExecutionId, Trigger } from '../../../../coordinator/job/execution.ts'
import type { OverlapPolicy } from '../../../../coordinator/job/overlap-policy.ts'

const id = (text: string) => text as ExecutionId
const policy = (kind: OverlapPolicy['kind'], limit = 1): OverlapPolicy => ({ kind, limit })

/** These live, by the gate of their job. */
function live(...names: string[]): LiveGroup {
  const ids = names.map(id)
  return { gate: 'job', isBackfill: false, count: ids.length, ids, unasked: ids }
}

function liveBackfill(gate: string, ...names: string[]): LiveGroup {
  return { ...live(...names), gate, isBackfill: true }
}

function held(name: string, rest: Partial<HeldExecution> = {}): HeldExecution {
  const common = { scheduledFor: null, isNew: false, gateLimit: null, gate: 'job' }
  return { id: id(name), trigger: 'schedule', ...common, ...rest }
}

function backfill(name: string, gate: string, gateLimit: number): HeldExecution {
  return held(name, { trigger: 'backfill', gate, gateLimit })
}

describe('one that is asked for', () => {
  const due = { id: id('new'), trigger: 'schedule', scheduledFor: new Date(0) } as const
  const manual = { ...due, trigger: 'manual' } as const

  test.each<[string, OverlapPolicy, string[], [string, Trigger][], object]>([
    ['starts when nothing lives', policy('skip'), [], [], { kind: 'start' }],
    ['starts below the limit', policy('queue_all', 2), ['a'], [], { kind: 'start' }],
    [
      'is left out by SKIP, behind the oldest',
      policy('skip', 2),
      ['a', 'b'],
      [],
      { kind: 'skip', behind: 'a', why: 'runs' },
    ],
    [
      'waits with QUEUE_ALL, also behind those that wait though there is room',
      policy('queue_all'),
      [],
      [['w', 'schedule']],
      { kind: 'wait', replaces: [] },
    ],
    [
      'waits with QUEUE_ONE when none does',
      policy('queue_one'),
      ['a'],
      [],
      { kind: 'wait', replaces: [] },
    ],
    [
      'takes the place of the due time that waits',
      policy('queue_one'),
      ['a'],
      [['w', 'catch_up']],
      { kind: 'wait', replaces: ['w'] },
    ],
    [
      'is left out behind what a person asked for',
      policy('queue_one'),
      ['a'],
      [['w', 'manual']],
      { kind: 'skip', behind: 'w', why: 'waits' },
    ],
    [
      'takes the place of all that wait with CANCEL_RUNNING',
      policy('cancel_running'),
      ['a'],
      [['w', 'manual']],
      { kind: 'wait', replaces: ['w'] },
    ],
  ])('%s', (_, by, living, waiting, expected) => {
    const occupancy = {
      liveCount: living.length,
      first: living.map(id)[0],
      held: waiting.map(([name, trigger]) => held(name, { trigger })),
    }
    expect(admitArrival(by, occupancy, due)).toEqual(expected)
  })

  test('by hand never takes the place of a due time, and is told of it', () => {
    const occupancy = { liveCount: 1, first: id('a'), held: [held('w')] }
    expect(admitArrival(policy('queue_one'), occupancy, manual)).toEqual({
      kind: 'skip',
      behind: 'w',
      why: 'waits',
    })
  })
})

describe('what waits', () => {
  test('is let in as far as there is room, in its order, backfills last', () => {
    const round = {
      live: [live('a')],
      held: [held('b'), held('c'), backfill('x', 'B', 5)],
    }
    expect(admitHeld(policy('queue_all', 2), round)).toEqual({
      start: ['b'],
      skip: [],
      wait: [
        { id: 'c', behind: 'a' },
        { id: 'x', behind: 'a' },
      ],
      cancel: [],
    })
  })

  test('of a job without a policy waits only within its backfill', () => {
    const round = {
      live: [live('a'), liveBackfill('B', 'x0')],
      held: [backfill('x1', 'B', 2), backfill('x2', 'B', 2), backfill('y1', 'C', 1)],
    }
    expect(admitHeld(undefined, round)).toMatchObject({
      start: ['x1', 'y1'],
      wait: [{ id: 'x2', behind: 'x0' }],
    })
  })

  test('has what runs cancelled once, but not what a backfill runs', () => {
    const cancelling = policy('cancel_running')
    const waiting = [held('b')]
    expect(admitHeld(cancelling, { live: [live('a')], held: waiting }).cancel).toEqual([
      { id: 'a', behind: 'b' },
    ])
    const others = [{ ...live('a'), unasked: [] }, liveBackfill('B', 'x')]
    expect(admitHeld(cancelling, { live: others, held: waiting }).cancel).toEqual([])
  })

  test('is decided about as if it came now, when its time has just come', () => {
    const planned = held('p', { isNew: true, trigger: 'manual' })
    const round = { live: [live('a')], held: [planned] }
    expect(admitHeld(policy('skip'), round).skip).toEqual([{ id: 'p', behind: 'a' }])
    expect(admitHeld(policy('queue_one'), round).wait).toEqual([{ id: 'p', behind: 'a' }])
    expect(admitHeld(policy('skip'), { live: [], held: [planned] }).start).toEqual(['p'])
    expect(admitHeld(undefined, round).start).toEqual(['p'])
  })

  test('is one due time at most under QUEUE_ONE, whatever went before', () => {
    const waiting = [held('b'), held('m', { trigger: 'manual' }), held('c')]
    expect(admitHeld(policy('queue_one'), { live: [live('a')], held: waiting })).toMatchObject({
      skip: [{ id: 'b', behind: 'c' }],
      wait: [{ id: 'm' }, { id: 'c' }],
    })
  })
})

test('whatever waits and lives, no limit is passed, nothing is forgotten, and nothing waits for nothing', () => {
  const kinds = fc.constantFrom('skip', 'queue_one', 'queue_all', 'cancel_running', undefined)
  const triggers = fc.constantFrom<Trigger>('schedule', 'catch_up', 'manual', 'dependency')
  const regular = fc.record({ trigger: triggers, isNew: fc.boolean() })
  const ofBackfill = fc.constantFrom('B', 'C')
  fc.assert(
    fc.property(
      kinds,
      fc.integer({ min: 1, max: 4 }),
      fc.record({ job: fc.nat(3), B: fc.nat(3), C: fc.nat(3) }),
      fc.array(regular, { maxLength: 6 }),
      fc.array(ofBackfill, { maxLength: 6 }),
      (kind, limit, living, waiting, backfills) => {
        const by = kind && policy(kind, limit)
        const names = (gate: string, count: number) =>
          Array.from({ length: count }, (_, n) => `${gate}${n}`)
        const groups = [
          live(...names('job', living.job)),
          liveBackfill('B', ...names('B', living.B)),
          liveBackfill('C', ...names('C', living.C)),
        ]
        const round = {
          live: groups.filter(({ count }) => count > 0),
          held: [
            ...waiting.map((rest, n) => held(`w${n}`, rest)),
            ...backfills.map((gate, n) => backfill(`x${n}`, gate, gate === 'B' ? 1 : 3)),
          ],
        }
        const verdicts = admitHeld(by, round)
        const told = [...verdicts.start, ...[...verdicts.skip, ...verdicts.wait].map((v) => v.id)]
        expect(told.sort()).toEqual(round.held.map((each) => each.id).sort())
        const started = round.held.filter((each) => verdicts.start.includes(each.id))
        const before = living.job + living.B + living.C
        if (by !== undefined && started.length > 0) {
          expect(before + started.length).toBeLessThanOrEqual(limit)
        }
        for (const [gate, most] of [
          ['B', 1],
          ['C', 3],
        ] as const) {
          const more = started.filter((each) => each.gate === gate).length
          expect(living[gate] + more).toBeLessThanOrEqual(Math.max(living[gate], most))
        }
        const isAlone = round.live.length === 0 && round.held.length > 0
        if (isAlone) expect(verdicts.start.length).toBeGreaterThan(0)
      },
    ),
    { numRuns: 500 },
  )
})
