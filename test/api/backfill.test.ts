/** BackfillJob: what it refuses, and what it makes of a range. */
import { sql } from 'kysely'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { ExecutionState, Trigger } from '../../proto/gen/rota/v1/execution.ts'
import { BackfillJobRequest } from '../../proto/gen/rota/v1/job_service.ts'
import { schedule, seconds, shell } from '../support/spec.ts'
import { startTestCoordinator, type TestCoordinator } from '../support/test-coordinator.ts'
import { until } from '../support/until.ts'

let rota: TestCoordinator

beforeAll(async () => {
  rota = await startTestCoordinator()
})

afterAll(() => rota.remove())

const HOUR_MS = 3_600_000

/** Due at the full hours, created a day ago, and paused, so that nothing else runs it. */
async function createHourly(name: string, rest: object = {}): Promise<void> {
  await rota.createJob(name, { ...shell('true'), ...schedule({ cron: '0 * * * *' }), ...rest })
  await rota.jobs.pauseJob({ name: `jobs/${name}` })
  await age(name)
}

async function age(name: string): Promise<void> {
  await sql`update rota.job set created_at = created_at - interval '24 hours' where name = ${name}`.execute(
    rota.db,
  )
}

/** The full hour so many hours ago. */
const hourAgo = (hours: number) => new Date((Math.floor(Date.now() / HOUR_MS) - hours) * HOUR_MS)

/** The five full hours before this one. */
function backfill(name: string, rest: Partial<BackfillJobRequest> = {}) {
  const range = { startTime: hourAgo(5), endTime: hourAgo(0) }
  return rota.jobs.backfillJob(
    BackfillJobRequest.fromPartial({ name: `jobs/${name}`, ...range, ...rest }),
  )
}

const fiveHours = [5, 4, 3, 2, 1].map(hourAgo)

async function statesOf(names: readonly string[]): Promise<ExecutionState[]> {
  const executions = await Promise.all(names.map((name) => rota.execution(name)))
  return executions.map(({ state }) => state)
}

describe('a range', () => {
  test('is answered with its due times when only validating, and nothing is made', async () => {
    await createHourly('only-asked')
    const answer = await backfill('only-asked', { validateOnly: true, requestId: 'asked' })
    expect(answer).toMatchObject({ executions: [], scheduleTimes: fiveHours })
    const { executions } = await rota.executions.listExecutions({ job: 'jobs/only-asked' })
    expect(executions).toEqual([])
  })

  test('holds its start and not its end', async () => {
    await createHourly('bounds')
    const range = { startTime: hourAgo(3), endTime: new Date(hourAgo(1).getTime() + 1) }
    expect((await backfill('bounds', range)).scheduleTimes).toEqual([3, 2, 1].map(hourAgo))
  })

  test('becomes executions of their due times, one at a time, in order', async () => {
    await createHourly('in-order')
    const { executions, scheduleTimes } = await backfill('in-order')
    expect(scheduleTimes).toEqual(fiveHours)
    for (const [index, name] of executions.entries()) {
      await until('it is its turn', async () => {
        return (await rota.execution(name)).state === ExecutionState.QUEUED
      })
      const [, ...later] = await statesOf(executions.slice(index))
      expect(later.every((state) => state === ExecutionState.WAITING)).toBe(true)
      const execution = await rota.execution(name)
      expect(execution).toMatchObject({ trigger: Trigger.BACKFILL, scheduledFor: fiveHours[index] })
      await rota.executions.cancelExecution({ name })
    }
  })

  test('runs as many at once as it says, or all', async () => {
    await createHourly('some')
    await createHourly('all')
    const counts = await Promise.all(
      (
        [
          ['some', 2],
          ['all', 10_000],
        ] as const
      ).map(async ([name, maxParallel]) => {
        const { executions } = await backfill(name, { maxParallel })
        await until('some are queued', async () => {
          const states = await statesOf(executions)
          return states.filter((state) => state === ExecutionState.QUEUED).length >= 2
        })
        await until('nothing changes any more', async () => {
          const { rows } = await sql`select from rota.execution
            where reason_code = 'OVERLAP' and reason_message like 'waits until%'`.execute(rota.db)
          return rows.length > 0
        })
        const states = await statesOf(executions)
        return states.filter((state) => state === ExecutionState.QUEUED).length
      }),
    )
    expect(counts).toEqual([2, 5])
  })

  test('leaves out what has succeeded, unless it is asked for, and always what lives', async () => {
    await createHourly('again')
    const { executions } = await backfill('again', { maxParallel: 10_000 })
    // As if the first two had succeeded.
    await sql`with gone as (
        delete from rota.execution where id = any (${executions.slice(0, 2).map((name) => name.slice(11))}::uuid[])
        returning *
      ) insert into rota.execution_history (id, job_id, job_version, state, reason_code, reason_message, trigger, priority,
          class_id, guarantee, scheduled_for, created_at, parameters, requested_by, attempt, max_attempts, settled_at)
        select id, job_id, job_version, 'succeeded', '', '', trigger, priority, class_id, guarantee, scheduled_for,
          created_at, parameters, requested_by, attempt, max_attempts, clock_timestamp() from gone`.execute(
      rota.db,
    )
    await rota.executions.cancelExecution({ name: executions[4]! })
    expect(await backfill('again', { validateOnly: true })).toMatchObject({
      scheduleTimes: [hourAgo(1)],
      succeededCount: 2,
      liveCount: 2,
    })
    const withSucceeded = await backfill('again', { validateOnly: true, includeSucceeded: true })
    expect(withSucceeded).toMatchObject({
      scheduleTimes: [5, 4, 1].map(hourAgo),
      succeededCount: 0,
      liveCount: 2,
    })
  })

  test('is made once for one request_id, however often it comes', async () => {
    await createHourly('once')
    const ask = () => backfill('once', { requestId: 'backfill-1' })
    const [first, second] = await Promise.all([ask(), ask()])
    expect(second).toEqual(first)
    expect(await ask()).toEqual(first)
    await expect(
      backfill('once', { requestId: 'backfill-1', maxParallel: 2 }),
    ).rejects.toMatchObject({ reason: 'REQUEST_ID_REUSED' })
  })

  test('asked for twice at once is made once: the later one finds what lives', async () => {
    await createHourly('twice')
    const answers = await Promise.all([backfill('twice'), backfill('twice')])
    expect(answers.map(({ executions }) => executions.length).sort()).toEqual([0, 5])
    expect(answers.map(({ liveCount }) => liveCount).sort()).toEqual([0, 5])
  })

  test('is named by the ledger, whose decisions stay', async () => {
    await createHourly('ledger')
    await sql`insert into rota.occurrence (job_id, scheduled_for, decision, reason)
      select id, ${hourAgo(2)}, 'missed', 'nobody was there' from rota.job where name = 'ledger'`.execute(
      rota.db,
    )
    const { executions } = await backfill('ledger')
    const { occurrences } = await rota.jobs.listOccurrences({ job: 'jobs/ledger' })
    expect(occurrences).toMatchObject([
      { reason: 'nobody was there', execution: '', backfillExecution: executions[3] },
    ])
  })

  test('that the schedule has not decided yet is left to it', async () => {
    await createHourly('pending')
    await sql`update rota.schedule s set is_paused = false, marked_at = ${hourAgo(3)},
        due_at = clock_timestamp() + interval '1 hour'
      from rota.job j where j.id = s.job_id and j.name = 'pending'`.execute(rota.db)
    await sql`update rota.schedule s set due_at = ${hourAgo(2)} from rota.job j where j.id = s.job_id
      and j.name = 'pending'`.execute(rota.db)
    const { scheduleTimes } = await backfill('pending', { validateOnly: true })
    expect(scheduleTimes.length).toBeGreaterThanOrEqual(3)
    expect(scheduleTimes.slice(0, 3)).toEqual([5, 4, 3].map(hourAgo))
  })
})

test('ten thousand due times are taken, one more is refused', async () => {
  await rota.createJob('many', { ...shell('true'), ...schedule({ every: seconds('1s') }) })
  await rota.jobs.pauseJob({ name: 'jobs/many' })
  await age('many')
  const startTime = new Date(Date.now() - 4 * HOUR_MS)
  const ask = (count: number, rest: object = {}) =>
    backfill('many', { startTime, endTime: new Date(startTime.getTime() + count * 1_000), ...rest })
  await expect(ask(10_001)).rejects.toMatchObject({ reason: 'BACKFILL_TOO_LARGE' })
  const { executions } = await ask(10_000, { requestId: 'many' })
  expect(executions).toHaveLength(10_000)
  expect((await ask(10_000, { requestId: 'many' })).executions).toEqual(executions)
  const [first] = executions
  await until('the first one may run', async () => {
    return (await rota.execution(first!)).state === ExecutionState.QUEUED
  })
})

test.each<[string, Partial<BackfillJobRequest>, string, string]>([
  ['without a start', { startTime: undefined }, 'FIELD_REQUIRED', 'start_time: is missing'],
  ['without an end', { endTime: undefined }, 'FIELD_REQUIRED', 'end_time: is missing'],
  [
    'that is empty',
    { startTime: hourAgo(1), endTime: hourAgo(1) },
    'BACKFILL_RANGE_INVALID',
    'end_time: is not after start_time',
  ],
  [
    'that is in the future',
    { endTime: hourAgo(-2) },
    'BACKFILL_RANGE_INVALID',
    'end_time: is in the future',
  ],
  [
    'before the job',
    { startTime: hourAgo(100), endTime: hourAgo(90) },
    'BACKFILL_RANGE_INVALID',
    'start_time: is before the job was created',
  ],
  ['with less than none at once', { maxParallel: -1 }, 'FIELD_INVALID', 'max_parallel: -1 is not'],
])('a range %s is refused', async (_, request, reason, message) => {
  if ((await rota.jobs.listJobs({ filter: 'name = "refused"' })).jobs.length === 0) {
    await createHourly('refused')
  }
  await expect(backfill('refused', request)).rejects.toMatchObject({
    reason,
    message: expect.stringContaining(message),
  })
})

test('a job that has no due times, or is not there, is refused', async () => {
  await rota.createJob('by-hand', shell('true'))
  await expect(backfill('by-hand')).rejects.toMatchObject({ reason: 'JOB_WITHOUT_SCHEDULE' })
  await expect(backfill('by-hnd')).rejects.toMatchObject({ reason: 'JOB_NOT_FOUND' })
})
