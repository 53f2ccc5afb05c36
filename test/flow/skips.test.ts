import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { JobState } from '../../proto/gen/rota/v1/job.ts'
import { type Occurrence, Occurrence_Decision } from '../../proto/gen/rota/v1/job_service.ts'
import { schedule, seconds, shell } from '../support/spec.ts'
import { startTestCoordinator, type TestCoordinator } from '../support/test-coordinator.ts'
import { until } from '../support/until.ts'

let rota: TestCoordinator

beforeAll(async () => {
  rota = await startTestCoordinator()
})

afterAll(async () => {
  await rota.remove()
})

const everySecond = schedule({ every: seconds('1s') })
const hourly = { ...shell('true'), ...schedule({ cron: '0 * * * *' }) }

async function occurrencesOf(job: string): Promise<Occurrence[]> {
  return (await rota.jobs.listOccurrences({ job: `jobs/${job}` })).occurrences.reverse()
}

function isAfter(occurrences: readonly Occurrence[], time: Date): boolean {
  return (occurrences.at(-1)?.scheduledFor ?? time) > time
}

async function get(job: string) {
  const { job: found } = await rota.jobs.getJob({ name: `jobs/${job}` })
  return found!
}

function reasonOf(call: Promise<unknown>): Promise<string> {
  return call.then(
    () => 'answered',
    (error: { reason: string }) => error.reason,
  )
}

describe('a pause with an end', () => {
  test('ends by itself, and everything within it is in the ledger', async () => {
    await rota.createJob('until', { ...shell('true'), ...everySecond })
    await until('it was due', async () => (await occurrencesOf('until')).length > 0)
    const resumeTime = new Date(Date.now() + 2_500)
    const { job } = await rota.jobs.pauseJob({ name: 'jobs/until', reason: 'disk', resumeTime })
    expect(job).toMatchObject({ state: JobState.PAUSED, resumeTime })
    expect(job!.nextFireTime!.getTime() - resumeTime.getTime()).toBeLessThan(1_000)
    expect(job!.nextFireTime! >= resumeTime).toBe(true)
    const resumed = await until('it goes on', async () => {
      const now = await get('until')
      return now.state === JobState.ACTIVE && now
    })
    expect(resumed.resumeTime).toBeUndefined()
    expect(resumed.pauseReason).toBe('')
    const found = await until('it ran again', async () => {
      const all = await occurrencesOf('until')
      return isAfter(all, new Date(resumeTime.getTime() - 1)) && all
    })
    await rota.jobs.pauseJob({ name: 'jobs/until' })
    const times = found.map(({ scheduledFor }) => scheduledFor!.getTime())
    for (const [index, timeMs] of times.slice(1).entries()) {
      expect(timeMs - times[index]!).toBe(1_000)
    }
    const paused = found.filter(({ decision }) => decision === Occurrence_Decision.SKIPPED_PAUSED)
    expect(paused.length).toBeGreaterThanOrEqual(2)
    expect(paused[0]?.reason).toMatch(/^paused by token:admin until .*Z: disk$/)
    for (const { scheduledFor } of paused) expect(scheduledFor! < resumeTime).toBe(true)
  })

  test('of a job without a schedule ends, too', async () => {
    await rota.createJob('by-hand', shell('true'))
    const resumeTime = new Date(Date.now() + 500)
    await rota.jobs.pauseJob({ name: 'jobs/by-hand', resumeTime })
    await until('it goes on', async () => (await get('by-hand')).state === JobState.ACTIVE)
  })

  test('outlives an edit, and is ended by hand before', async () => {
    const job = await rota.createJob('edited', hourly)
    const resumeTime = new Date(Date.now() + 3_600_000 * 5)
    await rota.jobs.pauseJob({ name: 'jobs/edited', resumeTime })
    const spec = { ...job.spec!, priority: 7 }
    const { job: edited } = await rota.jobs.updateJob({
      job: { ...job, spec, etag: '' },
      updateMask: ['spec'],
    })
    expect(edited).toMatchObject({ state: JobState.PAUSED, resumeTime })
    expect(edited!.nextFireTime! >= resumeTime).toBe(true)
    const { job: resumed } = await rota.jobs.resumeJob({ name: 'jobs/edited' })
    expect(resumed).toMatchObject({ state: JobState.ACTIVE, nextFireTime: job.nextFireTime })
    expect(resumed?.resumeTime).toBeUndefined()
  })

  test('that has passed is refused', async () => {
    await rota.createJob('late', hourly)
    const resumeTime = new Date(Date.now() - 1_000)
    const call = rota.jobs.pauseJob({ name: 'jobs/late', resumeTime })
    expect(await reasonOf(call)).toBe('FIELD_INVALID')
    expect((await get('late')).state).toBe(JobState.ACTIVE)
  })
})

describe('skipping', () => {
  test('leaves out as many runs as asked for, and goes on', async () => {
    await rota.createJob('skipping', { ...shell('true'), ...everySecond })
    await until('it was due', async () => (await occurrencesOf('skipping')).length > 0)
    const answer = await rota.jobs.skipJob({
      name: 'jobs/skipping',
      count: 2,
      reason: 'once is enough',
    })
    expect(answer.job?.skipCount).toBe(2)
    const [first, second] = answer.skippedTimes
    expect(second!.getTime() - first!.getTime()).toBe(1_000)
    expect(answer.job!.nextFireTime!.getTime() - second!.getTime()).toBe(1_000)
    const found = await until('it runs again', async () => {
      const all = await occurrencesOf('skipping')
      return isAfter(all, second!) && all
    })
    await rota.jobs.pauseJob({ name: 'jobs/skipping' })
    const skipped = found.filter(
      ({ decision }) => decision === Occurrence_Decision.SKIPPED_REQUESTED,
    )
    expect(skipped.map(({ scheduledFor }) => scheduledFor)).toEqual(answer.skippedTimes)
    expect(skipped[0]?.reason).toBe('asked for by token:admin: once is enough')
    expect((await get('skipping')).skipCount).toBe(0)
    const ran = found.filter(({ decision }) => decision === Occurrence_Decision.ENQUEUED)
    expect(ran.length + skipped.length).toBe(found.length)
  })

  test('is taken back, and asked for anew instead of more', async () => {
    const job = await rota.createJob('undone', hourly)
    await rota.jobs.skipJob({ name: 'jobs/undone' })
    const three = await rota.jobs.skipJob({ name: 'jobs/undone', count: 3 })
    expect(three.skippedTimes[0]).toEqual(job.nextFireTime)
    const fourth = job.nextFireTime!.getTime() + 3 * 3_600_000
    expect(three.job?.nextFireTime).toEqual(new Date(fourth))
    const { job: undone } = await rota.jobs.skipJob({ name: 'jobs/undone', undo: true })
    expect(undone).toMatchObject({ skipCount: 0, nextFireTime: job.nextFireTime })
  })

  test('is kept by an edit of the schedule: it is about the next runs, whichever they are', async () => {
    const job = await rota.createJob('kept', hourly)
    await rota.jobs.skipJob({ name: 'jobs/kept' })
    const { spec } = job
    const recurrences = [{ kind: { $case: 'cron' as const, value: '30 * * * *' }, compiled: '' }]
    const changed = { ...spec!, schedule: { ...spec!.schedule!, recurrences } }
    const { job: edited } = await rota.jobs.updateJob({
      job: { ...job, spec: changed },
      updateMask: ['spec'],
    })
    expect(edited?.skipCount).toBe(1)
    expect(edited!.nextFireTime!.getTime() - Date.now()).toBeGreaterThan(3_600_000)
  })

  test.each([
    ['more than a thousand', { count: 1_001 }, 'FIELD_INVALID'],
    ['less than none', { count: -1 }, 'FIELD_INVALID'],
    ['both', { count: 1, undo: true }, 'FIELD_INVALID'],
  ])('%s is refused', async (_, request, reason) => {
    expect(await reasonOf(rota.jobs.skipJob({ name: 'jobs/undone', ...request }))).toBe(reason)
  })

  test('is refused for a job that is never due', async () => {
    await rota.createJob('never', shell('true'))
    expect(await reasonOf(rota.jobs.skipJob({ name: 'jobs/never' }))).toBe('JOB_HAS_NO_RUNS')
    await rota.createJob('halted', hourly)
    await rota.jobs.pauseJob({ name: 'jobs/halted' })
    expect(await reasonOf(rota.jobs.skipJob({ name: 'jobs/halted' }))).toBe('JOB_HAS_NO_RUNS')
    expect(await reasonOf(rota.jobs.skipJob({ name: 'jobs/nobody' }))).toBe('JOB_NOT_FOUND')
  })
})
