import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import {
  CreateFreezeRequest,
  Freeze,
  Freeze_After,
  Freeze_State,
} from '../../proto/gen/rota/v1/freeze_service.ts'
import { Job } from '../../proto/gen/rota/v1/job.ts'
import type { RotaError } from '../../shared/errors/rota-error.ts'
import { schedule, shell } from '../support/spec.ts'
import { startTestCoordinator, type TestCoordinator } from '../support/test-coordinator.ts'
import { until } from '../support/until.ts'

let rota: TestCoordinator

beforeAll(async () => {
  rota = await startTestCoordinator()
})

afterAll(async () => {
  await rota.remove()
})

const inHours = (hours: number) => new Date(Date.now() + hours * 3_600_000)

async function create(id: string, freeze: Partial<Freeze>, rest: object = {}): Promise<Freeze> {
  const whole = Freeze.fromPartial({ endTime: inHours(2), ...freeze })
  const made = await rota.freezes.createFreeze({ freezeId: id, freeze: whole, ...rest })
  return made.freeze!
}

async function get(id: string): Promise<Freeze> {
  return (await rota.freezes.getFreeze({ name: `freezes/${id}` })).freeze!
}

async function refusal(call: Promise<unknown>): Promise<RotaError> {
  return call.then(
    () => {
      throw new Error('was not refused')
    },
    (error: unknown) => error as RotaError,
  )
}

async function nextFire(job: string): Promise<Date | undefined> {
  return (await rota.jobs.getJob({ name: `jobs/${job}` })).job?.nextFireTime
}

const hourly = { ...shell('true'), ...schedule({ cron: '0 * * * *' }) }

describe('a freeze', () => {
  test('begins now unless it says when, and says whose it is', async () => {
    const made = await create('now', { jobPrefix: 'nobody.', reason: 'quiet' })
    expect(made).toMatchObject({
      name: 'freezes/now',
      owner: 'token:admin',
      reason: 'quiet',
      state: Freeze_State.ACTIVE,
      after: Freeze_After.SKIP,
      skippedCount: 0,
    })
    expect(Math.abs(made.startTime!.getTime() - Date.now())).toBeLessThan(60_000)
    expect(await get('now')).toEqual(made)
  })

  test('is ended, and deleted then; one that is active is not deleted', async () => {
    await create('life', { jobPrefix: 'nobody.' })
    const remove = () => rota.freezes.deleteFreeze({ name: 'freezes/life' })
    expect((await refusal(remove())).reason).toBe('FREEZE_STATE_CONFLICT')
    const { freeze } = await rota.freezes.endFreeze({ name: 'freezes/life' })
    expect(freeze!.endTime!.getTime()).toBeLessThan(inHours(1).getTime())
    await until('it has ended', async () => (await get('life')).state === Freeze_State.ENDED)
    expect((await rota.freezes.endFreeze({ name: 'freezes/life' })).freeze?.state).toBe(
      Freeze_State.ENDED,
    )
    await remove()
    expect((await refusal(get('life'))).reason).toBe('FREEZE_NOT_FOUND')
    await rota.freezes.deleteFreeze({ name: 'freezes/life', allowMissing: true })
  })

  test('that has not begun is deleted, not ended', async () => {
    const later = { startTime: inHours(1), jobPrefix: 'nobody.' }
    expect((await create('later', later)).state).toBe(Freeze_State.PENDING)
    const end = await refusal(rota.freezes.endFreeze({ name: 'freezes/later' }))
    expect(end).toMatchObject({
      reason: 'FREEZE_STATE_CONFLICT',
      hint: expect.stringContaining('delete'),
    })
    await rota.freezes.deleteFreeze({ name: 'freezes/later' })
  })

  test('is made once for a request that comes again, and under a name of its own', async () => {
    const request = CreateFreezeRequest.fromPartial({
      freeze: Freeze.fromPartial({ endTime: inHours(1), jobPrefix: 'nobody.' }),
      freezeId: 'once',
      requestId: 'one',
    })
    const first = await rota.freezes.createFreeze(request)
    expect(await rota.freezes.createFreeze(request)).toEqual(first)
    expect((await refusal(create('once', {}))).reason).toBe('FREEZE_ALREADY_EXISTS')
    const unnamed = await create('', { jobPrefix: 'nobody.' })
    expect(unnamed.name).toMatch(/^freezes\/freeze-[0-9a-f]{8}$/)
    await create('dry', { jobPrefix: 'nobody.' }, { validateOnly: true })
    expect((await refusal(get('dry'))).reason).toBe('FREEZE_NOT_FOUND')
    expect((await refusal(get('onze'))).hint).toBe('Did you mean once?')
  })

  test.each([
    [{ endTime: undefined }, 'freeze.end_time FIELD_REQUIRED'],
    [{ endTime: inHours(-1) }, 'freeze.end_time FIELD_INVALID'],
    [{ startTime: inHours(3), endTime: inHours(2) }, 'freeze.end_time FIELD_INVALID'],
    [{ endTime: inHours(24 * 400) }, 'freeze.end_time FIELD_INVALID'],
    [{ jobPrefix: 'Billing' }, 'freeze.job_prefix FIELD_INVALID'],
    [{ selector: 'team =' }, 'freeze.selector SELECTOR_INVALID'],
    [{ after: 9 as Freeze_After }, 'freeze.after FIELD_INVALID'],
    [{ reason: 'x'.repeat(2_000) }, 'freeze.reason FIELD_TOO_LONG'],
  ] satisfies [Partial<Freeze>, string][])('is refused with %o', async (freeze, wrong) => {
    const error = await refusal(create('wrong', freeze))
    expect(error.violations.map(({ field, reason }) => `${field} ${reason}`)).toEqual([wrong])
  })

  test('is found by its state, the latest end first', async () => {
    await create('list.a', { jobPrefix: 'nobody.', endTime: inHours(3) })
    await create('list.b', { jobPrefix: 'nobody.', endTime: inHours(4), startTime: inHours(1) })
    const list = async (filter: string) =>
      (await rota.freezes.listFreezes({ filter })).freezes.map(({ name }) => name)
    expect(await list('name:list.')).toEqual(['freezes/list.b', 'freezes/list.a'])
    expect(await list('name:list. AND state = PENDING')).toEqual(['freezes/list.b'])
    const first = await rota.freezes.listFreezes({ filter: 'name:list.', pageSize: 1 })
    const { nextPageToken: pageToken } = first
    const next = await rota.freezes.listFreezes({ filter: 'name:list.', pageSize: 1, pageToken })
    expect(next.freezes.map(({ name }) => name)).toEqual(['freezes/list.a'])
  })
})

describe('the jobs in its scope', () => {
  test('run next as before when it is deleted before it begins', async () => {
    await rota.createJob('planned', hourly)
    const before = (await nextFire('planned'))!
    const startTime = new Date(before.getTime() - 60_000)
    const window = { startTime: startTime > new Date() ? startTime : inHours(0.001) }
    await create('planned', { ...window, jobPrefix: 'planned', endTime: inHours(5) })
    await until('it runs later', async () => ((await nextFire('planned')) ?? before) > before)
    if ((await get('planned')).state !== Freeze_State.PENDING) return
    await rota.freezes.deleteFreeze({ name: 'freezes/planned' })
    await until('it runs as before', async () => {
      return (await nextFire('planned'))?.getTime() === before.getTime()
    })
  })

  test('run next after it, by prefix and by label, and others as ever', async () => {
    const labels = { team: 'payments' }
    const [job] = [Job.fromJSON({ spec: hourly })]
    await rota.jobs.createJob({ jobId: 'scope.labelled', job: { ...job, labels } })
    for (const id of ['scope.plain', 'other']) await rota.createJob(id, hourly)
    const before = (await nextFire('other'))!
    await create('scope', { jobPrefix: 'scope.', selector: 'team = payments', endTime: inHours(2) })
    const thawed = await until('it runs later', async () => {
      const next = await nextFire('scope.labelled')
      return next && next > before && next
    })
    expect(thawed.getTime()).toBeGreaterThanOrEqual((await get('scope')).endTime!.getTime())
    expect(await nextFire('scope.plain')).toEqual(before)
    expect(await nextFire('other')).toEqual(before)
    const made = await rota.jobs.createJob({ jobId: 'scope.new', job: { ...job, labels } })
    expect(made.job?.nextFireTime).toEqual(thawed)
    const other = { ...made.job!, labels: { team: 'other' } }
    await rota.jobs.updateJob({ job: other, updateMask: ['labels'] })
    await until('it has left the scope', async () => {
      return (await nextFire('scope.new'))?.getTime() === before.getTime()
    })
    await rota.freezes.endFreeze({ name: 'freezes/scope' })
    await until('it runs as before', async () => {
      return (await nextFire('scope.labelled'))?.getTime() === before.getTime()
    })
  })

  test('can be triggered by hand, unless it includes that', async () => {
    await rota.createJob('hand.made', shell('true'))
    await create('hand', { jobPrefix: 'hand.' })
    await rota.trigger('hand.made')
    await create('strict', { jobPrefix: 'hand.', includeManual: true, reason: 'audit' })
    const error = await refusal(rota.trigger('hand.made'))
    expect(error).toMatchObject({ reason: 'JOB_FROZEN', metadata: { freeze: 'strict' } })
    expect(error.message).toMatch(/^job hand.made is frozen until .* by strict \(audit\)$/)
    await rota.createJob('hands', shell('true'))
    await rota.trigger('hands')
    await rota.freezes.endFreeze({ name: 'freezes/strict' })
    await rota.trigger('hand.made')
  })
})
