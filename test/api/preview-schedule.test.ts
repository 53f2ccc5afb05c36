import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { Schedule } from '../../proto/gen/rota/v1/job.ts'
import type { RotaError } from '../../shared/errors/rota-error.ts'
import { seconds } from '../support/spec.ts'
import { startTestCoordinator, type TestCoordinator } from '../support/test-coordinator.ts'

let rota: TestCoordinator

beforeAll(async () => {
  rota = await startTestCoordinator()
})

afterAll(async () => {
  await rota.remove()
})

const startTime = new Date('2026-11-20T10:00:00Z')

function preview(schedule: object | undefined, rest: object = {}) {
  const written = schedule && Schedule.fromJSON(schedule)
  return rota.jobs.previewSchedule({ schedule: written, startTime, ...rest })
}

async function refusal(schedule: object | undefined, rest: object = {}): Promise<string[]> {
  const error = await preview(schedule, rest).then(
    () => undefined,
    (error: RotaError) => error,
  )
  expect(error?.hint).toMatch(/\S/)
  return error?.violations.map(({ field, reason }) => `${field} ${reason}`) ?? []
}

describe('PreviewSchedule', () => {
  test('tells a whole schedule in words, rules, warnings and times', async () => {
    const answer = await preview(
      {
        recurrences: [
          { cron: '30 2 * * *' },
          { every: seconds('21600s'), phase: seconds('900s') },
          { text: 'every weekday at 9:30' },
          { at: '2026-12-24T18:00:00Z' },
        ],
        timeZone: 'Europe/Paris',
        dst: { gap: 'GAP_SKIP' },
      },
      { count: 4 },
    )
    expect(answer).toEqual({
      description:
        'Every day at 02:30; and every 6 hours, 15 minutes after 00:00 UTC of 1970-01-01; and every weekday at 09:30; and once at 2026-12-24T18:00:00Z, Europe/Paris',
      compiled: '30 2 * * *; @every 6h phase 15m; 30 9 * * 1-5; @at 2026-12-24T18:00:00Z',
      warnings: [
        '2027-03-28 02:30 does not exist in Europe/Paris: skipped.',
        expect.stringContaining('2027-10-31 02:30 comes twice in Europe/Paris'),
      ],
      scheduleTimes: [
        new Date('2026-11-20T12:15:00Z'),
        new Date('2026-11-20T18:15:00Z'),
        new Date('2026-11-21T00:15:00Z'),
        new Date('2026-11-21T01:30:00Z'),
      ],
      localTimes: [
        '2026-11-20T13:15:00+01:00',
        '2026-11-20T19:15:00+01:00',
        '2026-11-21T01:15:00+01:00',
        '2026-11-21T02:30:00+01:00',
      ],
    })
  })

  test('lists strictly later times, ten when none says how many, a thousand at most', async () => {
    const daily = { recurrences: [{ cron: '0 10 * * *' }] }
    const { scheduleTimes } = await preview(daily)
    expect(scheduleTimes).toHaveLength(10)
    expect(scheduleTimes[0]).toEqual(new Date('2026-11-21T10:00:00Z'))
    expect((await preview(daily, { count: 1_000 })).scheduleTimes).toHaveLength(1_000)
    for (const count of [-1, 1_001]) {
      expect(await refusal(daily, { count })).toEqual(['count FIELD_INVALID'])
    }
  })

  test('counts from now when it is not told from when', async () => {
    const { scheduleTimes } = await preview(
      { recurrences: [{ cron: '* * * * *' }] },
      { startTime: undefined },
    )
    expect(Math.abs(scheduleTimes[0]!.getTime() - Date.now())).toBeLessThan(120_000)
  })

  test('keeps to the window, and says that it ends', async () => {
    const { scheduleTimes, warnings } = await preview({
      recurrences: [{ cron: '@daily' }],
      notBefore: '2026-12-01T00:00:00Z',
      notAfter: '2026-12-02T00:00:00Z',
    })
    expect(scheduleTimes.map((time) => time.toISOString().slice(0, 10))).toEqual([
      '2026-12-01',
      '2026-12-02',
    ])
    expect(warnings).toEqual(['It never runs again after 2026-12-02T00:00:00Z.'])
  })

  test.each([
    [undefined, 'schedule FIELD_REQUIRED'],
    [{}, 'schedule.recurrences FIELD_REQUIRED'],
    [{ recurrences: [{ cron: '0 0 31 2 *' }] }, 'schedule.recurrences[0].cron CRON_INVALID'],
    [{ recurrences: [{ at: '2026-11-20T10:00:00Z' }] }, 'schedule SCHEDULE_NEVER_RUNS'],
    [
      { recurrences: [{ cron: '@daily' }], timeZone: 'Mars' },
      'schedule.time_zone TIME_ZONE_INVALID',
    ],
    [
      { recurrences: [{ text: 'monday at 9:00' }] },
      'schedule.recurrences[0].text SCHEDULE_AMBIGUOUS',
    ],
  ])('refuses %j as CreateJob does', async (schedule, wrong) => {
    expect(await refusal(schedule)).toEqual([wrong])
  })
})
