import { describe, expect, test } from 'vitest'
import {
  type Foresight,
  foreseeImpact,
  isScheduleChange,
  type ScheduledJob,
} from '../../../../coordinator/outlook/schedule-impact.ts'
import { nextDue } from '../../../../shared/schedule/next-due.ts'

const NOW = new Date('2026-11-20T10:00:00Z')

function job(schedule: object | undefined, rest: Partial<ScheduledJob> = {}): ScheduledJob {
  return {
    uid: 'a-uid',
    created_at: new Date('2026-01-01T00:00:00Z'),
    updated_at: NOW,
    spec: schedule === undefined ? {} : { schedule },
    state: 'active',
    due_at: schedule === undefined ? null : NOW,
    marked_at: schedule === undefined ? null : NOW,
    ...rest,
  }
}

/** Nothing holds anything back, but for what is said of the job. */
const WHEN: Foresight<ScheduledJob> = {
  now: NOW,
  *runsAfter({ created_at: anchor, uid: seed }, schedule, after) {
    let due = nextDue({ schedule, after, seed, anchor })
    for (; due !== undefined; due = nextDue({ schedule, after: due, seed, anchor })) yield due
  },
  restraintsOf: (_, schedule) => ({
    excludeCalendars: schedule?.excludeCalendars ?? [],
    onlyCalendars: schedule?.onlyCalendars ?? [],
    freezes: ['year-end'],
  }),
}

const cron = (value: string, rest: object = {}) => ({ recurrences: [{ cron: value }], ...rest })
const minutesAgo = (minutes: number) => new Date(NOW.getTime() - minutes * 60_000)

describe('the impact of a change', () => {
  test('is the next ten due times before and after', () => {
    const impact = foreseeImpact(job(cron('0 2 * * *')), job(cron('0 3 * * *')), WHEN)
    expect(impact.nextBefore).toHaveLength(10)
    expect(impact.nextBefore[0]).toEqual(new Date('2026-11-21T02:00:00Z'))
    expect(impact.nextAfter[9]).toEqual(new Date('2026-11-30T03:00:00Z'))
    expect(impact.pastExecutionCount).toBe(0)
  })

  test('of a job that is over, new, deleted or without a schedule has no times on that side', () => {
    const over = { due_at: null, marked_at: null }
    const daily = cron('@daily')
    for (const none of [undefined, job(undefined), job(daily, over)]) {
      expect(foreseeImpact(none, job(daily), WHEN)).toMatchObject({ nextBefore: [] })
      expect(foreseeImpact(job(daily), none, WHEN)).toMatchObject({
        nextAfter: [],
        dstSurprises: [],
        pastExecutionCount: 0,
      })
    }
  })

  test('is nothing of the past for a job that is paused', () => {
    const schedule = cron('* * * * *', { catchUp: { policy: 'POLICY_ALL' } })
    const paused = job(schedule, { state: 'paused', marked_at: minutesAgo(30) })
    expect(foreseeImpact(undefined, paused, WHEN).pastExecutionCount).toBe(0)
  })

  test('counts past executions by the mark and the catch-up policy', () => {
    const since = (minutes: number, catchUp?: object) =>
      foreseeImpact(
        undefined,
        job(cron('* * * * *', { catchUp }), { marked_at: minutesAgo(minutes) }),
        WHEN,
      ).pastExecutionCount
    expect(since(0)).toBe(0)
    // The newest alone; the one of this very minute is on time.
    expect(since(30)).toBe(1)
    expect(since(30, { policy: 'POLICY_NONE' })).toBe(1)
    expect(since(30, { policy: 'POLICY_ALL' })).toBe(30)
    expect(since(30, { policy: 'POLICY_ALL', maxExecutions: 5 })).toBe(5)
    expect(
      since(60 * 24, { policy: 'POLICY_ALL', maxLateness: { seconds: '600', nanos: 0 } }),
    ).toBe(11)
  })

  test('names the changes of the clock within a year, by the policy', () => {
    const paris = { timeZone: 'Europe/Paris', dst: { gap: 'GAP_SKIP' } }
    const { dstSurprises } = foreseeImpact(undefined, job(cron('30 2 * * *', paris)), WHEN)
    expect(dstSurprises).toEqual([
      {
        at: Date.parse('2027-03-28T01:00:00Z') / 1_000,
        date: '2027-03-28',
        kind: 'gap',
        message: '2027-03-28 02:30 does not exist in Europe/Paris: skipped.',
      },
      {
        at: Date.parse('2027-10-31T01:00:00Z') / 1_000,
        date: '2027-10-31',
        kind: 'fold',
        message: expect.stringContaining('runs the first time only'),
      },
    ])
  })

  test('tells what surprises in the rules, and the calendars that touch them', () => {
    const touched = { excludeCalendars: ['holidays'], onlyCalendars: ['trading'] }
    expect(foreseeImpact(undefined, job(cron('0 0 13 * 5', touched)), WHEN)).toMatchObject({
      warnings: [expect.stringContaining('either is enough')],
      ...touched,
      freezes: ['year-end'],
    })
  })
})

test('a change that leaves the schedule alone is none', () => {
  const other = job(cron('0 2 * * *'))
  expect(isScheduleChange(job(cron('0 2 * * *')), other)).toBe(false)
  expect(isScheduleChange(job(cron('0 3 * * *')), other)).toBe(true)
  expect(isScheduleChange(job(undefined), other)).toBe(true)
  expect(isScheduleChange(job(undefined), job(undefined))).toBe(false)
})
