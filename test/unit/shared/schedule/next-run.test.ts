import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { CalendarDays, DaySpan, Weekday } from '../../../../proto/gen/rota/v1/calendar.ts'
import { Schedule } from '../../../../proto/gen/rota/v1/job.ts'
import { createDayFilter } from '../../../../shared/schedule/calendar/day-filter.ts'
import { compileDays } from '../../../../shared/schedule/calendar/day-set.ts'
import { compileSchedule } from '../../../../shared/schedule/next-due.ts'
import {
  LOOK_AHEAD_DAYS,
  nextRun,
  type RunFilter,
  runsAfter,
} from '../../../../shared/schedule/next-run.ts'

const PLAIN: RunFilter = { days: undefined, holds: [], skip: undefined }

function cron(value: string, timeZone = ''): Schedule {
  const recurrences = value.split(';').map((each) => ({
    kind: { $case: 'cron' as const, value: each },
    compiled: '',
  }))
  return { ...Schedule.fromPartial({}), recurrences, timeZone }
}

const named = (days: Partial<CalendarDays>) => ({
  name: 'days',
  days: compileDays(CalendarDays.fromPartial(days)),
})
const excluding = (days: Partial<CalendarDays>) => createDayFilter([named(days)], [])
const keepingTo = (days: Partial<CalendarDays>) => createDayFilter([], [named(days)])
const span = (first: string, last: string) => DaySpan.fromPartial({ first, last })

interface Asked {
  readonly after: string
  readonly filter: Partial<RunFilter>
  readonly horizonDays?: number
}

function search(schedule: Schedule, { after, filter, horizonDays }: Asked) {
  const anchor = new Date(0)
  const base = {
    schedule,
    seed: '',
    anchor,
    after: new Date(after),
    filter: { ...PLAIN, ...filter },
  }
  return horizonDays === undefined ? base : { ...base, horizonDays }
}

function runs(schedule: Schedule, asked: Asked, count: number): string[] {
  const found: string[] = []
  for (const run of runsAfter(search(schedule, asked))) {
    if (found.length === count) break
    found.push(run.toISOString().replace('.000Z', 'Z'))
  }
  return found
}

describe('what runs', () => {
  test('is every due time when nothing holds it back', () => {
    expect(runs(cron('0 9 * * *'), { after: '2026-12-24T09:00:00Z', filter: {} }, 2)).toEqual([
      '2026-12-25T09:00:00Z',
      '2026-12-26T09:00:00Z',
    ])
  })

  test('leaves out excluded days, in the zone of the schedule', () => {
    const filter = { days: excluding({ yearly: ['12-25'] }) }
    const asked = { after: '2026-12-24T00:00:00Z', filter }
    expect(runs(cron('0 23 * * *', 'America/New_York'), asked, 3)).toEqual([
      '2026-12-24T04:00:00Z',
      '2026-12-25T04:00:00Z',
      '2026-12-27T04:00:00Z',
    ])
  })

  test('keeps to the days of the only calendars', () => {
    const filter = { days: keepingTo({ weekdays: [Weekday.MONDAY] }) }
    expect(runs(cron('0 9 1-20 * *'), { after: '2026-12-01T00:00:00Z', filter }, 4)).toEqual([
      '2026-12-07T09:00:00Z',
      '2026-12-14T09:00:00Z',
      '2027-01-04T09:00:00Z',
      '2027-01-11T09:00:00Z',
    ])
  })

  test('is nothing from the begin of a hold on, and what is due at its end', () => {
    const holds = [
      {
        fromMs: Date.parse('2026-12-24T10:00:00Z'),
        untilMs: Date.parse('2026-12-24T12:00:00Z'),
      },
    ]
    const asked = { after: '2026-12-24T08:00:00Z', filter: { holds } }
    expect(runs(cron('0 * * * *'), asked, 3)).toEqual([
      '2026-12-24T09:00:00Z',
      '2026-12-24T12:00:00Z',
      '2026-12-24T13:00:00Z',
    ])
  })

  test('is nothing in a hold without an end', () => {
    const holds = [{ fromMs: -Infinity, untilMs: Infinity }]
    expect(
      runs(cron('* * * * * *'), { after: '2026-12-24T08:00:00Z', filter: { holds } }, 1),
    ).toEqual([])
  })

  test('leaves out as many as are skipped, counted among those that would run', () => {
    const days = excluding({ dates: ['2026-12-25'] })
    const skip = { count: 2, afterMs: Date.parse('2026-12-23T12:00:00Z') }
    const asked = { after: '2026-12-22T12:00:00Z', filter: { days, skip } }
    expect(runs(cron('0 9 * * *'), asked, 2)).toEqual([
      '2026-12-23T09:00:00Z',
      '2026-12-27T09:00:00Z',
    ])
  })

  test('goes on in the second pass of a day that a clock shows twice', () => {
    // At 00:01 of the 7th it was 23:01 of the 6th again.
    const days = excluding({ dates: ['2010-11-07'] })
    const asked = { after: '2010-11-07T01:00:00Z', filter: { days } }
    expect(runs(cron('*/20 * * * *', 'America/St_Johns'), asked, 9)).toEqual([
      '2010-11-07T01:10:00Z',
      '2010-11-07T01:30:00Z',
      '2010-11-07T01:50:00Z',
      '2010-11-07T02:10:00Z',
      // 00:00 of the 7th is left out.
      '2010-11-07T02:50:00Z',
      '2010-11-07T03:10:00Z',
      '2010-11-08T03:30:00Z',
      '2010-11-08T03:50:00Z',
      '2010-11-08T04:10:00Z',
    ])
  })

  test('is what runs on the day on which it runs: a time that a gap moves to the next day is of that day', () => {
    const dates = excluding({ dates: ['2011-12-31'] })
    const asked = { after: '2011-12-30T08:00:00Z', filter: { days: dates } }
    // Samoa had no 30 December 2011: noon of it would run at the first instant of the 31st.
    expect(runs(cron('0 12 * * *', 'Pacific/Apia'), asked, 1)).toEqual(['2011-12-31T22:00:00Z'])
  })
})

describe('the horizon', () => {
  const seconds = cron('* * * * * *')

  test('ends the search in a stretch without runs, and no search for a schedule that is rarely due', () => {
    const never = keepingTo({ dates: ['2020-01-01'] })
    const after = '2026-12-24T08:00:00Z'
    expect(nextRun(search(seconds, { after, filter: { days: never } }))).toBeUndefined()
    const late = keepingTo({ dates: ['2040-01-01'] })
    expect(nextRun(search(seconds, { after, filter: { days: late } }))).toBeUndefined()
    const far = { after, filter: { days: late }, horizonDays: LOOK_AHEAD_DAYS }
    expect(nextRun(search(seconds, far))).toEqual(new Date('2040-01-01T00:00:00Z'))
    const rare = { after, filter: { days: excluding({ dates: ['2026-12-25'] }) } }
    expect(nextRun(search(cron('@at 2099-01-01T00:00:00Z'), rare))?.getFullYear()).toBe(2099)
  })

  test('is reached when the schedule and its calendars never meet', () => {
    const mondays = cron('0 9 * * 1')
    const filter = { days: keepingTo({ weekdays: [Weekday.TUESDAY] }) }
    const asked = { after: '2026-12-24T08:00:00Z', filter, horizonDays: LOOK_AHEAD_DAYS }
    expect(nextRun(search(mondays, asked))).toBeUndefined()
  })

  test('is far enough for 29 February on a Monday', () => {
    const filter = { days: keepingTo({ weekdays: [Weekday.MONDAY] }) }
    const asked = { after: '2026-12-24T08:00:00Z', filter, horizonDays: LOOK_AHEAD_DAYS }
    expect(nextRun(search(cron('0 0 29 2 *'), asked))).toEqual(new Date('2044-02-29T00:00:00Z'))
  })

  test('is jumped to: years of seconds without a run are no work', () => {
    const filter = { days: excluding({ spans: [span('2026-12-25', '2030-12-31')] }) }
    // Walked through, this would take minutes.
    expect(nextRun(search(seconds, { after: '2026-12-25T08:00:00Z', filter }))).toEqual(
      new Date('2031-01-01T00:00:00Z'),
    )
  })
})

test('what runs is what remains of the due times, one by one', () => {
  const zones = fc.constantFrom(
    'UTC',
    'America/New_York',
    'Australia/Lord_Howe',
    'America/St_Johns',
  )
  const patterns = fc.constantFrom(
    '0 */5 * * *',
    '30 2 * * *',
    '0 0 * * *',
    '@every 7h',
    '15,45 1,2 * * 0,6',
  )
  // Around the changes of the clocks in March and November.
  const dayTexts = fc.array(
    fc
      .tuple(fc.constantFrom('03', '04', '10', '11'), fc.integer({ min: 1, max: 28 }))
      .map(([month, date]) => `2010-${month}-${String(date).padStart(2, '0')}`),
    { maxLength: 40 },
  )
  const hours = fc.integer({ min: 0, max: 24 * 260 })
  const START = Date.parse('2010-03-01T00:00:00Z')
  const END = Date.parse('2010-11-20T00:00:00Z')
  const holdsOf = fc.array(fc.tuple(hours, hours), { maxLength: 4 }).map((pairs) =>
    pairs.map(([a, b]) => ({
      fromMs: START + Math.min(a, b) * 3_600_000,
      untilMs: START + Math.max(a, b) * 3_600_000,
    })),
  )
  const cases = fc.record({
    pattern: patterns,
    zone: zones,
    dates: dayTexts,
    isOnly: fc.boolean(),
    holds: holdsOf,
    skip: fc.tuple(fc.integer({ min: 0, max: 5 }), hours),
  })
  fc.assert(
    fc.property(cases, ({ pattern, zone, dates, isOnly, holds, skip: [count, hour] }) => {
      const schedule = cron(pattern, zone)
      const days = isOnly ? keepingTo({ dates }) : excluding({ dates })
      const skip = { count, afterMs: START + hour * 3_600_000 }
      const found: number[] = []
      const asked = { after: new Date(START).toISOString(), filter: { days, holds, skip } }
      for (const run of runsAfter(search(schedule, asked))) {
        if (run.getTime() > END) break
        found.push(run.getTime())
      }
      expect(found).toEqual(remaining({ schedule, zone, dates, isOnly, holds, skip }))
    }),
    { numRuns: 300 },
  )

  /** By the calendar of Intl, day by day and due time by due time. */
  function remaining(of: {
    schedule: Schedule
    zone: string
    dates: readonly string[]
    isOnly: boolean
    holds: readonly { fromMs: number; untilMs: number }[]
    skip: { count: number; afterMs: number }
  }): number[] {
    const format = new Intl.DateTimeFormat('sv-SE', { timeZone: of.zone, dateStyle: 'short' })
    const walk = compileSchedule(of.schedule, { seed: '', anchor: new Date(0) })
    const left: number[] = []
    let skips = of.skip.count
    for (let due = walk.next(START); due <= END; due = walk.next(due)) {
      if (of.dates.includes(format.format(due)) !== of.isOnly) continue
      if (of.holds.some(({ fromMs, untilMs }) => due >= fromMs && due < untilMs)) continue
      if (due > of.skip.afterMs && skips-- > 0) continue
      left.push(due)
    }
    return left
  }
})
