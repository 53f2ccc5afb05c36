import { randomUUID } from 'node:crypto'
import { sql } from 'kysely'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { Calendar } from '../../proto/gen/rota/v1/calendar.ts'
import { Freeze } from '../../proto/gen/rota/v1/freeze_service.ts'
import { Job } from '../../proto/gen/rota/v1/job.ts'
import type { UpcomingRun } from '../../proto/gen/rota/v1/job_service.ts'
import { durationFromMs, durationToMs } from '../../shared/duration.ts'
import type { RotaError } from '../../shared/errors/rota-error.ts'
import { schedule, seconds, shell } from '../support/spec.ts'
import { startTestCoordinator, type TestCoordinator } from '../support/test-coordinator.ts'

const HOUR_MS = 3_600_000
const DAY_MS = 24 * HOUR_MS

let rota: TestCoordinator
/** The begin of the day after tomorrow, in UTC: nothing of it is decided while the tests run. */
const dayMs = Math.ceil(Date.now() / DAY_MS + 1) * DAY_MS
const at = (hours: number) => new Date(dayMs + hours * HOUR_MS)
const day = { startTime: at(0), endTime: at(24) }

beforeAll(async () => {
  rota = await startTestCoordinator()
  await create('nightly', { cron: '0 2 * * *' }, { labels: { team: 'ops' } })
  await create('also-nightly', { cron: '0 2 * * *' })
  await create('every-six-hours', { every: seconds('21600s'), phase: seconds('0s') }, { slots: 2 })
  await create('paused', { cron: '0 * * * *' })
  await rota.jobs.pauseJob({ name: 'jobs/paused' })
  await create('by-hand')
  await rota.addAgent('worker-1')
})

afterAll(async () => {
  await rota.remove()
})

async function create(
  name: string,
  recurrence?: object,
  { labels = {}, slots = 0 }: { labels?: Record<string, string>; slots?: number } = {},
): Promise<void> {
  const rest = recurrence === undefined ? {} : schedule(recurrence)
  const spec = shell('true', { ...rest, placement: { slots } })
  await rota.jobs.createJob({ jobId: name, job: Job.fromJSON({ spec, labels }) })
}

function shown(runs: readonly UpcomingRun[]): string[] {
  return runs.map(({ job, scheduleTime }) => {
    return `${(scheduleTime!.getTime() - dayMs) / HOUR_MS} ${job.replace('jobs/', '')}`
  })
}

async function refusal(request: object): Promise<string> {
  const error = await rota.jobs.listUpcomingRuns(request).then(
    () => undefined,
    (error: RotaError) => error,
  )
  return `${error?.violations[0]?.field ?? ''} ${error?.reason}`
}

const DAY = [
  '0 every-six-hours',
  '2 also-nightly',
  '2 nightly',
  '6 every-six-hours',
  '12 every-six-hours',
  '18 every-six-hours',
]

describe('ListUpcomingRuns', () => {
  test('lists all runs of the window, by time then job, without what is paused or has no schedule', async () => {
    const answer = await rota.jobs.listUpcomingRuns(day)
    expect(shown(answer.upcomingRuns)).toEqual(DAY)
    expect(answer).toMatchObject({ ...day, nextPageToken: '', truncatedScheduleCount: 0 })
    expect(answer.upcomingRuns.map(({ slotCount }) => slotCount)).toEqual([2, 1, 1, 2, 2, 2])
  })

  test('looks ahead for a day when no end is given, from now on', async () => {
    const { upcomingRuns, startTime, endTime } = await rota.jobs.listUpcomingRuns({
      startTime: new Date(0),
    })
    expect(endTime!.getTime() - startTime!.getTime()).toBe(DAY_MS)
    expect(Math.abs(startTime!.getTime() - Date.now())).toBeLessThan(60_000)
    expect(upcomingRuns).toHaveLength(6)
  })

  test('of one job, or of those that a filter chooses', async () => {
    const of = async (request: object) =>
      shown((await rota.jobs.listUpcomingRuns({ ...day, ...request })).upcomingRuns)
    expect(await of({ job: 'jobs/nightly' })).toEqual(['2 nightly'])
    expect(await of({ job: 'jobs/paused' })).toEqual([])
    expect(await of({ filter: 'labels.team = ops' })).toEqual(['2 nightly'])
    expect(await of({ filter: 'name : nightly' })).toEqual(['2 also-nightly', '2 nightly'])
  })

  test('lists what will run: not what a calendar, a freeze or a request to skip holds back', async () => {
    const firstDay = at(0).toISOString().slice(0, 10)
    await rota.calendars.createCalendar({
      calendarId: 'closed',
      calendar: Calendar.fromPartial({ days: { dates: [firstDay] } }),
    })
    const held = { recurrences: [{ cron: '0 3 * * *' }], excludeCalendars: ['closed'] }
    const spec = shell('true', { schedule: held })
    await rota.jobs.createJob({ jobId: 'held.days', job: Job.fromJSON({ spec }) })
    await create('held.often', { cron: '0 0-23/2 * * *' })
    await rota.freezes.createFreeze({
      freezeId: 'works',
      freeze: Freeze.fromPartial({ jobPrefix: 'held.often', endTime: at(18) }),
    })
    await rota.jobs.skipJob({ name: 'jobs/held.often', count: 2 })
    const both = { filter: 'name : held' }
    const { upcomingRuns } = await rota.jobs.listUpcomingRuns({ ...day, ...both })
    expect(shown(upcomingRuns)).toEqual(['22 held.often'])
    const later = { startTime: at(23), endTime: at(28), ...both, withDensity: true }
    const next = await rota.jobs.listUpcomingRuns(later)
    expect(shown(next.upcomingRuns)).toEqual(['24 held.often', '26 held.often', '27 held.days'])
    expect(next.density!.buckets.reduce((sum, { runCount }) => sum + runCount, 0n)).toBe(3n)
    await rota.jobs.deleteJob({ name: 'jobs/held.days' })
    await rota.jobs.deleteJob({ name: 'jobs/held.often' })
  })

  test.each([1, 2, 4])(
    'comes in pages of %i without a gap, also between equal times',
    async (pageSize) => {
      const runs: string[] = []
      let pageToken = ''
      do {
        const page = await rota.jobs.listUpcomingRuns({ ...day, pageSize, pageToken })
        runs.push(...shown(page.upcomingRuns))
        pageToken = page.nextPageToken
      } while (pageToken !== '')
      expect(runs).toEqual(DAY)
    },
  )

  test('refuses what is no window, a strange token, and a job that is not there', async () => {
    expect(await refusal({ startTime: at(2), endTime: at(2) })).toBe('end_time FIELD_INVALID')
    expect(await refusal({ endTime: new Date(0) })).toBe('end_time FIELD_INVALID')
    expect(await refusal({ endTime: at(24 * 400) })).toBe('end_time FIELD_INVALID')
    expect(await refusal({ ...day, bucket: durationFromMs(1_500) })).toBe('bucket FIELD_INVALID')
    expect(await refusal({ ...day, bucket: durationFromMs(10_000) })).toBe('bucket FIELD_INVALID')
    expect(await refusal({ pageToken: 'abc' })).toBe('page_token PAGE_TOKEN_INVALID')
    expect(await refusal({ filter: 'team = ops' })).toBe('filter FILTER_INVALID')
    expect(await refusal({ job: 'jobs/nihgtly' })).toBe(' JOB_NOT_FOUND')
  })

  test('tells how dense it is, and how many slots are expected to be in use', async () => {
    await succeed('nightly', [600_000, 1_800_000, 60_000_000])
    await succeed('every-six-hours', [2 * HOUR_MS])
    const request = { ...day, pageSize: 1, withDensity: true, bucket: durationFromMs(HOUR_MS) }
    const { density, upcomingRuns } = await rota.jobs.listUpcomingRuns(request)
    expect(upcomingRuns[0]?.expectedDuration).toEqual(durationFromMs(2 * HOUR_MS))
    expect(density).toMatchObject({
      jobCount: 3,
      unknownDurationJobCount: 1,
      availableSlotCount: (await rota.workers.listWorkers({})).workers[0]!.slotCount,
      truncatedScheduleCount: 0,
      countedUntil: day.endTime,
    })
    expect(density?.buckets).toHaveLength(24)
    const told = density!.buckets.flatMap(({ runCount, expectedSlots, startTime }) =>
      runCount === 0n && expectedSlots === 0
        ? []
        : [`${(startTime!.getTime() - dayMs) / HOUR_MS}: ${runCount} ${expectedSlots}`],
    )
    // Six-hourly: two slots for two hours. Nightly: the median is half an hour of one slot.
    expect(told).toEqual([
      ...['0: 1 2', '1: 0 2', '2: 2 0.5', '6: 1 2', '7: 0 2', '12: 1 2', '13: 0 2'],
      ...['18: 1 2', '19: 0 2'],
    ])
  })

  test('chooses the length of buckets from the window', async () => {
    const { density } = await rota.jobs.listUpcomingRuns({ ...day, withDensity: true })
    expect(durationToMs(density!.bucket!)).toBe(HOUR_MS / 2)
    expect(density!.buckets).toHaveLength(48)
  })

  test('counts no more than it may, and says from when on runs are missing', async () => {
    await create('every-second', { every: seconds('1s') })
    const week = { startTime: at(0), endTime: at(7 * 24), withDensity: true, pageSize: 1 }
    const { density } = await rota.jobs.listUpcomingRuns(week)
    const counted = density!.buckets.reduce((sum, { runCount }) => sum + runCount, 0n)
    expect(counted).toBe(100_000n)
    expect(density!.truncatedScheduleCount).toBe(4)
    const untilMs = density!.countedUntil!.getTime() - dayMs
    expect(untilMs).toBeGreaterThan(99_000_000)
    expect(untilMs).toBeLessThanOrEqual(100_000_000)
    await rota.jobs.deleteJob({ name: 'jobs/every-second' })
  })

  test('looks at ten thousand schedules, and says how many it left out', async () => {
    await copyNightly(10_100)
    const { completeUntil, truncatedScheduleCount, upcomingRuns } =
      await rota.jobs.listUpcomingRuns({
        startTime: at(24),
        endTime: at(48),
        pageSize: 1,
      })
    expect(truncatedScheduleCount).toBe(103)
    expect(upcomingRuns).toHaveLength(1)
    expect(completeUntil!.getTime()).toBeLessThan(dayMs)
    // What comes before the last that is looked at needs no more: few are read, and nothing is left out.
    const near = await rota.jobs.listUpcomingRuns({ pageSize: 10, endTime: at(48) })
    expect(near).toMatchObject({ truncatedScheduleCount: 0 })
    expect(near.upcomingRuns).toHaveLength(10)
  })

  test('leaves out a schedule that cannot be read, and nothing else', async () => {
    await sql`delete from rota.schedule where job_id in (select id from rota.job where name like 'copy-%')`.execute(
      rota.db,
    )
    await sql`update rota.job_version set spec = jsonb_set(spec, '{schedule}', '{"recurrences": [{"every": {"seconds": "x"}}]}')
      where job_id = (select id from rota.job where name = 'also-nightly')`.execute(rota.db)
    expect(shown((await rota.jobs.listUpcomingRuns(day)).upcomingRuns)).toEqual(
      DAY.filter((run) => run !== '2 also-nightly'),
    )
  })
})

/** Executions of the past, as history has them. */
async function succeed(name: string, durationsMs: readonly number[]): Promise<void> {
  for (const durationMs of durationsMs) {
    await sql`insert into rota.execution_history (id, job_id, job_version, state, reason_code, reason_message, trigger,
        priority, class_id, guarantee, created_at, parameters, requested_by, attempt, max_attempts, started_at, settled_at)
      select ${randomUUID()}, id, 1, 'succeeded', '', '', 'schedule', 50, 1, 'at_least_once', clock_timestamp(), '{}', '',
        1, 1, clock_timestamp() - ${durationMs} * interval '1 millisecond', clock_timestamp()
      from rota.job where name = ${name}`.execute(rota.db)
  }
}

/** Jobs like `nightly`, by the thousand. */
async function copyNightly(count: number): Promise<void> {
  await sql`with template as (select id from rota.job where name = 'nightly'), made as (
      insert into rota.job (uid, name, state, version)
      select gen_random_uuid(), 'copy-' || n, 'active', 1 from generate_series(1, ${count}) n returning id
    ), versions as (
      insert into rota.job_version (job_id, version, spec, created_by)
      select made.id, 1, v.spec, '' from made, template join rota.job_version v on v.job_id = template.id
    )
    insert into rota.schedule (job_id, job_version, marked_at, due_at)
    select made.id, 1, s.marked_at, s.due_at from made, template join rota.schedule s on s.job_id = template.id`.execute(
    rota.db,
  )
}
