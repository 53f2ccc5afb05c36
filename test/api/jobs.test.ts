import { sql } from 'kysely'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { Job, JobState } from '../../proto/gen/rota/v1/job.ts'
import type { RotaError } from '../../shared/errors/rota-error.ts'
import { schedule, shell } from '../support/spec.ts'
import { startTestCoordinator, type TestCoordinator } from '../support/test-coordinator.ts'

let rota: TestCoordinator

beforeAll(async () => {
  rota = await startTestCoordinator()
})

afterAll(async () => {
  await rota.remove()
})

function jobOf(name: string, spec: object, rest: Partial<Job> = {}): Job {
  return { ...Job.fromJSON({ name: name && `jobs/${name}`, spec }), ...rest }
}

function dependsOn(...names: string[]): object {
  return { ...shell('true'), dependencies: names.map((name) => ({ job: `jobs/${name}` })) }
}

async function countRows(): Promise<Record<string, number>> {
  const { rows } = await sql<Record<string, number>>`
    select (select count(*) from rota.job) as jobs, (select count(*) from rota.job_version) as versions,
      (select count(*) from rota.schedule) as schedules, (select count(*) from rota.dependency) as dependencies,
      (select count(*) from rota.execution) as executions, (select count(*) from rota.request) as requests`.execute(
    rota.db,
  )
  return rows[0]!
}

describe('creating', () => {
  test('a job that depends on nothing waits for nobody who changes dependencies', async () => {
    await rota.db.transaction().execute(async (tx) => {
      await sql`select pg_advisory_xact_lock(hashtext('rota.dependency'))`.execute(tx)
      const job = await rota.createJob('on-nothing', shell('true'))
      expect(job.spec?.dependencies).toEqual([])
      await expect(rota.createJob('on-one', dependsOn('on-nothing'))).rejects.toMatchObject({
        reason: 'DATABASE_UNAVAILABLE',
      })
    })
    expect(
      (await rota.createJob('on-one', dependsOn('on-nothing'))).spec?.dependencies,
    ).toHaveLength(1)
  })

  test('compiles words to a rule that an edit elsewhere leaves as it is', async () => {
    const words = schedule({ text: 'in 3 hours' }, { timeZone: 'Europe/Paris' })
    const ruleOf = ({ spec }: Job) => spec?.schedule?.recurrences[0]?.compiled
    const created = await rota.createJob('worded', { ...shell('true'), ...words })
    expect(ruleOf(created)).toMatch(/^@at \d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}Z$/)
    const { spec } = jobOf('worded', { ...shell('false'), ...words })
    const { job } = await rota.jobs.updateJob({ job: { ...created, spec }, updateMask: ['spec'] })
    expect([job!.version, ruleOf(job!)]).toEqual([2, ruleOf(created)])
    const { rows } = await sql<{ due: string }>`
      select to_char(s.due_at at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"') as due
      from rota.schedule s join rota.job j on j.id = s.job_id where j.name = 'worded'`.execute(
      rota.db,
    )
    expect(rows).toEqual([{ due: ruleOf(created)!.replace('@at ', '') }])
  })

  test('answers the job as it was stored, with version 1', async () => {
    const job = await rota.createJob('created', shell('echo hi'))
    expect(job).toMatchObject({ name: 'jobs/created', version: 1, state: JobState.ACTIVE })
    expect((await rota.jobs.getJob({ name: 'jobs/created' })).job).toEqual(job)
  })

  test('twice under one name is refused', async () => {
    await rota.createJob('twice', shell('true'))
    await expect(rota.createJob('twice', shell('true'))).rejects.toMatchObject({
      reason: 'JOB_ALREADY_EXISTS',
    })
  })

  test('ten times at once under one name makes one job', async () => {
    const attempts = Array.from({ length: 10 }, () => rota.createJob('race', shell('true')))
    const results = await Promise.allSettled(attempts)
    expect(results.filter(({ status }) => status === 'fulfilled')).toHaveLength(1)
    for (const result of results) {
      if (result.status === 'fulfilled') continue
      expect(result.reason).toMatchObject({ reason: 'JOB_ALREADY_EXISTS' })
    }
  })

  test('names every field that is wrong, with its path', async () => {
    const spec = {
      ...shell(''),
      ...schedule({ cron: '* * * *' }, { timeZone: 'Europe/Pariss' }),
      retry: { kind: 'KIND_FIXED', maxRetries: -1 },
    }
    const error = (await rota.createJob('Wrong Name', spec).catch((e: unknown) => e)) as RotaError
    expect(error.code).toBe('INVALID_ARGUMENT')
    expect(error.violations.map(({ field, reason }) => `${field} ${reason}`)).toEqual(
      expect.arrayContaining([
        'job_id NAME_INVALID',
        'job.spec.task.shell.command FIELD_REQUIRED',
        'job.spec.schedule.recurrences[0].cron CRON_INVALID',
        'job.spec.schedule.time_zone TIME_ZONE_INVALID',
        'job.spec.retry.max_retries FIELD_INVALID',
      ]),
    )
    const zone = error.violations.find(({ field }) => field.endsWith('time_zone'))
    expect(zone?.message).toContain('Europe/Paris')
  })

  test('refuses a blank cron, a cron that never runs and a time that has passed', async () => {
    const wrong = [
      { cron: '' },
      { cron: ' ' },
      { cron: '0 0 30 2 *' },
      { at: '2020-01-01T00:00:00Z' },
    ]
    for (const recurrence of wrong) {
      const call = rota.createJob('never', { ...shell('true'), ...schedule(recurrence) })
      await expect(call, JSON.stringify(recurrence)).rejects.toMatchObject({
        code: 'INVALID_ARGUMENT',
      })
    }
  })
})

describe('validate_only', () => {
  test('answers as if it had been done, and stores nothing', async () => {
    await rota.createJob('untouched', shell('true'))
    const before = await countRows()
    const validateOnly = true
    const spec = { ...dependsOn('untouched'), ...schedule({ cron: '@daily' }) }
    const created = await rota.jobs.createJob({
      jobId: 'imagined',
      job: jobOf('', spec),
      requestId: 'imagined-1',
      validateOnly,
    })
    expect(created.job).toMatchObject({ name: 'jobs/imagined', version: 1 })
    expect(created.job?.nextFireTime).toBeInstanceOf(Date)
    const job = jobOf('untouched', shell('false'))
    const updated = await rota.jobs.updateJob({ job, updateMask: ['spec'], validateOnly })
    expect(updated.job).toMatchObject({ version: 2 })
    expect(await rota.jobs.triggerJob({ name: 'jobs/untouched', validateOnly })).toEqual({
      execution: undefined,
    })
    expect(await countRows()).toEqual(before)
    await expect(rota.jobs.getJob({ name: 'jobs/imagined' })).rejects.toMatchObject({
      reason: 'JOB_NOT_FOUND',
    })
  })

  test('refuses what would be refused', async () => {
    const create = rota.jobs.createJob({
      jobId: 'untouched',
      job: jobOf('', shell('true')),
      validateOnly: true,
    })
    await expect(create).rejects.toMatchObject({ reason: 'JOB_ALREADY_EXISTS' })
    await expect(
      rota.jobs.triggerJob({ name: 'jobs/untouched', parameters: { x: 1 }, validateOnly: true }),
    ).rejects.toMatchObject({ code: 'INVALID_ARGUMENT' })
  })
})

describe('updating', () => {
  test('changes what the mask names, and nothing else', async () => {
    await rota.jobs.createJob({
      jobId: 'masked',
      job: jobOf('', { ...shell('echo 1'), priority: 7 }, { description: 'old', tags: ['t'] }),
    })
    const patch = jobOf('masked', { ...shell('echo 2'), priority: 9 }, { description: 'new' })
    const described = await rota.jobs.updateJob({ job: patch, updateMask: ['description'] })
    expect(described.job).toMatchObject({ description: 'new', version: 1, tags: ['t'] })
    expect(described.job?.spec?.priority).toBe(7)
    const ranked = await rota.jobs.updateJob({ job: patch, updateMask: ['spec.priority'] })
    expect(ranked.job).toMatchObject({ version: 2, spec: { priority: 9 } })
    expect(ranked.job?.spec?.task?.kind).toMatchObject({ value: { command: 'echo 1' } })
    const all = await rota.jobs.updateJob({ job: patch, updateMask: ['*'] })
    expect(all.job).toMatchObject({ version: 3, tags: [] })
    expect(all.job?.spec?.task?.kind).toMatchObject({ value: { command: 'echo 2' } })
  })

  test('refuses a mask with an unknown field, and says which is near', async () => {
    await rota.createJob('mask', shell('true'))
    const update = rota.jobs.updateJob({
      job: jobOf('mask', shell('true')),
      updateMask: ['spec.prioritty'],
    })
    await expect(update).rejects.toMatchObject({
      reason: 'UPDATE_MASK_INVALID',
      hint: 'Did you mean spec.priority?',
    })
  })

  test('with the etag of an older state is refused, with the current one is done', async () => {
    const { etag } = await rota.createJob('etag', shell('true'))
    const change = (description: string, etagOfReader: string) =>
      rota.jobs.updateJob({
        job: jobOf('etag', shell('true'), { description, etag: etagOfReader }),
        updateMask: ['description'],
      })
    const first = await change('first', etag)
    await expect(change('second', etag)).rejects.toMatchObject({ reason: 'ETAG_MISMATCH' })
    await change('third', first.job?.etag ?? '')
    await expect(rota.jobs.deleteJob({ name: 'jobs/etag', etag })).rejects.toMatchObject({
      reason: 'ETAG_MISMATCH',
    })
    expect((await rota.jobs.getJob({ name: 'jobs/etag' })).job?.description).toBe('third')
  })

  test('by two at once with one etag is done once', async () => {
    const { etag } = await rota.createJob('etag-race', shell('true'))
    const results = await Promise.allSettled(
      Array.from({ length: 5 }, (_, index) =>
        rota.jobs.updateJob({
          job: jobOf('etag-race', shell(`echo ${index}`), { etag }),
          updateMask: ['spec'],
        }),
      ),
    )
    expect(results.filter(({ status }) => status === 'fulfilled')).toHaveLength(1)
    expect((await rota.jobs.getJob({ name: 'jobs/etag-race' })).job?.version).toBe(2)
  })

  test('a job that is not there is refused with near names, unless allow_missing makes it', async () => {
    await rota.createJob('nightly-report', shell('true'))
    const job = jobOf('nightly-reprot', shell('true'))
    await expect(rota.jobs.updateJob({ job, updateMask: ['spec'] })).rejects.toMatchObject({
      reason: 'JOB_NOT_FOUND',
      hint: 'Did you mean nightly-report?',
    })
    const made = await rota.jobs.updateJob({ job, updateMask: ['spec'], allowMissing: true })
    expect(made.job).toMatchObject({ name: 'jobs/nightly-reprot', version: 1 })
  })
})

describe('request_id', () => {
  test('gives the same job and the same execution again', async () => {
    const create = () =>
      rota.jobs.createJob({ jobId: 'once', job: jobOf('', shell('true')), requestId: 'create-1' })
    const [first, second] = [await create(), await create()]
    expect(second.job?.uid).toBe(first.job?.uid)
    const trigger = () => rota.jobs.triggerJob({ name: 'jobs/once', requestId: 'trigger-1' })
    const [one, two] = [await trigger(), await trigger()]
    expect(two.execution?.name).toBe(one.execution?.name)
    expect((await rota.executions.listExecutions({ job: 'jobs/once' })).totalSize).toBe(1)
  })

  test('used for another request is refused', async () => {
    await rota.jobs.createJob({ jobId: 'reused', job: jobOf('', shell('true')), requestId: 'r-1' })
    await expect(
      rota.jobs.createJob({ jobId: 'other', job: jobOf('', shell('true')), requestId: 'r-1' }),
    ).rejects.toMatchObject({ reason: 'REQUEST_ID_REUSED' })
    // Another method has ids of its own.
    await rota.jobs.triggerJob({ name: 'jobs/reused', requestId: 'r-1' })
  })

  test('of a request that failed may be used again', async () => {
    const create = () =>
      rota.jobs.createJob({ jobId: 'later', job: jobOf('', dependsOn('base')), requestId: 'f-1' })
    await expect(create()).rejects.toMatchObject({ reason: 'JOB_NOT_FOUND' })
    await rota.createJob('base', shell('true'))
    expect((await create()).job?.name).toBe('jobs/later')
  })

  test('sent ten times at once makes one job without a name, and one execution', async () => {
    const create = () =>
      rota.jobs.createJob({ job: jobOf('', shell('echo once')), requestId: 'at-once' })
    const created = await Promise.all(Array.from({ length: 10 }, create))
    const names = new Set(created.map(({ job }) => job?.name))
    expect(names.size).toBe(1)
    const [name = ''] = names
    const trigger = () => rota.jobs.triggerJob({ name, requestId: 'trigger-at-once' })
    const triggered = await Promise.all(Array.from({ length: 10 }, trigger))
    expect(new Set(triggered.map(({ execution }) => execution?.name)).size).toBe(1)
    expect((await rota.executions.listExecutions({ job: name })).totalSize).toBe(1)
  })

  test.each(['with space', 'ü', 'x'.repeat(129)])('%s is refused', async (requestId) => {
    await expect(
      rota.jobs.createJob({ job: jobOf('', shell('true')), requestId }),
    ).rejects.toMatchObject({ reason: 'FIELD_INVALID' })
  })
})

describe('dependencies', () => {
  test('on a job that is not there are refused with near names', async () => {
    await rota.createJob('extract', shell('true'))
    const error = (await rota
      .createJob('load', dependsOn('extrat'))
      .catch((e: unknown) => e)) as RotaError
    expect(error).toMatchObject({ reason: 'JOB_NOT_FOUND', hint: 'Did you mean extract?' })
    expect(error.violations[0]?.field).toBe('job.spec.dependencies[0].job')
  })

  test('that would close a cycle are refused with its path', async () => {
    await rota.createJob('c1', shell('true'))
    await rota.createJob('c2', dependsOn('c1'))
    await rota.createJob('c3', dependsOn('c2'))
    const close = rota.jobs.updateJob({ job: jobOf('c1', dependsOn('c3')), updateMask: ['spec'] })
    await expect(close).rejects.toMatchObject({
      reason: 'DEPENDENCY_CYCLE',
      message: expect.stringContaining('c1 -> c3 -> c2 -> c1'),
      metadata: { path: 'c1 -> c3 -> c2 -> c1' },
    })
    await expect(rota.createJob('self', dependsOn('self'))).rejects.toMatchObject({
      code: expect.stringMatching(/INVALID_ARGUMENT|NOT_FOUND/),
    })
  })

  test('that two updates would close into a cycle together are refused to one of them', async () => {
    for (let round = 0; round < 10; round++) {
      const [left, right] = [`left-${round}`, `right-${round}`]
      await rota.createJob(left, shell('true'))
      await rota.createJob(right, shell('true'))
      const results = await Promise.allSettled([
        rota.jobs.updateJob({ job: jobOf(left, dependsOn(right)), updateMask: ['spec'] }),
        rota.jobs.updateJob({ job: jobOf(right, dependsOn(left)), updateMask: ['spec'] }),
      ])
      const refused = results.filter((result) => result.status === 'rejected')
      expect(refused).toHaveLength(1)
      expect(refused[0]?.reason).toMatchObject({ reason: 'DEPENDENCY_CYCLE' })
    }
  })

  test('keep what they depend on from being deleted', async () => {
    await rota.createJob('wanted', shell('true'))
    await rota.createJob('wanting', dependsOn('wanted'))
    await expect(rota.jobs.deleteJob({ name: 'jobs/wanted' })).rejects.toMatchObject({
      reason: 'JOB_HAS_DEPENDENTS',
      message: expect.stringContaining('wanting'),
    })
    await rota.jobs.deleteJob({ name: 'jobs/wanting' })
    await rota.jobs.deleteJob({ name: 'jobs/wanted' })
  })
})

describe('deleting', () => {
  test('hides the job, cancels what has not started, and frees the name', async () => {
    await rota.createJob('gone', shell('true'))
    const { name } = await rota.trigger('gone')
    await rota.jobs.deleteJob({ name: 'jobs/gone' })
    expect((await rota.ended(name)).reason).toMatchObject({ code: 'CANCELLED' })
    await expect(rota.jobs.getJob({ name: 'jobs/gone' })).rejects.toMatchObject({
      reason: 'JOB_NOT_FOUND',
    })
    await expect(rota.trigger('gone')).rejects.toMatchObject({ reason: 'JOB_NOT_FOUND' })
    const shown = await rota.jobs.listJobs({ filter: 'name = gone', showDeleted: true })
    expect(shown.jobs).toMatchObject([{ state: JobState.DELETED }])
    expect((await rota.createJob('gone', shell('true'))).version).toBe(1)
  })

  test('twice is refused, unless allow_missing', async () => {
    await rota.createJob('gone-twice', shell('true'))
    await rota.jobs.deleteJob({ name: 'jobs/gone-twice' })
    await expect(rota.jobs.deleteJob({ name: 'jobs/gone-twice' })).rejects.toMatchObject({
      reason: 'JOB_NOT_FOUND',
    })
    await rota.jobs.deleteJob({ name: 'jobs/gone-twice', allowMissing: true })
  })
})

describe('near names', () => {
  test('come with what is not found', async () => {
    await rota.createJob('billing', shell('true'))
    await expect(rota.trigger('biling')).rejects.toMatchObject({
      reason: 'JOB_NOT_FOUND',
      hint: 'Did you mean billing?',
    })
    await expect(rota.trigger('billing', { worker: 'workers/worker-9' })).rejects.toMatchObject({
      reason: 'WORKER_NOT_FOUND',
    })
    const unknown = rota.createJob('needy', {
      ...shell('true'),
      placement: { capabilities: ['gpu'] },
    })
    await expect(unknown).rejects.toMatchObject({ reason: 'CAPABILITY_UNKNOWN' })
  })
})
