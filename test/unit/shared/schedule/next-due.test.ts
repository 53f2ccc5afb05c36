import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { Schedule } from '../../../../proto/gen/rota/v1/job.ts'
import { nextDue } from '../../../../shared/schedule/next-due.ts'

const ANCHOR = new Date('2026-11-20T10:00:05Z')

type Kind = NonNullable<Schedule['recurrences'][number]['kind']>

function schedule(kinds: readonly Kind[], rest: Partial<Schedule> = {}): Schedule {
  return {
    ...Schedule.fromPartial({}),
    ...rest,
    recurrences: kinds.map((kind) => ({ kind, compiled: '' })),
  }
}

const cron = (value: string): Kind => ({ $case: 'cron', value })
const every = (seconds: bigint): Kind => ({ $case: 'every', value: { seconds, nanos: 0 } })
const at = (value: string): Kind => ({ $case: 'at', value: new Date(value) })

function next(of: Schedule, after: string): string | undefined {
  const due = nextDue({ schedule: of, after: new Date(after), seed: 'seed', anchor: ANCHOR })
  return due?.toISOString().replace('.000Z', 'Z')
}

test('a union is due when any of its recurrences is', () => {
  const union = schedule([cron('0 12 * * *'), every(3_600n), at('2026-11-20T11:30:00Z')])
  expect(next(union, '2026-11-20T10:30:00Z')).toBe('2026-11-20T11:00:05Z')
  expect(next(union, '2026-11-20T11:00:05Z')).toBe('2026-11-20T11:30:00Z')
  expect(next(union, '2026-11-20T11:30:00Z')).toBe('2026-11-20T12:00:00Z')
  expect(next(union, '2026-11-20T12:00:00Z')).toBe('2026-11-20T12:00:05Z')
})

test('a cron is read in the zone of the schedule, UTC by default', () => {
  const daily = schedule([cron('@daily')], { timeZone: 'Asia/Kolkata' })
  expect(next(daily, '2026-11-20T10:00:00Z')).toBe('2026-11-20T18:30:00Z')
  expect(next(schedule([cron('@daily')]), '2026-11-20T10:00:00Z')).toBe('2026-11-21T00:00:00Z')
})

test('a one-shot is due once', () => {
  const once = schedule([at('2026-11-20T12:00:00.250Z')])
  expect(next(once, '2026-11-20T10:00:00Z')).toBe('2026-11-20T12:00:00.250Z')
  expect(next(once, '2026-11-20T12:00:00.249Z')).toBe('2026-11-20T12:00:00.250Z')
  expect(next(once, '2026-11-20T12:00:00.250Z')).toBeUndefined()
})

test('@every counts from the anchor, as `every` does', () => {
  expect(next(schedule([cron('@every 10m')]), '2026-11-20T10:00:06Z')).toBe('2026-11-20T10:10:05Z')
  expect(next(schedule([every(600n)]), '2026-11-20T10:00:06Z')).toBe('2026-11-20T10:10:05Z')
})

test('the window includes both its ends', () => {
  const window = schedule([cron('0 * * * *')], {
    notBefore: new Date('2026-11-20T12:00:00Z'),
    notAfter: new Date('2026-11-20T13:00:00Z'),
  })
  expect(next(window, '2026-11-01T00:00:00Z')).toBe('2026-11-20T12:00:00Z')
  expect(next(window, '2026-11-20T12:00:00Z')).toBe('2026-11-20T13:00:00Z')
  expect(next(window, '2026-11-20T13:00:00Z')).toBeUndefined()
})

test('a schedule without recurrences, or with an interval of nothing, is never due', () => {
  expect(next(schedule([]), '2026-11-20T10:00:00Z')).toBeUndefined()
  expect(next(schedule([every(0n)]), '2026-11-20T10:00:00Z')).toBeUndefined()
  expect(
    next(schedule([{ $case: 'text', value: 'every day' }]), '2026-11-20T10:00:00Z'),
  ).toBeUndefined()
})

describe('jitter', () => {
  const jitter = { seconds: 600n, nanos: 0 }
  const laterBy = (seed: string, of: Schedule, after: string) => {
    const search = { after: new Date(after), seed, anchor: ANCHOR }
    const due = nextDue({ schedule: { ...of, jitter }, ...search })
    return due?.getTime() ?? Number.NaN
  }

  test('is whole seconds up to what is asked for, spread over jobs, and the same for one job every day', () => {
    const hourly = schedule([cron('0 * * * *')])
    const noon = Date.parse('2026-11-20T12:00:00Z')
    const offsets = Array.from({ length: 2_000 }, (_, n) => {
      const offset = laterBy(`job-${n}`, hourly, '2026-11-20T12:00:00Z') - noon
      expect(laterBy(`job-${n}`, hourly, '2026-11-27T12:00:00Z') - noon - offset).toBe(
        7 * 86_400_000,
      )
      return offset
    })
    for (const offset of offsets) {
      // Of the hour before, or of this one.
      expect(offset % 1_000).toBe(0)
      expect(offset).toBeGreaterThanOrEqual(0)
    }
    const inHour = offsets.map((offset) => offset % 3_600_000)
    expect(Math.max(...inHour)).toBe(600_000)
    expect(new Set(inHour).size).toBeGreaterThan(550)
  })

  test('is what it was in every release: jobs must not move when the coordinators are updated', () => {
    const daily = schedule([cron('@daily')])
    expect(new Date(laterBy('seed', daily, '2026-11-20T12:00:00Z')).toISOString()).toBe(
      '2026-11-21T00:09:47.000Z',
    )
  })

  test('moves each due time of a union by the same span: none is lost, none overtakes another', () => {
    const seeds = fc.string({ maxLength: 8 })
    const jitters = fc.bigInt({ min: 1n, max: 86_400n }).map((seconds) => ({ seconds, nanos: 0 }))
    const kinds = fc.array(
      fc.constantFrom(cron('*/7 * * * *'), cron('30 2 * * *'), every(420n), cron('0 H * * 1')),
      { minLength: 1, maxLength: 3 },
    )
    fc.assert(
      fc.property(seeds, jitters, kinds, (seed, jitter, some) => {
        const start = new Date('2027-03-13T12:00:00Z')
        const walk = (kinds: readonly Kind[], rest: Partial<Schedule>, after: Date) => {
          const of = schedule(kinds, { timeZone: 'America/New_York', ...rest })
          const times: number[] = []
          let due: Date | undefined = after
          while (due !== undefined && times.length < 40) {
            due = nextDue({ schedule: of, after: due, seed, anchor: ANCHOR })
            if (due !== undefined) times.push(due.getTime())
          }
          return times
        }
        // A one-shot shows by how much.
        const once = at('2027-03-13T12:00:00Z')
        const laterMs = walk([once], { jitter }, ANCHOR)[0]! - start.getTime()
        expect(laterMs).toBeGreaterThanOrEqual(0)
        expect(laterMs).toBeLessThanOrEqual(Number(jitter.seconds) * 1_000)
        const moved = walk(some, { jitter }, new Date(start.getTime() + laterMs))
        expect(moved).toEqual(walk(some, {}, start).map((dueMs) => dueMs + laterMs))
      }),
      { numRuns: 200 },
    )
  })
})
