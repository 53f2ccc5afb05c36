/** `recover_from`: what was due before a job is saved or resumed is decided only when that is asked for. */
import { sql } from 'kysely'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { Trigger } from '../../proto/gen/rota/v1/execution.ts'
import { type Job, JobState } from '../../proto/gen/rota/v1/job.ts'
import { type Occurrence, Occurrence_Decision } from '../../proto/gen/rota/v1/job_service.ts'
import { schedule, seconds, shell } from '../support/spec.ts'
import { startTestCoordinator, type TestCoordinator } from '../support/test-coordinator.ts'
import { until } from '../support/until.ts'

let rota: TestCoordinator

beforeAll(async () => {
  rota = await startTestCoordinator()
})

afterAll(() => rota.remove())

/** Due every second; paused, and a day old. */
async function createPaused(name: string, policy: string): Promise<Job> {
  const job = await rota.createJob(name, {
    ...shell('true'),
    ...schedule({ cron: '* * * * * *' }, { catchUp: { policy } }),
  })
  await rota.jobs.pauseJob({ name: `jobs/${name}` })
  await sql`update rota.job set created_at = created_at - interval '1 day' where name = ${name}`.execute(
    rota.db,
  )
  await sql`delete from rota.occurrence o using rota.job j where j.id = o.job_id and j.name = ${name}`.execute(
    rota.db,
  )
  return { ...job, etag: '' }
}

/** The due times after `from` and before `to`, oldest first, as soon as all of them are decided. */
async function decided(job: string, from: Date, to: Date): Promise<Occurrence[]> {
  await until('all are decided', async () => {
    const { rows } = await sql`select from rota.schedule s join rota.job j on j.id = s.job_id
      where j.name = ${job} and s.marked_at >= ${to}`.execute(rota.db)
    return rows.length > 0
  })
  const range = { startTime: new Date(from.getTime() + 1), endTime: to, pageSize: 1_000 }
  const { occurrences } = await rota.jobs.listOccurrences({ job: `jobs/${job}`, ...range })
  return occurrences.reverse()
}

const ago = (secondsAgo: number) => new Date(Date.now() - secondsAgo * 1_000)

test('resuming decides what was due since then by the catch-up policy', async () => {
  for (const [policy, expected] of [
    ['ALL', { first: 'ENQUEUED', last: 'ENQUEUED' }],
    ['LAST', { first: 'COALESCED', last: 'ENQUEUED' }],
    ['NONE', { first: 'MISSED', last: 'ENQUEUED' }],
  ] as const) {
    const name = `resumed-${policy.toLowerCase()}`
    await createPaused(name, `POLICY_${policy}`)
    const [from, to] = [ago(30), new Date()]
    const { job } = await rota.jobs.resumeJob({ name: `jobs/${name}`, recoverFrom: from })
    expect(job?.state).toBe(JobState.ACTIVE)
    const found = await decided(name, from, to)
    await rota.jobs.pauseJob({ name: `jobs/${name}` })
    expect(found).toHaveLength(30)
    const late = found.slice(0, 20).map(({ decision }) => decision)
    expect(new Set(late)).toEqual(new Set([Occurrence_Decision[expected.first]]))
    expect(found[0]?.reason).toMatch(/^(29|3\d)(\.\d+)?s.* late; /)
  }
  const { executions } = await rota.executions.listExecutions({
    job: 'jobs/resumed-all',
    filter: 'trigger = CATCH_UP',
  })
  expect(executions.length).toBeGreaterThanOrEqual(24)
  expect(executions[0]?.trigger).toBe(Trigger.CATCH_UP)
})

test('resuming without it decides nothing that was due before', async () => {
  await createPaused('plain', 'POLICY_ALL')
  const to = new Date()
  await rota.jobs.resumeJob({ name: 'jobs/plain' })
  expect(await decided('plain', ago(86_000), to)).toEqual([])
  await rota.jobs.pauseJob({ name: 'jobs/plain' })
})

test('what was left out because the job was paused is decided anew, everything else stays', async () => {
  await createPaused('left-out', 'POLICY_ALL')
  const nowMs = Math.floor(Date.now() / 1_000) * 1_000
  const second = (secondsAgo: number) => new Date(nowMs - secondsAgo * 1_000)
  await sql`insert into rota.occurrence (job_id, scheduled_for, decision, reason)
    select id, t, d, 'before' from rota.job,
      (values (${second(20)}::timestamptz, 'skipped_paused'), (${second(10)}::timestamptz, 'missed'),
        (${second(40)}::timestamptz, 'skipped_paused')) as o (t, d)
    where name = 'left-out'`.execute(rota.db)
  await rota.jobs.resumeJob({ name: 'jobs/left-out', recoverFrom: second(30) })
  const found = await decided('left-out', second(41), second(0))
  await rota.jobs.pauseJob({ name: 'jobs/left-out' })
  const at = (secondsAgo: number) =>
    found.find(({ scheduledFor }) => scheduledFor?.getTime() === second(secondsAgo).getTime())
  const { ENQUEUED, MISSED, SKIPPED_PAUSED } = Occurrence_Decision
  expect([40, 20, 10].map((ago) => at(ago)?.decision)).toEqual([SKIPPED_PAUSED, ENQUEUED, MISSED])
  expect(at(20)?.reason).toContain('all are caught up')
  expect(found).toHaveLength(1 + 29)
})

test('an update may recover, too, with or without a change', async () => {
  const job = await createPaused('updated', 'POLICY_ALL')
  await rota.jobs.resumeJob({ name: 'jobs/updated' })
  const [from, to] = [ago(30), ago(3)]
  const update = { job: { ...job, description: 'new' }, updateMask: ['description'] }
  await rota.jobs.updateJob({ ...update, recoverFrom: from })
  const found = await decided('updated', from, to)
  await rota.jobs.pauseJob({ name: 'jobs/updated' })
  expect(found.length).toBeGreaterThanOrEqual(26)
  expect(new Set(found.map(({ decision }) => decision))).toEqual(
    new Set([Occurrence_Decision.ENQUEUED]),
  )
})

test.each([
  ['in the future', () => ago(-60), 'is in the future'],
  ['before the job was created', () => ago(90_000), 'is before the job was created'],
  ['too many due times ago', () => ago(80_000), 'more than 10000 due times'],
])('a time %s is refused', async (what, time, message) => {
  const name = `refused-${what.replaceAll(' ', '-')}`
  await createPaused(name, 'POLICY_ALL')
  await expect(
    rota.jobs.resumeJob({ name: `jobs/${name}`, recoverFrom: time() }),
  ).rejects.toMatchObject({
    reason: 'RECOVERY_INVALID',
    message: expect.stringContaining(message),
  })
  const { job } = await rota.jobs.getJob({ name: `jobs/${name}` })
  expect(job?.state).toBe(JobState.PAUSED)
})

test('a job without a schedule, one that stays paused, and one that is not there have nothing to recover', async () => {
  const job = await rota.createJob('by-hand', shell('true'))
  const ask = (of: Job, rest: object = {}) =>
    rota.jobs.updateJob({
      job: { ...of, etag: '', description: 'new' },
      updateMask: ['description'],
      recoverFrom: ago(0),
      ...rest,
    })
  await expect(ask(job)).rejects.toMatchObject({ reason: 'RECOVERY_INVALID' })
  const paused = await createPaused('stays-paused', 'POLICY_ALL')
  await expect(ask(paused)).rejects.toMatchObject({
    message: expect.stringContaining('the job is paused'),
  })
  const missing = { ...job, name: 'jobs/nobody' }
  await expect(ask(missing, { allowMissing: true })).rejects.toMatchObject({
    reason: 'JOB_NOT_FOUND',
  })
})

test('an interval goes back to its own due times', async () => {
  await rota.createJob('interval', {
    ...shell('true'),
    ...schedule({ every: seconds('10s') }, { catchUp: { policy: 'POLICY_ALL' } }),
  })
  // Before the pause: its due times count from there, and the schedule loop keeps what it has read.
  await sql`update rota.job set created_at = created_at - interval '1 hour' where name = 'interval'`.execute(
    rota.db,
  )
  await rota.jobs.pauseJob({ name: 'jobs/interval' })
  await rota.jobs.resumeJob({ name: 'jobs/interval', recoverFrom: ago(600) })
  const found = await decided('interval', ago(600), new Date())
  expect(found.length).toBeGreaterThanOrEqual(59)
})
