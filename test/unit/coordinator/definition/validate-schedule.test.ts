import { describe, expect, test } from 'vitest'
import {
  CatchUp,
  CatchUp_Policy,
  DstPolicy,
  DstPolicy_Gap,
  type Schedule,
} from '../../../../proto/gen/rota/v1/job.ts'
import { durationFromMs } from '../../../../shared/duration.ts'
import { job, onlyHint, schedule, wrongs } from './a-job.ts'

const FIELD = 'job.spec.schedule'

type Kind = NonNullable<Schedule['recurrences'][number]['kind']>

function recurrences(...kinds: readonly Kind[]): Schedule['recurrences'] {
  return kinds.map((kind) => ({ kind, compiled: '' }))
}

const cron = (value: string) => recurrences({ $case: 'cron', value })
const every = (ms: number, phaseMs?: number) =>
  recurrences({ $case: 'every', value: durationFromMs(ms) }).map((recurrence) => ({
    ...recurrence,
    ...(phaseMs !== undefined && { phase: durationFromMs(phaseMs) }),
  }))
const at = (value: string) => recurrences({ $case: 'at', value: new Date(value) })

test.each([
  [{ recurrences: cron('*/5 * * * *'), timeZone: 'Europe/Paris' }],
  [{ recurrences: [...cron('@daily'), ...every(1_000), ...at('2026-11-20T10:00:01Z')] }],
  [
    {
      recurrences: cron('@daily'),
      notBefore: new Date('2030-01-01'),
      notAfter: new Date('2030-01-01'),
    },
  ],
  [{ recurrences: at('9999-12-31T23:59:59.999Z') }],
  [{ recurrences: every(60_000), notBefore: new Date('0001-01-01T00:00:00Z') }],
  [{ recurrences: every(60_000), notAfter: new Date('9999-12-31T23:59:59.999Z') }],
  [{ recurrences: cron('@daily'), dst: DstPolicy.fromPartial({ gap: DstPolicy_Gap.SHIFT }) }],
  [{ recurrences: cron('30 2 LW * *; @every 6h phase 15m') }],
  [{ recurrences: every(21_600_000, 900_000) }],
  [{ recurrences: cron('@daily'), excludeCalendars: ['holidays', 'calendars/weekends'] }],
  [{ recurrences: at('2020-01-01T00:00:00Z').concat(cron('@daily')) }],
  [
    {
      recurrences: every(60_000),
      catchUp: CatchUp.fromPartial({ policy: CatchUp_Policy.ALL, maxExecutions: 1_000 }),
    },
  ],
] satisfies [Partial<Schedule>][])('%o is right', (of) => {
  expect(wrongs(job({ schedule: schedule(of) }))).toEqual([])
})

describe('refused is', () => {
  test.each([
    [{}, '.recurrences FIELD_REQUIRED: is empty'],
    [{ recurrences: [{ compiled: '' }] }, '.recurrences[0] FIELD_REQUIRED: is empty'],
    [{ recurrences: cron('') }, '.recurrences[0].cron CRON_INVALID: "": is blank, at character 1'],
    [
      { recurrences: cron('* * * *') },
      '.recurrences[0].cron CRON_INVALID: "* * * *": has 4 fields instead of 5 or 6, at character 8',
    ],
    [
      { recurrences: cron('0 25 * * *') },
      '.recurrences[0].cron CRON_INVALID: "0 25 * * *": "25" is not in the range of the hour field, 0 to 23, at character 3',
    ],
    [
      { recurrences: every(999) },
      '.recurrences[0].every FIELD_INVALID: 0.999s is not from 1s to 365 d',
    ],
    [{ recurrences: every(1_500) }, '.recurrences[0].every FIELD_INVALID: is not in whole seconds'],
    [
      { recurrences: every(-60_000) },
      '.recurrences[0].every FIELD_INVALID: -60s is not from 1s to 365 d',
    ],
    [
      { recurrences: every(60_000, 60_000) },
      '.recurrences[0].phase FIELD_INVALID: is not shorter than the interval',
    ],
    [
      { recurrences: every(60_000, -1) },
      '.recurrences[0].phase FIELD_INVALID: -0.001s is not from 0s to 365 d',
    ],
    [
      { recurrences: cron('@daily').map((one) => ({ ...one, phase: durationFromMs(1_000) })) },
      '.recurrences[0].phase FIELD_INVALID: belongs to `every` only',
    ],
    [
      { recurrences: cron('@daily'), dst: DstPolicy.fromPartial({ gap: 9 as never }) },
      '.dst.gap FIELD_INVALID: 9 is not a value of this release',
    ],
    [
      { recurrences: at('nonsense') },
      '.recurrences[0].at FIELD_INVALID: is not in the years 1 to 9999',
    ],
    [
      { recurrences: Array.from({ length: 51 }, () => every(1_000)).flat() },
      '.recurrences FIELD_TOO_LONG: has 51 entries, more than 50',
    ],
    [
      { recurrences: every(1_000), timeZone: 'Europe/Pariss' },
      '.time_zone TIME_ZONE_INVALID: "Europe/Pariss" is no time zone',
    ],
    [
      { recurrences: every(1_000), notBefore: new Date(Number.NaN) },
      '.not_before FIELD_INVALID: is not in the years 1 to 9999',
    ],
    [
      { recurrences: every(1_000), notAfter: new Date(8.64e15) },
      '.not_after FIELD_INVALID: is not in the years 1 to 9999',
    ],
    [
      {
        recurrences: every(1_000),
        notBefore: new Date('2031-01-01'),
        notAfter: new Date('2030-01-01'),
      },
      '.not_after FIELD_INVALID: is before not_before',
    ],
    [
      { recurrences: every(1_000), catchUp: CatchUp.fromPartial({ policy: 99 as never }) },
      '.catch_up.policy FIELD_INVALID: 99 is not a value of this release',
    ],
    [
      { recurrences: every(1_000), catchUp: CatchUp.fromPartial({ maxExecutions: -1 }) },
      '.catch_up.max_executions FIELD_INVALID: -1 is not a whole number from 0 to 1000',
    ],
    [
      {
        recurrences: every(1_000),
        catchUp: CatchUp.fromPartial({ maxLateness: { seconds: -1n } }),
      },
      '.catch_up.max_lateness FIELD_INVALID: -1s is not from 0s to 365 d',
    ],
    [
      { recurrences: every(1_000), jitter: durationFromMs(1) },
      '.jitter FIELD_INVALID: 0.001s is not from 1s to 365 d',
    ],
    [
      { recurrences: every(1_000), jitter: durationFromMs(1_500) },
      '.jitter FIELD_INVALID: is not in whole seconds',
    ],
    [
      { recurrences: every(1_000), jitter: durationFromMs(86_401_000) },
      '.jitter FIELD_INVALID: is longer than a day',
    ],
    [
      { recurrences: at('2026-11-20T10:00:00Z') },
      ' SCHEDULE_NEVER_RUNS: has no due time after 2026-11-20T10:00:00.000Z',
    ],
    [
      { recurrences: cron('@yearly'), notAfter: new Date('2026-12-31') },
      ' SCHEDULE_NEVER_RUNS: has no due time after 2026-11-20T10:00:00.000Z',
    ],
  ] satisfies [Partial<Schedule>, string][])('%o', (of, wrong) => {
    expect(wrongs(job({ schedule: schedule(of) }))).toEqual([`${FIELD}${wrong}`])
  })

  test.each([
    [
      { excludeCalendars: ['holidays', 'Holidays'] },
      '.exclude_calendars[1] NAME_INVALID: "Holidays" is not of the form calendars/ID',
    ],
    [
      { onlyCalendars: ['calendars/a', 'calendars/a'] },
      '.only_calendars[1] FIELD_INVALID: "calendars/a" is in the list already',
    ],
    [
      { onlyCalendars: Array.from({ length: 21 }, (_, index) => `c-${index}`) },
      '.only_calendars FIELD_TOO_LONG: has 21 entries, more than 20',
    ],
  ] satisfies [Partial<Schedule>, string][])('calendars %o', (of, wrong) => {
    const broken = schedule({ recurrences: every(1_000), ...of })
    expect(wrongs(job({ schedule: broken }))).toEqual([`${FIELD}${wrong}`])
  })

  test('words that have several meanings, or none, with what they may mean', () => {
    const text = (value: string) =>
      schedule({ recurrences: recurrences({ $case: 'text', value }), timeZone: 'Europe/Pariss' })
    expect(wrongs(job({ schedule: text('monday at 9:00') }))).toEqual([
      `${FIELD}.recurrences[0].text SCHEDULE_AMBIGUOUS: "monday at 9:00": it does not say whether once or again and again`,
      expect.stringContaining('TIME_ZONE_INVALID'),
    ])
    expect(wrongs(job({ schedule: text('every moday') }))[0]).toBe(
      `${FIELD}.recurrences[0].text SCHEDULE_TEXT_INVALID: "every moday": "moday" is not understood here, at character 7`,
    )
  })
})

test('words that were compiled are right', () => {
  const kind = { $case: 'text', value: 'every weekday at 9:30' } as const
  const compiled = schedule({ recurrences: [{ kind, compiled: '30 9 * * 1-5' }] })
  expect(wrongs(job({ schedule: compiled }))).toEqual([])
})

test('a misspelt zone is named', () => {
  const broken = schedule({ recurrences: every(1_000), timeZone: 'Europe/Pariss' })
  expect(onlyHint(job({ schedule: broken }))).toMatch(/^Did you mean Europe\/Paris/)
})
