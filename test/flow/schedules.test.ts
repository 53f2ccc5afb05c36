import { sql } from 'kysely'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { ExecutionState, Trigger } from '../../proto/gen/rota/v1/execution.ts'
import { Job, JobState } from '../../proto/gen/rota/v1/job.ts'
import { type Occurrence, Occurrence_Decision } from '../../proto/gen/rota/v1/job_service.ts'
import { schedule, seconds, shell } from '../support/spec.ts'
import { startTestCoordinator, type TestCoordinator } from '../support/test-coordinator.ts'
import { until } from '../support/until.ts'

/** Two coordinators on one database; the agent belongs to the first. */
let rota: TestCoordinator
let second: TestCoordinator

beforeAll(async () => {
  rota = await startTestCoordinator()
  second = await startTestCoordinator([], { database: rota.database })
  await rota.addAgent('worker-1')
})

afterAll(async () => {
  await second.remove()
  await rota.remove()
})

async function occurrencesOf(job: string): Promise<Occurrence[]> {
  return (await rota.jobs.listOccurrences({ job: `jobs/${job}` })).occurrences.reverse()
}

function untilDecided(job: string, count: number): Promise<Occurrence[]> {
  return until(`${job} was due ${count} times`, async () => {
    const found = await occurrencesOf(job)
    return found.length >= count && found
  })
}

const everySecond = schedule({ every: seconds('1s') })

describe('a due time', () => {
  test.each([
    ['cron', { cron: '* * * * * *' }],
    ['every', { every: seconds('1s') }],
  ])(
    'of %s has one row in the ledger and one execution, though two coordinators look',
    async (kind, recurrence) => {
      await rota.createJob(kind, { ...shell('true'), ...schedule(recurrence) })
      const occurrences = await untilDecided(kind, 4)
      await second.jobs.pauseJob({ name: `jobs/${kind}` })
      const times = occurrences.map(({ scheduledFor }) => scheduledFor!.getTime())
      for (const [index, timeMs] of times.slice(1).entries())
        expect(timeMs - times[index]!).toBe(1_000)
      for (const { decision, execution: name, scheduledFor, decideTime } of occurrences) {
        expect(decision).toBe(Occurrence_Decision.ENQUEUED)
        const execution = await rota.ended(name)
        expect(execution).toMatchObject({
          state: ExecutionState.SUCCEEDED,
          trigger: Trigger.SCHEDULE,
        })
        expect(execution.scheduledFor).toEqual(scheduledFor)
        expect(execution.attempts).toHaveLength(1)
        // Never early, and soon.
        expect(decideTime!.getTime()).toBeGreaterThanOrEqual(scheduledFor!.getTime())
        expect(decideTime!.getTime() - scheduledFor!.getTime()).toBeLessThan(2_000)
      }
      const { executions } = await rota.executions.listExecutions({ job: `jobs/${kind}` })
      // By now some may have been due in the pause.
      const decided = (await occurrencesOf(kind))
        .filter(({ decision }) => decision !== Occurrence_Decision.SKIPPED_PAUSED)
        .map(({ execution }) => execution)
      expect(executions.map(({ name }) => name).sort()).toEqual(decided.sort())
    },
  )

  test('of twenty jobs at once is decided once each, by whichever coordinator', async () => {
    const names = Array.from({ length: 20 }, (_, index) => `crowd-${index}`)
    const at = new Date(Math.ceil((Date.now() + 3_000) / 1_000) * 1_000).toISOString()
    await Promise.all(
      names.map((name, index) =>
        (index % 2 === 0 ? rota : second).createJob(name, {
          ...shell('true'),
          ...schedule({ at }),
        }),
      ),
    )
    for (const name of names) {
      expect(await untilDecided(name, 1)).toHaveLength(1)
      const { executions } = await rota.executions.listExecutions({ job: `jobs/${name}` })
      expect(executions).toHaveLength(1)
    }
  })
})

test('a job that is due at one time runs then, and is completed', async () => {
  const at = new Date(Date.now() + 1_000)
  const job = await rota.createJob('at', {
    ...shell('true'),
    ...schedule({ at: at.toISOString() }),
  })
  expect(job.nextFireTime).toEqual(at)
  const [occurrence] = await untilDecided('at', 1)
  expect(occurrence?.scheduledFor).toEqual(at)
  expect((await rota.ended(occurrence!.execution)).state).toBe(ExecutionState.SUCCEEDED)
  const after = await until('it is completed', async () => {
    const { job } = await rota.jobs.getJob({ name: 'jobs/at' })
    return job?.state === JobState.COMPLETED ? job : undefined
  })
  expect(after.lastFireTime).toEqual(at)
  expect(after.nextFireTime).toBeUndefined()
})

test('a paused job does not run what is due, and resuming makes up for nothing', async () => {
  await rota.createJob('paused', { ...shell('true'), ...everySecond })
  await untilDecided('paused', 1)
  const { job } = await rota.jobs.pauseJob({ name: 'jobs/paused', reason: 'lunch' })
  expect(job).toMatchObject({ state: JobState.PAUSED, pauseReason: 'lunch' })
  expect(job?.nextFireTime).toBeUndefined()
  const before = (await occurrencesOf('paused')).filter(
    ({ decision }) => decision === Occurrence_Decision.ENQUEUED,
  ).length
  const paused = (await untilDecided('paused', before + 3)).slice(before)
  for (const { decision, execution, reason } of paused) {
    expect(decision).toBe(Occurrence_Decision.SKIPPED_PAUSED)
    expect([execution, reason]).toEqual(['', 'paused by token:admin: lunch'])
  }
  await expect(rota.trigger('paused')).resolves.toMatchObject({ trigger: Trigger.MANUAL })
  const resumedAt = Date.now()
  await rota.jobs.resumeJob({ name: 'jobs/paused' })
  const all = await until('it ran again', async () => {
    const found = await occurrencesOf('paused')
    return found.at(-1)?.decision === Occurrence_Decision.ENQUEUED && found
  })
  const ran = all.slice(before).filter(({ execution }) => execution !== '')
  for (const { scheduledFor } of ran) {
    expect(scheduledFor!.getTime()).toBeGreaterThanOrEqual(resumedAt)
  }
  // The ledger has no gap.
  const times = all.map(({ scheduledFor }) => scheduledFor!.getTime())
  for (const [index, timeMs] of times.slice(1).entries()) expect(timeMs - times[index]!).toBe(1_000)
  await rota.jobs.pauseJob({ name: 'jobs/paused' })
})

test('a changed schedule takes over from now; the old one is not due any more', async () => {
  const job = await rota.createJob('changing', {
    ...shell('true'),
    ...schedule({ cron: '@yearly' }),
  })
  const changed = { ...job, spec: { ...job.spec!, schedule: undefined } }
  const spec = { ...shell('true'), ...everySecond }
  await rota.jobs.updateJob({
    job: { ...changed, spec: Job.fromJSON({ spec }).spec },
    updateMask: ['spec'],
  })
  const [occurrence] = await untilDecided('changing', 1)
  expect((await rota.execution(occurrence!.execution)).jobVersion).toBe(2)
  await rota.jobs.updateJob({ job: { ...changed, etag: '' }, updateMask: ['spec.schedule'] })
  const { rows } = await sql`select from rota.schedule s join rota.job j on j.id = s.job_id
    where j.name = 'changing'`.execute(rota.db)
  expect(rows).toHaveLength(0)
})

test('what came due while no coordinator was there is caught up by the policy of the job', async () => {
  const withCatchUp = (policy: string) => ({
    ...shell('true'),
    ...schedule({ cron: '* * * * * *' }, { catchUp: { policy } }),
  })
  for (const policy of ['LAST', 'NONE', 'ALL']) {
    await rota.createJob(`catch-${policy.toLowerCase()}`, withCatchUp(`POLICY_${policy}`))
    await untilDecided(`catch-${policy.toLowerCase()}`, 1)
  }
  await Promise.all([rota.stop(), second.stop()])
  // As if it had been half a minute: the marks go back, as they would have stayed.
  await sql`update rota.schedule s set marked_at = s.marked_at - interval '30 s', due_at = s.due_at - interval '30 s'
    from rota.job j where j.id = s.job_id and j.name like 'catch-%'`.execute(rota.db)
  await sql`delete from rota.occurrence o using rota.job j where j.id = o.job_id and j.name like 'catch-%'`.execute(
    rota.db,
  )
  await Promise.all([rota.start(), second.start()])
  const decisions = async (name: string) => {
    const found = await untilDecided(name, 30)
    await rota.jobs.pauseJob({ name: `jobs/${name}` })
    const times = found.map(({ scheduledFor }) => scheduledFor!.getTime())
    for (const [index, timeMs] of times.slice(1).entries())
      expect(timeMs - times[index]!).toBe(1_000)
    const late = found.filter(({ reason }) => reason !== 'on time')
    return late.map(({ decision }) => decision)
  }
  const last = await decisions('catch-last')
  expect(last.length).toBeGreaterThan(20)
  expect(new Set(last)).toEqual(new Set([Occurrence_Decision.COALESCED]))
  expect(new Set(await decisions('catch-none'))).toEqual(new Set([Occurrence_Decision.MISSED]))
  expect(new Set(await decisions('catch-all'))).toEqual(new Set([Occurrence_Decision.ENQUEUED]))
  const { executions } = await rota.executions.listExecutions({
    job: 'jobs/catch-all',
    pageSize: 1_000,
  })
  expect(executions.some(({ trigger }) => trigger === Trigger.CATCH_UP)).toBe(true)
})
