import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import type { Circumstances } from '../../../../coordinator/schedule/circumstances.ts'
import { type DueDecision, decideDue } from '../../../../coordinator/schedule/decide-due.ts'
import { CalendarDays, DaySpan } from '../../../../proto/gen/rota/v1/calendar.ts'
import { CatchUp, CatchUp_Policy, Schedule } from '../../../../proto/gen/rota/v1/job.ts'
import { createDayFilter } from '../../../../shared/schedule/calendar/day-filter.ts'
import { compileDays } from '../../../../shared/schedule/calendar/day-set.ts'

/** Two minutes before midnight, so that days change within what is decided. */
const START = new Date('2026-12-24T23:58:00Z')
const later = (seconds: number) => new Date(START.getTime() + seconds * 1_000)
const ms = (seconds: number) => later(seconds).getTime()

const NOTHING: Circumstances = { days: undefined, pause: undefined, freezes: [], skip: undefined }

function every(seconds: number, catchUp: Partial<CatchUp> = {}): Schedule {
  return {
    ...Schedule.fromPartial({}),
    recurrences: [
      { kind: { $case: 'every', value: { seconds: BigInt(seconds), nanos: 0 } }, compiled: '' },
    ],
    catchUp: { ...CatchUp.fromPartial({}), ...catchUp },
  }
}

const christmas = createDayFilter(
  [
    {
      name: 'holidays',
      days: compileDays(
        CalendarDays.fromPartial({
          spans: [DaySpan.fromPartial({ first: '2026-12-25', summary: 'Christmas Day' })],
        }),
      ),
    },
  ],
  [],
)

const freeze = (
  from: number,
  until: number,
  rest: Partial<Circumstances['freezes'][number]> = {},
) => ({
  ...{ id: 7, name: 'year-end', reason: 'books close', fromMs: ms(from), untilMs: ms(until) },
  ...rest,
})

function decide(
  schedule: Schedule,
  now: Date,
  options: { around?: Partial<Circumstances>; mark?: Date; limit?: number } = {},
) {
  const { around, mark = START, limit = 100_000 } = options
  const whole = around && { ...NOTHING, ...around }
  return decideDue({ schedule, seed: 'seed', anchor: START, mark, now, limit, around: whole })
}

function show(decisions: readonly DueDecision[]): string[] {
  return decisions.map(({ scheduledFor, decision, reason }) => {
    return `${(scheduledFor.getTime() - START.getTime()) / 1_000}s ${decision}: ${reason}`
  })
}

describe('a due time', () => {
  test('on an excluded day is skipped by its calendar, with the name of the day', () => {
    const { decisions, nextDueAt, nextRunAt } = decide(every(60), later(182), {
      around: { days: christmas },
    })
    expect(show(decisions)).toEqual([
      '60s enqueued: 2m2s late; the newest is caught up',
      '120s skipped_calendar: 2026-12-25 is in holidays: Christmas Day',
      '180s skipped_calendar: 2026-12-25 is in holidays: Christmas Day',
    ])
    expect(nextDueAt).toEqual(later(240))
    expect(nextRunAt).toEqual(new Date('2026-12-26T00:00:00Z'))
  })

  test('before the end of a pause is skipped as paused; at its end it runs', () => {
    const pause = { untilMs: ms(120), note: 'paused by token:ada: disk is full' }
    const { decisions, nextRunAt } = decide(every(60), later(121), { around: { pause } })
    expect(show(decisions)).toEqual([
      '60s skipped_paused: paused by token:ada: disk is full',
      '120s enqueued: on time',
    ])
    expect(nextRunAt).toEqual(later(180))
  })

  test('of a job that is paused for good runs never, and is decided all the same', () => {
    const pause = { untilMs: Infinity, note: 'paused' }
    const { decisions, nextDueAt, nextRunAt } = decide(every(60), later(121), { around: { pause } })
    expect(show(decisions)).toEqual(['60s skipped_paused: paused', '120s skipped_paused: paused'])
    expect(nextDueAt).toEqual(later(180))
    expect(nextRunAt).toBeUndefined()
  })

  test('within a freeze is skipped by it, from its begin to before its end', () => {
    const { decisions, nextRunAt } = decide(every(60), later(121), {
      around: { freezes: [freeze(60, 180)] },
    })
    expect(decisions.map(({ freezeId }) => freezeId)).toEqual([7, 7])
    expect(show(decisions)[0]).toBe('60s skipped_freeze: freeze year-end: books close')
    expect(nextRunAt).toEqual(later(180))
  })

  test('within several freezes is of the one that ends last', () => {
    const freezes = [freeze(0, 100), freeze(0, 300, { id: 8 }), freeze(0, 200, { id: 9 })]
    const { decisions } = decide(every(60), later(60), { around: { freezes } })
    expect(decisions.map(({ freezeId }) => freezeId)).toEqual([8])
  })

  test('that is to be skipped counts only when it would run', () => {
    const skip = { left: 2, afterMs: ms(60), note: 'asked for by token:ada' }
    const around = { skip, freezes: [freeze(120, 180)] }
    const { decisions, skipLeft, nextRunAt } = decide(every(60), later(181), { around })
    expect(show(decisions)).toEqual([
      '60s enqueued: 2m1s late; the newest is caught up',
      '120s skipped_freeze: freeze year-end: books close',
      '180s skipped_requested: asked for by token:ada',
    ])
    expect(skipLeft).toBe(1)
    expect(nextRunAt).toEqual(later(300))
  })

  test('has the first of all reasons: calendar, pause, freeze, request', () => {
    const around: Circumstances = {
      days: christmas,
      pause: { untilMs: ms(240), note: 'paused' },
      freezes: [freeze(0, 3_000)],
      skip: { left: 5, afterMs: ms(0), note: 'asked for' },
    }
    const words = (of: Partial<Circumstances>) =>
      decide(every(60), later(180), { around: of }).decisions.map(({ decision }) => decision)
    expect(words(around)).toEqual(['skipped_paused', 'skipped_calendar', 'skipped_calendar'])
    expect(words({ ...around, days: undefined })[1]).toBe('skipped_paused')
    expect(words({ ...around, days: undefined, pause: undefined })[1]).toBe('skipped_freeze')
    expect(words({ skip: around.skip! })[1]).toBe('skipped_requested')
  })
})

describe('catch-up', () => {
  test('runs the newest that may run, not the newest of all', () => {
    const late = every(30, { policy: CatchUp_Policy.LAST })
    const { decisions } = decide(late, later(200), { around: { days: christmas } })
    expect(decisions.map(({ decision }) => decision)).toEqual([
      ...['coalesced', 'coalesced', 'enqueued'],
      ...['skipped_calendar', 'skipped_calendar', 'skipped_calendar'],
    ])
  })

  test('counts no further than what may run: days of seconds behind it are no work', () => {
    const late = every(1, { maxLateness: { seconds: 864_000n, nanos: 0 } })
    const now = new Date('2026-12-25T23:59:59Z')
    const { decisions, nextDueAt } = decide(late, now, { around: { days: christmas }, limit: 119 })
    expect(decisions.map(({ decision }) => decision)).toEqual([
      ...Array.from({ length: 118 }, () => 'coalesced'),
      'enqueued',
    ])
    expect(nextDueAt).toEqual(later(120))
  })
})

describe('properties', () => {
  const seconds = fc.integer({ min: 0, max: 400 })
  const windows = fc.array(
    fc.tuple(seconds, seconds).map(([a, b]) => freeze(Math.min(a, b), Math.max(a, b))),
    { maxLength: 3 },
  )
  const pauses = fc.option(
    fc
      .oneof(seconds.map(ms), fc.constant(Infinity))
      .map((untilMs) => ({ untilMs, note: 'paused' })),
    { nil: undefined },
  )
  const skips = fc.option(
    fc.record({
      left: fc.integer({ min: 1, max: 6 }),
      afterMs: seconds.map(ms),
      note: fc.constant('asked for'),
    }),
    { nil: undefined },
  )
  const circumstances: fc.Arbitrary<Circumstances> = fc.record({
    days: fc.constantFrom(undefined, christmas),
    pause: pauses,
    freezes: windows,
    skip: skips,
  })
  const schedules = fc
    .tuple(
      fc.integer({ min: 1, max: 60 }),
      fc.constantFrom(CatchUp_Policy.LAST, CatchUp_Policy.NONE, CatchUp_Policy.ALL),
      fc.integer({ min: 0, max: 5 }),
    )
    .map(([each, policy, maxExecutions]) => ({
      each,
      schedule: every(each, { policy, maxExecutions }),
    }))
  const spans = fc.integer({ min: 0, max: 400_000 }).map((offset) => later(offset / 1_000))

  /** As the loop calls it: what is left to be skipped goes from call to call. */
  function decideInCuts(
    schedule: Schedule,
    around: Circumstances,
    { nows, limit }: { nows: readonly Date[]; limit: number },
  ): DueDecision[] {
    const all: DueDecision[] = []
    let mark = START
    let skip = around.skip
    for (const now of nows) {
      for (let isCut = true; isCut; ) {
        const decided = decide(schedule, now, { around: { ...around, skip }, mark, limit })
        all.push(...decided.decisions)
        mark = decided.mark
        skip = skip && decided.skipLeft > 0 ? { ...skip, left: decided.skipLeft } : undefined
        isCut = decided.nextDueAt !== undefined && decided.nextDueAt <= now
      }
    }
    return all
  }

  test('every due time is decided exactly once, in order, however the calls are cut', () => {
    fc.assert(
      fc.property(
        schedules,
        circumstances,
        fc.array(spans, { minLength: 1, maxLength: 6 }),
        fc.integer({ min: 1, max: 9 }),
        ({ each, schedule }, around, moments, limit) => {
          const nows = moments.sort((a, b) => a.getTime() - b.getTime())
          const last = ((nows.at(-1) ?? START).getTime() - START.getTime()) / 1_000
          const expected = Array.from({ length: Math.floor(last / each) }, (_, index) =>
            ms((index + 1) * each),
          )
          const decided = decideInCuts(schedule, around, { nows, limit })
          expect(decided.map(({ scheduledFor }) => scheduledFor.getTime())).toEqual(expected)
        },
      ),
      { numRuns: 300 },
    )
  })

  test('cuts at one moment change no decision', () => {
    fc.assert(
      fc.property(
        schedules,
        circumstances,
        spans,
        fc.integer({ min: 1, max: 9 }),
        ({ schedule }, around, now, limit) => {
          const cut = decideInCuts(schedule, around, { nows: [now], limit })
          expect(cut).toEqual(decideInCuts(schedule, around, { nows: [now], limit: 100_000 }))
        },
      ),
      { numRuns: 300 },
    )
  })

  test('what runs is what runs of a schedule that has only the due times that nothing holds back', () => {
    fc.assert(
      fc.property(schedules, circumstances, spans, ({ schedule }, around, now) => {
        const { decisions } = decide(schedule, now, { around })
        let left = around.skip?.left ?? 0
        const isFree = (atMs: number) => {
          const isExcluded = around.days !== undefined && atMs >= ms(120)
          const isPaused = around.pause !== undefined && atMs < around.pause.untilMs
          const isFrozen = around.freezes.some((one) => atMs >= one.fromMs && atMs < one.untilMs)
          if (isExcluded || isPaused || isFrozen) return false
          return !(atMs > (around.skip?.afterMs ?? Infinity) && left-- > 0)
        }
        const times = decisions.map(({ scheduledFor }) => scheduledFor)
        const free = times.filter((time) => isFree(time.getTime()))
        const held = decisions.filter(({ decision }) => decision.startsWith('skipped_'))
        expect(held.length).toBe(times.length - free.length)
        const plain = free.length === 0 ? [] : decideOnly(schedule, free, now)
        const ran = decisions.filter(({ decision }) => !decision.startsWith('skipped_'))
        expect(show(ran)).toEqual(plain)
      }),
      { numRuns: 300 },
    )
  })

  /** The same policy over these times alone, each written as a time of its own. */
  function decideOnly(schedule: Schedule, times: readonly Date[], now: Date): string[] {
    const recurrences = times.map((value) => ({
      kind: { $case: 'at' as const, value },
      compiled: '',
    }))
    return show(decide({ ...schedule, recurrences }, now).decisions)
  }
})
