import { sql } from 'kysely'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { Job, JobState } from '../../proto/gen/rota/v1/job.ts'
import type { ScheduleImpact } from '../../proto/gen/rota/v1/job_service.ts'
import type { RotaError } from '../../shared/errors/rota-error.ts'
import { schedule, shell } from '../support/spec.ts'
import { startTestCoordinator, type TestCoordinator } from '../support/test-coordinator.ts'

let rota: TestCoordinator

beforeAll(async () => {
  rota = await startTestCoordinator()
  for (const name of ['a', 'b', 'c']) {
    await rota.createJob(name, { ...shell('true'), ...schedule({ cron: '0 2 * * *' }) })
  }
  await rota.createJob('hourly', { ...shell('true'), ...schedule({ cron: '0 * * * *' }) })
})

afterAll(async () => {
  await rota.remove()
})

const specOf = (cron: string, rest: object = {}) =>
  Job.fromJSON({ spec: { ...shell('true'), ...schedule({ cron }, rest) } })

function hours(impact: ScheduleImpact | undefined) {
  return {
    before: [...new Set(impact?.nextBefore.map((time) => time.getUTCHours()))],
    after: [...new Set(impact?.nextAfter.map(({ scheduleTime }) => scheduleTime?.getUTCHours()))],
    others: [...new Set(impact?.nextAfter.map(({ otherJobCount }) => otherJobCount))],
  }
}

/** All that could have been changed. */
async function everything(): Promise<unknown> {
  const { rows } = await sql<{ all: unknown }>`select jsonb_build_object(
      'jobs', (select jsonb_agg(to_jsonb(j) order by j.id) from rota.job j),
      'versions', (select jsonb_agg(to_jsonb(v) order by v.job_id, v.version) from rota.job_version v),
      'schedules', (select jsonb_agg(to_jsonb(s) - '{marked_at,due_at}'::text[] order by s.job_id)
        from rota.schedule s),
      'events', (select count(*) from rota.event)) as all`.execute(rota.db)
  return rows[0]?.all
}

describe('validate_only shows what a change would do, and changes nothing:', () => {
  test('CreateJob', async () => {
    const before = await everything()
    const { job, impact } = await rota.jobs.createJob({
      jobId: 'new',
      job: specOf('0 2 * * *'),
      validateOnly: true,
    })
    expect(job?.name).toBe('jobs/new')
    // a, b, c and hourly.
    expect(hours(impact)).toEqual({ before: [], after: [2], others: [4] })
    expect(impact?.nextAfter).toHaveLength(10)
    expect(await everything()).toEqual(before)
  })

  test('UpdateJob', async () => {
    const before = await everything()
    const { impact } = await rota.jobs.updateJob({
      job: { ...specOf('30 2 * * *', { timeZone: 'Europe/Paris' }), name: 'jobs/a' },
      updateMask: ['spec.schedule'],
      validateOnly: true,
    })
    expect(hours(impact)).toMatchObject({ before: [2], others: [0] })
    expect(impact).toMatchObject({ pastExecutionCount: 0 })
    expect(impact?.dstSurprises.map(({ message }) => message)).toEqual([
      expect.stringMatching(/does not exist in Europe\/Paris/),
      expect.stringMatching(/comes twice in Europe\/Paris/),
    ])
    expect(await everything()).toEqual(before)
  })

  test('PauseJob, ResumeJob and DeleteJob', async () => {
    const before = await everything()
    const paused = await rota.jobs.pauseJob({ name: 'jobs/a', validateOnly: true })
    expect(paused.job?.state).toBe(JobState.PAUSED)
    expect(hours(paused.impact)).toEqual({ before: [2], after: [], others: [] })
    const deleted = await rota.jobs.deleteJob({ name: 'jobs/a', validateOnly: true })
    expect(hours(deleted.impact)).toEqual({ before: [2], after: [], others: [] })
    expect(await everything()).toEqual(before)

    await rota.jobs.pauseJob({ name: 'jobs/a' })
    const whilePaused = await everything()
    const resumed = await rota.jobs.resumeJob({ name: 'jobs/a', validateOnly: true })
    expect(hours(resumed.impact)).toEqual({ before: [], after: [2], others: [3] })
    expect(await everything()).toEqual(whilePaused)
    await rota.jobs.resumeJob({ name: 'jobs/a' })
  })

  test('RollbackJob', async () => {
    const change = { job: { ...specOf('0 5 * * *'), name: 'jobs/b' }, updateMask: ['spec'] }
    const { impact: made } = await rota.jobs.updateJob(change)
    // One that is made tells the short form: the others are not looked at.
    expect(hours(made)).toEqual({ before: [2], after: [5], others: [undefined] })
    const before = await everything()
    const rollback = { name: 'jobs/b', version: 1 }
    const { impact, job } = await rota.jobs.rollbackJob({ ...rollback, validateOnly: true })
    expect(job?.version).toBe(3)
    expect(hours(impact)).toEqual({ before: [5], after: [2], others: [3] })
    expect(await everything()).toEqual(before)
  })
})

describe('RollbackJob', () => {
  test('makes an older version the newest, and keeps why', async () => {
    const { job } = await rota.jobs.rollbackJob({ name: 'jobs/b', version: 1, note: 'too late' })
    expect(job).toMatchObject({ version: 3, nextFireTime: expect.any(Date) })
    expect(job?.nextFireTime?.getUTCHours()).toBe(2)
    const { versions } = await rota.jobs.listJobVersions({ name: 'jobs/b' })
    expect(versions.map(({ version, note }) => `${version} ${note}`)).toEqual([
      '3 too late',
      '2 ',
      '1 ',
    ])
    expect(versions[0]?.spec).toEqual(versions[2]?.spec)
  })

  test('of a version that is not there says which there are', async () => {
    const error = await rota.jobs.rollbackJob({ name: 'jobs/b', version: 9 }).then(
      () => undefined,
      (error: RotaError) => error,
    )
    expect(error).toMatchObject({
      reason: 'JOB_VERSION_NOT_FOUND',
      hint: 'It has the versions 1 to 3.',
    })
  })
})

test('a change that leaves the schedule alone has no impact', async () => {
  const job = { ...Job.fromPartial({ description: 'x' }), name: 'jobs/c' }
  const { impact } = await rota.jobs.updateJob({ job, updateMask: ['description'] })
  expect(impact).toBeUndefined()
})

test('what a validated change must not do is refused as if it were made', async () => {
  await rota.createJob('dependent', { ...shell('true'), dependencies: [{ job: 'jobs/c' }] })
  const error = await rota.jobs.deleteJob({ name: 'jobs/c', validateOnly: true }).then(
    () => undefined,
    (error: RotaError) => error,
  )
  expect(error?.reason).toBe('JOB_HAS_DEPENDENTS')
})
