/** What is no schedule is refused wherever one may be given, for the same reason and with something to do about it. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { Job, Schedule } from '../../proto/gen/rota/v1/job.ts'
import { RotaError } from '../../shared/errors/rota-error.ts'
import { rota as cli } from '../support/cli.ts'
import { seconds, shell } from '../support/spec.ts'
import { startTestCoordinator, type TestCoordinator } from '../support/test-coordinator.ts'

let rota: TestCoordinator

beforeAll(async () => {
  rota = await startTestCoordinator()
  await rota.createJob('there', shell('true'))
})

afterAll(async () => {
  await rota.remove()
})

const PAST = '2020-01-01T00:00:00Z'

interface Bad {
  readonly schedule: object
  /** Below the schedule. */
  readonly field: string
  readonly reason: string
  readonly message: RegExp
  readonly hint: RegExp
  /** The same on the command line. */
  readonly expr?: readonly string[]
}

const cron = (text: string, rest: object = {}) => ({ recurrences: [{ cron: text }], ...rest })

const BAD: readonly Bad[] = [
  {
    schedule: cron('0 0 31 2 *'),
    field: '.recurrences[0].cron',
    reason: 'CRON_INVALID',
    message: /names days that never come, at character 5/,
    hint: /no day in 400 years/,
    expr: ['0 0 31 2 *'],
  },
  {
    schedule: cron('0 0 31 4,6,9,11 *'),
    field: '.recurrences[0].cron',
    reason: 'CRON_INVALID',
    message: /names days that never come/,
    hint: /no month has all that it asks for/,
    expr: ['0 0 31 4,6,9,11 *'],
  },
  {
    schedule: cron('0 0 * * 5#6'),
    field: '.recurrences[0].cron',
    reason: 'CRON_INVALID',
    message: /at character 9/,
    hint: /\S/,
    expr: ['0 0 * * 5#6'],
  },
  {
    schedule: { recurrences: [] },
    field: '.recurrences',
    reason: 'FIELD_REQUIRED',
    message: /is empty/,
    hint: /leave out the schedule/,
  },
  {
    schedule: { recurrences: [{}] },
    field: '.recurrences[0]',
    reason: 'FIELD_REQUIRED',
    message: /is empty/,
    hint: /one of cron, every, at and text/,
  },
  {
    schedule: cron(' '),
    field: '.recurrences[0].cron',
    reason: 'CRON_INVALID',
    message: /is blank/,
    hint: /five fields/,
    expr: [' '],
  },
  {
    schedule: cron('0 3 * * *;'),
    field: '.recurrences[0].cron',
    reason: 'CRON_INVALID',
    message: /is blank|has 0 fields/,
    hint: /five fields/,
    expr: ['0 3 * * *;'],
  },
  {
    schedule: { recurrences: [{ every: seconds('0.5s') }] },
    field: '.recurrences[0].every',
    reason: 'FIELD_INVALID',
    message: /0.5s is not from 1s to 365 d/,
    hint: /whole seconds from 1s/,
  },
  {
    schedule: cron('@every 500ms'),
    field: '.recurrences[0].cron',
    reason: 'CRON_INVALID',
    message: /not a number of whole seconds from 1 s/,
    hint: /@every 90s/,
    expr: ['@every 500ms'],
  },
  {
    schedule: { recurrences: [{ text: 'every half second' }] },
    field: '.recurrences[0].text',
    reason: 'SCHEDULE_TEXT_INVALID',
    message: /half/,
    hint: /\S/,
    expr: ['every half second'],
  },
  {
    schedule: { recurrences: [{ at: PAST }] },
    field: '',
    reason: 'SCHEDULE_NEVER_RUNS',
    message: /has no due time after/,
    hint: /The time has passed/,
  },
  {
    schedule: cron(`@at ${PAST}`),
    field: '',
    reason: 'SCHEDULE_NEVER_RUNS',
    message: /has no due time after/,
    hint: /\S/,
    expr: [PAST],
  },
  {
    schedule: cron('@daily', { notAfter: PAST }),
    field: '',
    reason: 'SCHEDULE_NEVER_RUNS',
    message: /has no due time after/,
    hint: /It would be due at .*, which not_before and not_after leave out/,
  },
  {
    schedule: cron('@daily', { timeZone: 'Europe/Pariss' }),
    field: '.time_zone',
    reason: 'TIME_ZONE_INVALID',
    message: /is no time zone/,
    hint: /Did you mean Europe\/Paris/,
    expr: ['@daily', '--tz', 'Europe/Pariss'],
  },
  {
    schedule: cron('@daily', { timeZone: '+01:00' }),
    field: '.time_zone',
    reason: 'TIME_ZONE_INVALID',
    message: /is no time zone/,
    hint: /IANA/,
    expr: ['@daily', '--tz', '+01:00'],
  },
]

/** `field reason` of the first violation, which has to say what the table says. */
async function refusal(call: Promise<unknown>, { message, hint }: Bad): Promise<string> {
  const error = await call.then(
    () => undefined,
    (error: unknown) => error,
  )
  if (!(error instanceof RotaError)) return `not refused: ${String(error)}`
  expect(error.message).toMatch(message)
  expect(error.hint).toMatch(hint)
  return `${error.violations[0]?.field} ${error.reason}`
}

describe.each(BAD.map((bad) => [JSON.stringify(bad.schedule), bad] as const))('%s', (_, bad) => {
  const job = Job.fromJSON({ spec: { ...shell('true'), schedule: bad.schedule } })
  const expected = (field: string) => `${field}${bad.field} ${bad.reason}`

  test('is refused by CreateJob, UpdateJob and PreviewSchedule', async () => {
    const create = rota.jobs.createJob({ jobId: 'new', job })
    expect(await refusal(create, bad)).toBe(expected('job.spec.schedule'))
    const update = rota.jobs.updateJob({
      job: { ...job, name: 'jobs/there' },
      updateMask: ['spec.schedule'],
    })
    expect(await refusal(update, bad)).toBe(expected('job.spec.schedule'))
    const schedule = Schedule.fromJSON(bad.schedule)
    const preview = rota.jobs.previewSchedule({ schedule })
    expect(await refusal(preview, bad)).toBe(expected('schedule'))
  })
})

test.each(
  BAD.flatMap((bad) =>
    bad.expr === undefined ? [] : [[bad.expr.join(' '), bad.expr, bad] as const],
  ),
)('%s is refused on the command line', async (_, expr, bad) => {
  const answer = await cli(['schedule', 'preview', ...expr])
  expect([answer.exitCode, answer.stdout]).toEqual([2, ''])
  expect(answer.stderr).toContain(`[${bad.reason}]`)
  expect(answer.stderr).toMatch(bad.hint)
})
