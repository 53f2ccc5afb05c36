import { describe, expect, it } from 'vitest'
import {
  changeSchedule,
  parseDependency,
  parseRecurrence,
} from '../../../../../cli/commands/job/schedule-flags.ts'
import { CatchUp_Policy, Dependency_When, Schedule } from '../../../../../proto/gen/rota/v1/job.ts'

const NOW = new Date('2026-11-20T10:00:00Z')
const kindOf = (text: string) => parseRecurrence(text, NOW).kind

describe('--schedule', () => {
  it.each([
    '*/5 * * * *',
    '0 9 * * MON-FRI',
    '*/10 * * * * *',
    '@daily',
    '@every 6h phase 15m',
    '0 9 * * TUE every 2 weeks from 2026-11-24',
    '0 9 * * 1-5; 0 12 * * 6',
    'H H * * *',
    '0 0 L * *',
    // Wrong ones too: the coordinator says what is wrong, and where.
    '* * * *',
    '61 * * * *',
    '@dayly',
  ])('takes %j as cron', (text) => {
    expect(kindOf(text)).toEqual({ $case: 'cron', value: text })
  })

  it.each([
    ['every 10s', 10],
    ['10s', 10],
    ['Every 1h30m', 5_400],
    ['@every 5m', 300],
    ['every 10 seconds', 10],
    ['2 hours', 7_200],
    ['every minute', 60],
    ['  every  2d ', 172_800],
  ])('takes %j as an interval', (text, seconds) => {
    expect(kindOf(text)).toEqual({ $case: 'every', value: { seconds: BigInt(seconds), nanos: 0 } })
  })

  it.each([
    ['2026-12-24T18:00:00+01:00', '2026-12-24T17:00:00Z'],
    ['at 2026-12-24T18:00:00Z', '2026-12-24T18:00:00Z'],
    ['in 5m', '2026-11-20T10:05:00Z'],
    ['in 1h30m', '2026-11-20T11:30:00Z'],
  ])('takes %j as a time', (text, time) => {
    expect(kindOf(text)).toEqual({ $case: 'at', value: new Date(time) })
  })

  it.each([
    'every weekday at 9:30',
    'mondays at noon',
    'every day',
    'every 2 weeks',
    'in 10 minutes',
  ])('takes %j as words', (text) => {
    expect(kindOf(text)).toEqual({ $case: 'text', value: text })
  })

  it.each(['', 'soon', '5', '@', '2026-12-24T18:00:00'])('refuses %j', (text) => {
    expect(() => parseRecurrence(text, NOW)).toThrow('--schedule')
  })
})

describe('--schedule and --tz over a schedule', () => {
  const base = Schedule.fromPartial({
    recurrences: [{ kind: { $case: 'cron', value: '@daily' } }],
    timeZone: 'Europe/Paris',
    catchUp: { maxExecutions: 7 },
  })

  it('changes only what is given', () => {
    expect(changeSchedule(base, {}, NOW)).toBeNull()
    expect(changeSchedule(base, { tz: 'Asia/Tokyo' }, NOW)).toEqual({
      ...base,
      timeZone: 'Asia/Tokyo',
    })
    const changed = changeSchedule(base, { schedule: ['10s', '@hourly'] }, NOW)
    expect(changed).toMatchObject({ timeZone: 'Europe/Paris', catchUp: { maxExecutions: 7 } })
    expect(changed?.recurrences.map(({ kind }) => kind?.$case)).toEqual(['every', 'cron'])
  })

  it('takes jitter and catch-up with what is there', () => {
    expect(changeSchedule(base, { jitter: '10m', catchUp: 'all' }, NOW)).toMatchObject({
      recurrences: base.recurrences,
      jitter: { seconds: 600n },
      catchUp: { policy: CatchUp_Policy.ALL, maxExecutions: 7 },
    })
    expect(changeSchedule(base, { jitter: 'none' }, NOW)?.jitter).toBeUndefined()
    expect(() => changeSchedule(undefined, { jitter: '10m' }, NOW)).toThrow('--jitter')
  })

  it('is removed by the word none', () => {
    expect(changeSchedule(base, { schedule: ['none'] }, NOW)).toBeUndefined()
  })

  it('names calendars, all of them anew; the word none removes them', () => {
    const changed = changeSchedule(base, { excludeCalendar: ['a', 'calendars/b'] }, NOW)
    expect(changed).toEqual({ ...base, excludeCalendars: ['calendars/a', 'calendars/b'] })
    const only = changeSchedule(changed!, { excludeCalendar: ['none'], onlyCalendar: ['c'] }, NOW)
    expect(only).toEqual({ ...base, excludeCalendars: [], onlyCalendars: ['calendars/c'] })
  })

  it('refuses a zone or a calendar without a schedule', () => {
    expect(() => changeSchedule(undefined, { tz: 'Asia/Tokyo' }, NOW)).toThrow('--tz')
    const calendar = { onlyCalendar: ['a'] }
    expect(() => changeSchedule(undefined, calendar, NOW)).toThrow('--only-calendar')
  })
})

describe('--after', () => {
  it.each([
    ['load', 'jobs/load', Dependency_When.SUCCEEDED],
    ['jobs/load:failed', 'jobs/load', Dependency_When.FAILED],
    ['billing.load:completed', 'jobs/billing.load', Dependency_When.COMPLETED],
  ])('%j', (text, job, when) => {
    expect(parseDependency(text)).toMatchObject({ job, when })
  })

  it('refuses another end, with a guess', () => {
    expect(() => parseDependency('load:fail')).toThrow(
      expect.objectContaining({ hint: expect.stringContaining('failed') }),
    )
  })
})
