import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import {
  type DueDecision,
  type DueDecisions,
  decideDue,
  ON_TIME_MS,
} from '../../../../coordinator/schedule/decide-due.ts'
import { CatchUp, CatchUp_Policy, Schedule } from '../../../../proto/gen/rota/v1/job.ts'

const START = new Date('2026-11-20T10:00:00Z')
const later = (seconds: number) => new Date(START.getTime() + seconds * 1_000)

/** Due each `seconds` after START, on which intervals are anchored. */
function everySeconds(seconds: number, catchUp?: Partial<CatchUp>): Schedule {
  return {
    ...Schedule.fromPartial({}),
    recurrences: [
      { kind: { $case: 'every', value: { seconds: BigInt(seconds), nanos: 0 } }, compiled: '' },
    ],
    catchUp: catchUp === undefined ? undefined : { ...CatchUp.fromPartial({}), ...catchUp },
  }
}

function decide(
  schedule: Schedule,
  now: Date,
  options: { mark?: Date; limit?: number } = {},
): DueDecisions {
  const { mark = START, limit = 10_000 } = options
  return decideDue({ schedule, seed: 'seed', anchor: START, mark, now, limit })
}

/** `60s enqueued`, by the due time. */
function show(decisions: readonly DueDecision[]): string[] {
  return decisions.map(({ scheduledFor, decision }) => {
    return `${(scheduledFor.getTime() - START.getTime()) / 1_000}s ${decision}`
  })
}

describe('on time', () => {
  test('a due time is enqueued by the schedule, and the mark moves to now', () => {
    const { decisions, mark, nextDueAt } = decide(everySeconds(60), later(60.2))
    expect(decisions).toEqual([
      { scheduledFor: later(60), decision: 'enqueued', reason: 'on time', trigger: 'schedule' },
    ])
    expect(mark).toEqual(later(60.2))
    expect(nextDueAt).toEqual(later(120))
  })

  test('the due time itself counts, a moment before does not', () => {
    expect(show(decide(everySeconds(60), later(60)).decisions)).toEqual(['60s enqueued'])
    expect(decide(everySeconds(60), later(59.999))).toEqual({
      decisions: [],
      mark: later(59.999),
      nextDueAt: later(60),
      nextRunAt: later(60),
      skipLeft: 0,
    })
  })

  test('several are all enqueued, whatever the policy: a late tick loses nothing', () => {
    for (const policy of [CatchUp_Policy.LAST, CatchUp_Policy.NONE, CatchUp_Policy.ALL]) {
      const { decisions } = decide(everySeconds(1, { policy }), later(3.5))
      expect(show(decisions)).toEqual(['1s enqueued', '2s enqueued', '3s enqueued'])
    }
  })

  test('even a maximum lateness of nothing leaves what is on time', () => {
    const strict = everySeconds(60, { maxLateness: { seconds: 0n, nanos: 0 } })
    expect(show(decide(strict, later(60.5)).decisions)).toEqual(['60s enqueued'])
    expect(show(decide(strict, later(70)).decisions)).toEqual(['60s missed'])
  })

  test('a clock that went back decides nothing and never moves the mark back', () => {
    expect(decide(everySeconds(60), later(10), { mark: later(60) })).toEqual({
      decisions: [],
      mark: later(60),
      nextDueAt: later(120),
      nextRunAt: later(120),
      skipLeft: 0,
    })
  })

  test('a schedule at its end has no next due time', () => {
    const over = { ...everySeconds(60), notAfter: later(60) }
    expect(decide(over, later(61)).nextDueAt).toBeUndefined()
    expect(decide(over, later(30)).nextDueAt).toEqual(later(60))
  })
})

describe('catch-up after 200 s of silence, with a due time each minute', () => {
  test('LAST runs the newest and folds the others into it', () => {
    const { decisions } = decide(everySeconds(60), later(200))
    expect(show(decisions)).toEqual(['60s coalesced', '120s coalesced', '180s enqueued'])
    expect(decisions.map(({ trigger }) => trigger)).toEqual(['catch_up', 'catch_up', 'catch_up'])
    expect(decisions[2]?.reason).toBe('20s late; the newest is caught up')
  })

  test('LAST folds late ones into one that is on time', () => {
    const { decisions } = decide(everySeconds(60), later(181))
    expect(show(decisions)).toEqual(['60s coalesced', '120s coalesced', '180s enqueued'])
    expect(decisions[2]?.trigger).toBe('schedule')
  })

  test('NONE records them as missed, but for one that is on time', () => {
    const none = everySeconds(60, { policy: CatchUp_Policy.NONE })
    expect(show(decide(none, later(200)).decisions)).toEqual([
      '60s missed',
      '120s missed',
      '180s missed',
    ])
    expect(show(decide(none, later(185)).decisions)).toEqual([
      '60s missed',
      '120s missed',
      '180s enqueued',
    ])
    expect(show(decide(none, later(185.001)).decisions)[2]).toEqual('180s missed')
  })

  test('ALL runs every one', () => {
    const all = everySeconds(60, { policy: CatchUp_Policy.ALL })
    expect(show(decide(all, later(200)).decisions)).toEqual([
      '60s enqueued',
      '120s enqueued',
      '180s enqueued',
    ])
  })

  test('ALL keeps the newest within its bound', () => {
    const two = everySeconds(60, { policy: CatchUp_Policy.ALL, maxExecutions: 2 })
    const { decisions } = decide(two, later(200))
    expect(show(decisions)).toEqual(['60s missed', '120s enqueued', '180s enqueued'])
    expect(decisions[0]?.reason).toBe('2m20s late; the newest 2 are caught up')
  })

  test('ALL keeps a hundred by default', () => {
    const all = everySeconds(1, { policy: CatchUp_Policy.ALL })
    const { decisions } = decide(all, later(300))
    expect(decisions.filter(({ decision }) => decision === 'missed')).toHaveLength(200)
    expect(show(decisions)[200]).toBe('201s enqueued')
  })

  test('what is later than the maximum lateness is missed under every policy', () => {
    for (const policy of [CatchUp_Policy.LAST, CatchUp_Policy.ALL]) {
      const bounded = everySeconds(60, { policy, maxLateness: { seconds: 60n, nanos: 0 } })
      const { decisions } = decide(bounded, later(200))
      expect(show(decisions)).toEqual(['60s missed', '120s missed', '180s enqueued'])
      expect(decisions[0]?.reason).toBe('2m20s late; catch-up goes back 1m')
      expect(show(decide(bounded, later(120)).decisions)[0]).not.toBe('60s missed')
    }
  })

  test('the default maximum lateness is an hour', () => {
    const { decisions } = decide(everySeconds(1_800), later(3 * 3_600 + 100))
    expect(show(decisions).slice(-3)).toEqual([
      '7200s missed',
      '9000s coalesced',
      '10800s enqueued',
    ])
  })
})

test('a limit cuts the work: the mark lies at the last decision and the next due time is in the past', () => {
  const first = decide(everySeconds(60), later(200), { limit: 2 })
  expect(show(first.decisions)).toEqual(['60s coalesced', '120s coalesced'])
  expect(first.mark).toEqual(later(120))
  expect(first.nextDueAt).toEqual(later(180))
  const second = decide(everySeconds(60), later(200), { mark: first.mark, limit: 2 })
  expect(show(second.decisions)).toEqual(['180s enqueued'])
  expect(second.nextDueAt).toEqual(later(240))
})

describe('properties', () => {
  const catchUps = fc.record({
    policy: fc.constantFrom(
      CatchUp_Policy.UNSPECIFIED,
      CatchUp_Policy.LAST,
      CatchUp_Policy.NONE,
      CatchUp_Policy.ALL,
    ),
    maxLateness: fc.option(fc.record({ seconds: fc.bigInt(0n, 300n), nanos: fc.constant(0) }), {
      nil: undefined,
    }),
    maxExecutions: fc.integer({ min: 0, max: 7 }),
  })
  const periods = fc.array(fc.integer({ min: 1, max: 60 }), { minLength: 1, maxLength: 3 })
  const schedules = fc.tuple(periods, catchUps).map(([seconds, catchUp]) => ({
    seconds,
    schedule: {
      ...everySeconds(1, catchUp),
      recurrences: seconds.map((each) => ({
        kind: { $case: 'every' as const, value: { seconds: BigInt(each), nanos: 0 } },
        compiled: '',
      })),
    },
  }))
  const spans = fc.integer({ min: 0, max: 400_000 }).map((ms) => later(ms / 1_000))

  /** Every multiple of a period in (START, now], by arithmetic alone. */
  function dueTimes(seconds: readonly number[], now: Date): number[] {
    const span = Math.floor((now.getTime() - START.getTime()) / 1_000)
    const numbers = Array.from({ length: span }, (_, index) => index + 1)
    return numbers
      .filter((number) => seconds.some((each) => number % each === 0))
      .map((number) => later(number).getTime())
  }

  function decideInCuts(schedule: Schedule, nows: readonly Date[], limit: number): DueDecision[] {
    const all: DueDecision[] = []
    let mark = START
    for (const now of nows) {
      for (let isCut = true; isCut; ) {
        const decided = decide(schedule, now, { mark, limit })
        expect(decided.decisions.length).toBeLessThanOrEqual(limit)
        expect(decided.mark >= mark).toBe(true)
        expect(decided.nextDueAt === undefined || decided.nextDueAt > decided.mark).toBe(true)
        all.push(...decided.decisions)
        mark = decided.mark
        isCut = decided.nextDueAt !== undefined && decided.nextDueAt <= now
      }
    }
    return all
  }

  test('every due time is decided exactly once, in order, however the calls are cut', () => {
    fc.assert(
      fc.property(
        schedules,
        fc.array(spans, { minLength: 1, maxLength: 6 }),
        fc.integer({ min: 1, max: 9 }),
        ({ seconds, schedule }, moments, limit) => {
          const nows = moments.sort((a, b) => a.getTime() - b.getTime())
          const decided = decideInCuts(schedule, nows, limit)
          expect(decided.map(({ scheduledFor }) => scheduledFor.getTime())).toEqual(
            dueTimes(seconds, nows.at(-1) ?? START),
          )
        },
      ),
      { numRuns: 150 },
    )
  })

  test('cuts at one moment change no decision', () => {
    fc.assert(
      fc.property(schedules, spans, fc.integer({ min: 1, max: 9 }), ({ schedule }, now, limit) => {
        expect(decideInCuts(schedule, [now], limit)).toEqual(decideInCuts(schedule, [now], 100_000))
      }),
      { numRuns: 150 },
    )
  })

  test('each decision is what its policy says', () => {
    fc.assert(
      fc.property(schedules, spans, ({ schedule }, now) => {
        const { decisions } = decide(schedule, now, { limit: 100_000 })
        for (const [index, decided] of decisions.entries()) {
          const newer = decisions.length - 1 - index
          expect(decided.decision).toBe(
            expectedDecision(schedule, decided.scheduledFor, { now, newer }),
          )
        }
      }),
      { numRuns: 150 },
    )
  })

  function expectedDecision(
    { catchUp }: Schedule,
    scheduledFor: Date,
    { now, newer }: { now: Date; newer: number },
  ): string {
    const lateMs = now.getTime() - scheduledFor.getTime()
    const maxLateMs = Number(catchUp?.maxLateness?.seconds ?? 3_600n) * 1_000
    if (lateMs <= ON_TIME_MS) return 'enqueued'
    if (lateMs > maxLateMs || catchUp?.policy === CatchUp_Policy.NONE) return 'missed'
    if (catchUp?.policy !== CatchUp_Policy.ALL) return newer === 0 ? 'enqueued' : 'coalesced'
    return newer < (catchUp.maxExecutions || 100) ? 'enqueued' : 'missed'
  }
})
