import { sql } from 'kysely'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { Calendar, CalendarDays, DaySpan, Weekday } from '../../proto/gen/rota/v1/calendar.ts'
import { Job } from '../../proto/gen/rota/v1/job.ts'
import type { RotaError } from '../../shared/errors/rota-error.ts'
import { schedule, shell } from '../support/spec.ts'
import { startTestCoordinator, type TestCoordinator } from '../support/test-coordinator.ts'
import { until } from '../support/until.ts'

let rota: TestCoordinator

beforeAll(async () => {
  rota = await startTestCoordinator()
})

afterAll(async () => {
  await rota.remove()
})

const WEEKENDS = { weekdays: [Weekday.SATURDAY, Weekday.SUNDAY] }

async function create(
  id: string,
  days: Partial<CalendarDays>,
  rest: object = {},
): Promise<Calendar> {
  const calendar = Calendar.fromPartial({ days: CalendarDays.fromPartial(days) })
  const made = await rota.calendars.createCalendar({ calendarId: id, calendar, ...rest })
  return made.calendar!
}

async function get(id: string): Promise<Calendar> {
  return (await rota.calendars.getCalendar({ name: `calendars/${id}` })).calendar!
}

function update(id: string, patch: Partial<Calendar>, updateMask?: string[]) {
  const calendar = Calendar.fromPartial({ ...patch, name: `calendars/${id}` })
  return rota.calendars.updateCalendar({ calendar, updateMask })
}

async function refusal(call: Promise<unknown>): Promise<RotaError> {
  return call.then(
    () => {
      throw new Error('was not refused')
    },
    (error: unknown) => error as RotaError,
  )
}

const daily = (rest: object) => ({ ...shell('true'), ...schedule({ cron: '0 9 * * *' }, rest) })

describe('a calendar', () => {
  test('is created, read, changed by its mask and deleted', async () => {
    const made = await create('crud', { dates: ['2027-01-02', '2027-01-01'], ...WEEKENDS })
    expect(made).toMatchObject({ name: 'calendars/crud', jobCount: 0, etag: '"1"' })
    expect(made.days?.dates).toEqual(['2027-01-01', '2027-01-02'])
    expect(await get('crud')).toEqual(made)
    const patch = { description: 'Both', days: CalendarDays.fromPartial({ yearly: ['12-25'] }) }
    const { calendar } = await update('crud', patch, ['days.yearly'])
    expect(calendar).toMatchObject({ description: '', etag: '"2"' })
    expect(calendar?.days).toEqual({ ...made.days, yearly: ['12-25'] })
    const whole = await update('crud', patch)
    expect(whole.calendar).toMatchObject({ description: 'Both' })
    expect(whole.calendar?.days?.dates).toEqual([])
    await rota.calendars.deleteCalendar({ name: 'calendars/crud' })
    expect((await refusal(get('crud'))).reason).toBe('CALENDAR_NOT_FOUND')
    await rota.calendars.deleteCalendar({ name: 'calendars/crud', allowMissing: true })
  })

  test('that does not exist is told with names that come near', async () => {
    await create('holidays', { yearly: ['12-25'] })
    expect((await refusal(get('holdays'))).hint).toBe('Did you mean holidays?')
  })

  test('of a name that is taken is refused, unless the request is the same one again', async () => {
    const first = await create('again', WEEKENDS, { requestId: 'one' })
    expect(await create('again', WEEKENDS, { requestId: 'one' })).toEqual(first)
    expect((await refusal(create('again', WEEKENDS))).reason).toBe('CALENDAR_ALREADY_EXISTS')
  })

  test('is only looked at with validate_only', async () => {
    await create('imagined', WEEKENDS, { validateOnly: true })
    expect((await refusal(get('imagined'))).reason).toBe('CALENDAR_NOT_FOUND')
  })

  test('that somebody changed meanwhile is not changed or deleted', async () => {
    await create('etag', WEEKENDS)
    await update('etag', { description: 'new' })
    const stale = { description: 'newer', etag: '"1"' }
    expect((await refusal(update('etag', stale))).reason).toBe('ETAG_MISMATCH')
    const call = rota.calendars.deleteCalendar({ name: 'calendars/etag', etag: '"1"' })
    expect((await refusal(call)).reason).toBe('ETAG_MISMATCH')
    await rota.calendars.deleteCalendar({ name: 'calendars/etag', etag: '"2"' })
  })

  test('with wrong days is refused with the place', async () => {
    const spans = [DaySpan.fromPartial({ first: '2026-12-24', repeat: 'FREQ=HOURLY' })]
    const error = await refusal(create('Wrong', { dates: ['24.12.'], spans }))
    expect(error.violations.map(({ field }) => field)).toEqual(['calendar_id'])
    const days = await refusal(create('wrong', { dates: ['24.12.'], spans }))
    expect(days.violations.map(({ field }) => field)).toEqual([
      'calendar.days.dates[0]',
      'calendar.days.spans[0].repeat',
    ])
    const mask = await refusal(update('holidays', {}, ['days.datez']))
    expect(mask).toMatchObject({ reason: 'UPDATE_MASK_INVALID', hint: 'Did you mean days.dates?' })
  })

  test('is found in the list, page by page', async () => {
    for (const id of ['list.a', 'list.b', 'list.c']) await create(id, WEEKENDS)
    const filter = 'name:list.'
    const first = await rota.calendars.listCalendars({ filter, pageSize: 2 })
    expect(first.calendars.map(({ name }) => name)).toEqual([
      'calendars/list.a',
      'calendars/list.b',
    ])
    expect(first.totalSize).toBe(3)
    const pageToken = first.nextPageToken
    const second = await rota.calendars.listCalendars({ filter, pageSize: 2, pageToken })
    expect(second.calendars.map(({ name }) => name)).toEqual(['calendars/list.c'])
    expect(second.nextPageToken).toBe('')
  })
})

describe('a schedule with calendars', () => {
  test('runs next on a day that they allow', async () => {
    const today = new Date()
    const dates = Array.from({ length: 10 }, (_, index) =>
      new Date(today.getTime() + index * 86_400_000).toISOString().slice(0, 10),
    )
    await create('ten-days', { dates })
    const job = await rota.createJob('ten', daily({ excludeCalendars: ['calendars/ten-days'] }))
    const eleventh = new Date(`${dates[9]}T09:00:00Z`).getTime() + 86_400_000
    expect(job.nextFireTime).toEqual(new Date(eleventh))
    const listed = await rota.jobs.listJobs({
      filter: `next_fire_time = "${job.nextFireTime!.toISOString()}"`,
    })
    expect(listed.jobs.map(({ name }) => name)).toEqual(['jobs/ten'])
  })

  test('is refused when there is no such calendar, with the names that come near', async () => {
    const wrong = daily({ excludeCalendars: ['holidays', 'calendars/holliday'] })
    const error = await refusal(rota.createJob('unknown', wrong))
    expect(error.violations).toMatchObject([
      {
        field: 'job.spec.schedule.exclude_calendars[1]',
        reason: 'CALENDAR_NOT_FOUND',
        message: 'there is no calendar "holliday" Hint: Did you mean holidays?',
      },
    ])
  })

  test('is refused when they leave it nothing to do', async () => {
    await create('weekdays', { weekdays: [1, 2, 3, 4, 5] as Weekday[] })
    await create('weekends', WEEKENDS)
    const wrong = { onlyCalendars: ['weekends'], excludeCalendars: ['weekends'] }
    const both = await refusal(rota.createJob('nothing', daily(wrong)))
    expect(both.reason).toBe('SCHEDULE_NEVER_RUNS')
    expect(both.message).toContain('leave it no due time in 30 years')
    const mondays = {
      ...shell('true'),
      ...schedule({ cron: '0 9 * * 1' }, { onlyCalendars: ['weekends'] }),
    }
    expect((await refusal(rota.createJob('nothing', mondays))).reason).toBe('SCHEDULE_NEVER_RUNS')
  })

  test('keeps its calendars from being deleted, and says who does', async () => {
    await create('used', WEEKENDS)
    const job = await rota.createJob('user', daily({ excludeCalendars: ['used'] }))
    expect((await get('used')).jobCount).toBe(1)
    const remove = () => rota.calendars.deleteCalendar({ name: 'calendars/used' })
    const error = await refusal(remove())
    expect(error).toMatchObject({ reason: 'CALENDAR_IN_USE', metadata: { jobs: 'user' } })
    expect(error.message).toBe('calendar used is used by user')
    const plain = { ...job, spec: Job.fromJSON({ spec: daily({}) }).spec }
    await rota.jobs.updateJob({ job: plain, updateMask: ['spec'] })
    await remove()
  })

  test('keeps them no longer than it lives', async () => {
    await create('short', WEEKENDS)
    await rota.createJob('short-lived', daily({ onlyCalendars: ['short'] }))
    await rota.jobs.deleteJob({ name: 'jobs/short-lived' })
    await rota.calendars.deleteCalendar({ name: 'calendars/short' })
  })

  test('a job and the deletion of its calendar at once: one of them wins', async () => {
    for (let round = 0; round < 20; round++) {
      await create('raced', WEEKENDS)
      const [made, gone] = await Promise.allSettled([
        rota.createJob(`racer-${round}`, daily({ excludeCalendars: ['raced'] })),
        rota.calendars.deleteCalendar({ name: 'calendars/raced' }),
      ])
      expect([made.status, gone.status].filter((status) => status === 'fulfilled')).toHaveLength(1)
      const failed = [made, gone].find(({ status }) => status === 'rejected')
      expect((failed as PromiseRejectedResult).reason).toMatchObject({
        reason: expect.stringMatching(/^CALENDAR_(NOT_FOUND|IN_USE)$/),
      })
      if (gone.status === 'fulfilled') continue
      await rota.jobs.deleteJob({ name: `jobs/racer-${round}` })
      await rota.calendars.deleteCalendar({ name: 'calendars/raced' })
    }
  })
})

describe('a change of a calendar', () => {
  test('says anew when its users run next, and decides nothing again', async () => {
    await create('moving', {})
    const job = await rota.createJob('mover', daily({ excludeCalendars: ['moving'] }))
    const day = job.nextFireTime!.toISOString().slice(0, 10)
    await update('moving', { days: CalendarDays.fromPartial({ dates: [day] }) })
    const moved = new Date(job.nextFireTime!.getTime() + 86_400_000)
    await until('it runs a day later', async () => {
      const { job: now } = await rota.jobs.getJob({ name: 'jobs/mover' })
      return now?.nextFireTime?.getTime() === moved.getTime()
    })
    const { rows } = await sql<{ due: Date }>`select s.due_at as due from rota.schedule s
      join rota.job j on j.id = s.job_id where j.name = 'mover'`.execute(rota.db)
    expect(rows[0]?.due).toEqual(job.nextFireTime)
    expect((await rota.jobs.listOccurrences({ job: 'jobs/mover' })).occurrences).toEqual([])
  })

  test('that would stop a job for good is refused', async () => {
    await create('only', { weekdays: [Weekday.MONDAY] })
    await rota.createJob('only-mondays', daily({ onlyCalendars: ['only'] }))
    const error = await refusal(
      update('only', { days: CalendarDays.fromPartial({ dates: ['2020-01-01'] }) }),
    )
    expect(error).toMatchObject({ reason: 'SCHEDULE_NEVER_RUNS' })
    expect(error.message).toContain('with these days job only-mondays would not run')
    expect((await get('only')).etag).toBe('"1"')
  })
})

describe('an import', () => {
  const file = (...days: readonly string[]) =>
    [
      'BEGIN:VCALENDAR',
      ...days.flatMap((day) => ['BEGIN:VEVENT', `DTSTART:${day}`, 'SUMMARY:Feast', 'END:VEVENT']),
      'END:VCALENDAR',
    ].join('\r\n')
  const dates = (calendar: Calendar | undefined) => calendar?.days?.spans.map(({ first }) => first)
  const name = 'calendars/imported'

  test('makes the calendar, and replaces its days or adds to them', async () => {
    const first = await rota.calendars.importCalendar({ name, ics: file('20261224', '20261225') })
    expect(first.eventCount).toBe(2)
    expect(dates(first.calendar)).toEqual(['2026-12-24', '2026-12-25'])
    const second = await rota.calendars.importCalendar({ name, ics: file('20270101') })
    expect(dates(second.calendar)).toEqual(['2027-01-01'])
    const third = await rota.calendars.importCalendar({ name, ics: file('20270102'), keep: true })
    expect(dates(third.calendar)).toEqual(['2027-01-01', '2027-01-02'])
    const dry = { name, ics: file('20270103'), validateOnly: true }
    expect(dates((await rota.calendars.importCalendar(dry)).calendar)).toEqual(['2027-01-03'])
    expect(dates(await get('imported'))).toEqual(['2027-01-01', '2027-01-02'])
  })

  test('that cannot be read says in which line', async () => {
    const error = await refusal(rota.calendars.importCalendar({ name, ics: file('tomorrow') }))
    expect(error).toMatchObject({ reason: 'ICS_INVALID', metadata: { line: '3' } })
    expect(error.message).toBe('ics: line 3: DTSTART "tomorrow" is not a date such as 20261224')
    const empty = await refusal(rota.calendars.importCalendar({ name, ics: ' ' }))
    expect(empty.reason).toBe('FIELD_REQUIRED')
  })
})
