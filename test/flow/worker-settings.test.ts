import { afterAll, beforeAll, expect, test } from 'vitest'
import { AttemptOutcome } from '../../proto/gen/rota/v1/execution.ts'
import { Worker } from '../../proto/gen/rota/v1/worker_service.ts'
import { durationFromMs, durationToMs } from '../../shared/duration.ts'
import { connectScripted, finished, joinScripted } from '../support/scripted-agent.ts'
import { shell } from '../support/spec.ts'
import { startTestCoordinator, type TestCoordinator } from '../support/test-coordinator.ts'
import { until } from '../support/until.ts'

let rota: TestCoordinator

beforeAll(async () => {
  rota = await startTestCoordinator(['--lease', '3s'])
})

afterAll(async () => {
  await rota.remove()
})

const NAME = 'workers/settings-1'

async function update(change: Partial<Worker>, updateMask?: string[]): Promise<Worker> {
  const worker = Worker.fromPartial({ ...change, name: NAME })
  const { worker: after } = await rota.workers.updateWorker({ worker, updateMask })
  if (after === undefined) throw new Error('no worker')
  return after
}

test('labels and slots take effect without a reconnect, and outlive one', async () => {
  const identity = await joinScripted(rota, 'settings-1')
  const hello = { capabilities: ['shell'], labels: { region: 'us', rack: 'r1' }, slots: 2 }
  const session = await connectScripted(rota, identity, hello)
  await rota.createJob('in-eu', { ...shell('true'), placement: { selector: 'region = eu' } })
  const first = await rota.trigger('in-eu')

  const updated = await update({ labels: { region: 'eu' } }, ['labels.region', 'labels.rack'])
  expect(updated.labels).toEqual({ region: 'eu' })
  const { epoch } = await session.assignment(first.name)

  expect((await update({ slotCount: 1, displayName: 'The first' })).slotCount).toBe(1)
  const heard = session.answered()
  await until('two rounds of renewals are over', () => session.answered() >= heard + 2n)
  const second = await rota.trigger('in-eu')
  await session.report({ accepted: [{ execution: first.name, epoch }] })
  expect(session.assignments).toHaveLength(1)
  await session.report({ finished: [finished({ execution: first.name, epoch })] })
  await session.assignment(second.name)

  session.cut()
  await connectScripted(rota, identity, hello)
  const { worker } = await rota.workers.getWorker({ name: NAME })
  expect(worker).toMatchObject({
    labels: { region: 'eu' },
    slotCount: 1,
    displayName: 'The first',
  })
  expect(await update({}, ['*'])).toMatchObject({ labels: {}, slotCount: 2, displayName: '' })
})

test('more slots than the agent offers are refused', async () => {
  await expect(update({ slotCount: 3 })).rejects.toMatchObject({
    reason: 'FIELD_INVALID',
    message: 'worker.slot_count: is more than the 2 that its agent offers',
  })
  await expect(
    rota.workers.updateWorker({ worker: Worker.fromPartial({ name: 'workers/setings-1' }) }),
  ).rejects.toMatchObject({ reason: 'WORKER_NOT_FOUND', hint: 'Did you mean settings-1?' })
})

test('stats tell what became of its attempts, and how busy it was', async () => {
  const identity = await joinScripted(rota, 'stats-1')
  const skills = { capabilities: ['shell', 'stats'], slots: 4 }
  const session = await connectScripted(rota, identity, skills)
  await rota.createJob('stats', {
    ...shell('true'),
    placement: { capabilities: ['stats'], slots: 2 },
  })
  for (const outcome of [AttemptOutcome.SUCCEEDED, AttemptOutcome.FAILED]) {
    const { name: execution } = await rota.trigger('stats')
    const { epoch } = await session.assignment(execution)
    const startTime = new Date()
    await session.report({ started: [{ execution, epoch, startTime }] })
    const exitCode = outcome === AttemptOutcome.SUCCEEDED ? 0 : 1
    await session.report({ finished: [finished({ execution, epoch }, { outcome, exitCode })] })
  }
  const { name: running } = await rota.trigger('stats')
  const { epoch } = await session.assignment(running)
  await session.report({ started: [{ execution: running, epoch, startTime: new Date() }] })
  const name = 'workers/stats-1'
  const stats = await until('it was busy for a while', async () => {
    const found = await rota.workers.getWorkerStats({ name, window: durationFromMs(60_000) })
    return found.busyRatio > 0.001 && found
  })
  expect(stats).toMatchObject({
    succeededCount: 1n,
    failedCount: 1n,
    runningCount: 1n,
    reconnectCount: 1n,
  })
  expect(stats.busyRatio).toBeLessThanOrEqual(0.5)
  expect(durationToMs(stats.durationP95)).toBeGreaterThanOrEqual(0)
  await expect(
    rota.workers.getWorkerStats({ name, window: durationFromMs(0) }),
  ).rejects.toMatchObject({ reason: 'FIELD_INVALID' })
})
