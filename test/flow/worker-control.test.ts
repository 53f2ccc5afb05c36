/** Cordon, drain, deletion and health of workers. Above 400 lines: all of it needs the same two coordinators and scripted agents. */
import { sql } from 'kysely'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { AttemptOutcome, ExecutionState } from '../../proto/gen/rota/v1/execution.ts'
import { type Worker, WorkerHealth, WorkerState } from '../../proto/gen/rota/v1/worker_service.ts'
import { durationFromMs } from '../../shared/duration.ts'
import {
  connectScripted,
  finished,
  joinScripted,
  pushLogs,
  type ScriptedIdentity,
  type ScriptedSession,
} from '../support/scripted-agent.ts'
import { shell } from '../support/spec.ts'
import { startTestCoordinator, type TestCoordinator } from '../support/test-coordinator.ts'
import { until } from '../support/until.ts'

/** Agents of this file each have a capability of their own, so that their work goes nowhere else. */
let rota: TestCoordinator
/** Another one on the same database, which holds no agents. */
let other: TestCoordinator

beforeAll(async () => {
  rota = await startTestCoordinator(['--lease', '2s'])
  other = await startTestCoordinator(['--lease', '2s'], { database: rota.database })
})

afterAll(async () => {
  await other.remove()
  await rota.remove()
})

interface Peer {
  readonly identity: ScriptedIdentity
  readonly session: ScriptedSession
}

async function peer(name: string, capability = name, hello: object = {}): Promise<Peer> {
  const identity = await joinScripted(rota, name)
  return { identity, session: await connectScripted(rota, identity, skills(capability, hello)) }
}

function skills(capability: string, hello: object = {}) {
  return { capabilities: ['shell', capability], slots: 2, ...hello }
}

async function createJobFor(capability: string, rest: object = {}): Promise<void> {
  await rota.createJob(capability, {
    ...shell('true'),
    placement: { capabilities: [capability] },
    ...rest,
  })
}

async function startOn({ session }: Peer, execution: string) {
  const { epoch, attempt } = await session.assignment(execution)
  const ref = { execution, epoch }
  await session.report({ accepted: [ref], started: [{ ...ref, startTime: new Date() }] })
  return { ...ref, attempt }
}

async function worker(name: string, from = rota): Promise<Worker> {
  const { worker: found } = await from.workers.getWorker({ name: `workers/${name}` })
  if (found === undefined) throw new Error('no worker')
  return found
}

async function renewals(name: string): Promise<number> {
  const { rows } = await sql<{ renewals: number }>`
    select s.renewals from rota.session s join rota.worker w on w.id = s.worker_id
    where w.name = ${name}`.execute(rota.db)
  return rows[0]?.renewals ?? 0
}

async function isIn(name: string, state: WorkerState): Promise<Worker> {
  return until(`${name} is in state ${state}`, async () => {
    const found = await worker(name)
    return found.state === state && found
  })
}

describe('a cordoned worker', () => {
  test('gets nothing new and finishes what it has, until it is released', async () => {
    const one = await peer('cordon-1', 'cordon')
    await createJobFor('cordon')
    const first = await rota.trigger('cordon')
    const running = await startOn(one, first.name)
    const reason = 'new disk'
    const { worker: cordoned } = await rota.workers.cordonWorker({
      name: 'workers/cordon-1',
      reason,
    })
    expect(cordoned).toMatchObject({
      state: WorkerState.CORDONED,
      stateReason: reason,
      stateActor: 'token:admin',
      stateTime: expect.any(Date),
    })
    const second = await rota.trigger('cordon')
    await one.session.report({ finished: [finished(running)] })
    expect((await rota.ended(first.name)).state).toBe(ExecutionState.SUCCEEDED)
    const after = await peer('cordon-2', 'cordon')
    await startOn(after, second.name)
    expect(one.session.assignments).toHaveLength(1)

    await rota.workers.cordonWorker({ name: 'workers/cordon-1' })
    expect((await worker('cordon-1')).stateReason).toBe(reason)

    const { worker: released } = await rota.workers.releaseWorker({ name: 'workers/cordon-1' })
    expect(released).toMatchObject({ state: WorkerState.ACTIVE, stateReason: '' })
    await rota.workers.cordonWorker({ name: 'workers/cordon-2' })
    const third = await rota.trigger('cordon')
    await one.session.assignment(third.name)
    expect(one.session.goodbyes()).toEqual([])
  })

  test('stays cordoned over a reconnect, and over a coordinator that has not heard of it', async () => {
    const one = await peer('stays-1', 'stays')
    await other.workers.cordonWorker({ name: 'workers/stays-1', reason: 'elsewhere' })
    await createJobFor('stays')
    await rota.trigger('stays')
    one.session.cut()
    const again = await connectScripted(rota, one.identity, skills('stays'))
    const free = await peer('stays-2', 'stays')
    await free.session.assignment()
    expect(one.session.assignments).toEqual([])
    expect(again.assignments).toEqual([])
  })
})

describe('a drain', () => {
  test('waits for what runs, shows how far it is, and stays drained over reconnects', async () => {
    const one = await peer('drain-1')
    await createJobFor('drain-1')
    const { name } = await rota.trigger('drain-1')
    const running = await startOn(one, name)
    const { worker: draining } = await other.workers.drainWorker({ name: 'workers/drain-1' })
    expect(draining).toMatchObject({
      state: WorkerState.DRAINING,
      drain: { initialCount: 1, remainingCount: 1, deadlineTime: undefined },
    })
    await until('the agent is told', () => one.session.drains.length > 0)
    await one.session.report({ finished: [finished(running)] })
    const drained = await isIn('drain-1', WorkerState.DRAINED)
    expect(drained.drain).toMatchObject({ initialCount: 1, remainingCount: 0 })
    expect((await rota.ended(name)).state).toBe(ExecutionState.SUCCEEDED)

    one.session.cut()
    const again = await connectScripted(rota, one.identity, skills('drain-1'))
    await until('the agent is told again', () => again.drains.length > 0)
    expect((await worker('drain-1')).state).toBe(WorkerState.DRAINED)

    const waiting = await rota.trigger('drain-1')
    await other.workers.releaseWorker({ name: 'workers/drain-1' })
    await until('the agent is sent to begin anew', () => again.goodbyes().length > 0)
    const released = await connectScripted(rota, one.identity, skills('drain-1'))
    await released.assignment(waiting.name)
    expect(released.drains).toEqual([])
  })

  test('takes away at its deadline what still runs; it goes on elsewhere and counts nothing', async () => {
    const one = await peer('deadline-1', 'deadline')
    await createJobFor('deadline')
    const { name } = await rota.trigger('deadline')
    const taken = await startOn(one, name)
    const { worker: draining } = await rota.workers.drainWorker({
      name: 'workers/deadline-1',
      deadline: durationFromMs(50),
      reason: 'new kernel',
    })
    expect(draining?.drain?.deadlineTime).toBeInstanceOf(Date)
    const stop = await until('the attempt is taken away', () => one.session.stops[0])
    expect(stop).toMatchObject({ execution: name, epoch: taken.epoch, giveUp: true })
    const two = await peer('deadline-2', 'deadline')
    await one.session.report({
      finished: [finished(taken, { outcome: AttemptOutcome.LOST, message: 'LEASE_LOST: told' })],
    })
    const again = await startOn(two, name)
    expect(again.attempt).toBe(2)
    await isIn('deadline-1', WorkerState.DRAINED)
    expect((await worker('deadline-1')).consecutiveFailures).toBe(0)

    await two.session.report({ finished: [finished(again)] })
    const ended = await rota.ended(name)
    expect(ended.attempts[0]).toMatchObject({
      outcome: AttemptOutcome.LOST,
      message: 'taken from deadline-1: the deadline of its drain has come',
    })
    expect(ended.state).toBe(ExecutionState.SUCCEEDED)
  })

  test('however often it takes an execution away, that does not make it fail', async () => {
    const first = await peer('often-0', 'often')
    await createJobFor('often')
    first.session.cut()
    await rota.workers.cordonWorker({ name: 'workers/often-0' })
    const { name } = await rota.trigger('often')
    for (let round = 1; round <= 6; round++) {
      const one = await peer(`often-${round}`, 'often')
      const taken = await startOn(one, name)
      await rota.workers.drainWorker({ name: `workers/often-${round}`, force: true })
      await until('the attempt is taken away', () => one.session.stops[0])
      // As an agent of the release before says it.
      const outcome = round % 2 === 0 ? AttemptOutcome.CANCELLED : AttemptOutcome.LOST
      await one.session.report({ finished: [finished(taken, { outcome })] })
    }
    const last = await peer('often-last', 'often')
    const again = await startOn(last, name)
    expect(again.attempt).toBe(7)
    await last.session.report({ finished: [finished(again)] })
    expect((await rota.ended(name)).state).toBe(ExecutionState.SUCCEEDED)
  })

  test('leaves what may start once only as uncertain', async () => {
    const one = await peer('once-1', 'once')
    await createJobFor('once', { guarantee: 'GUARANTEE_AT_MOST_ONCE' })
    const { name } = await rota.trigger('once')
    const taken = await startOn(one, name)
    await rota.workers.drainWorker({ name: 'workers/once-1', force: true })
    await until('the attempt is taken away', () => one.session.stops[0])
    await one.session.report({ finished: [finished(taken, { outcome: AttemptOutcome.LOST })] })
    const ended = await rota.ended(name)
    expect(ended.state).toBe(ExecutionState.UNCERTAIN)
    expect(ended.reason?.code).toBe('DRAINED')
  })

  test('of a worker that nobody connects is over at once; its deadline can be changed before', async () => {
    const one = await peer('longer-1')
    await createJobFor('longer-1')
    await startOn(one, (await rota.trigger('longer-1')).name)
    await rota.workers.drainWorker({ name: 'workers/longer-1', reason: 'why' })
    const { worker: sooner } = await rota.workers.drainWorker({
      name: 'workers/longer-1',
      deadline: durationFromMs(3_600_000),
    })
    expect(sooner).toMatchObject({ stateReason: 'why', drain: { initialCount: 1 } })
    expect(sooner?.drain?.deadlineTime).toBeInstanceOf(Date)

    await joinScripted(rota, 'never-seen')
    await rota.workers.drainWorker({ name: 'workers/never-seen' })
    await isIn('never-seen', WorkerState.DRAINED)
    await rota.workers.drainWorker({ name: 'workers/never-seen' })
    await isIn('never-seen', WorkerState.DRAINED)
  })

  test('must be ended before a cordon', async () => {
    await joinScripted(rota, 'conflicted')
    await rota.workers.drainWorker({ name: 'workers/conflicted' })
    await expect(rota.workers.cordonWorker({ name: 'workers/conflicted' })).rejects.toMatchObject({
      reason: 'WORKER_STATE_CONFLICT',
      hint: 'End the drain first: rota worker release conflicted',
    })
  })
})

describe('an agent of its own', () => {
  test('gives up at the deadline, and works again after the release', async () => {
    await rota.addAgent('real-1', ['--capabilities', 'shell,real'])
    await rota.createJob('real', {
      ...shell('trap "" TERM; sleep 60'),
      placement: { capabilities: ['real'] },
      killGrace: '0.1s',
    })
    const { name } = await rota.trigger('real')
    await until('it runs', async () => {
      const { state } = await rota.execution(name)
      return state === ExecutionState.RUNNING
    })
    await rota.workers.drainWorker({ name: 'workers/real-1', deadline: durationFromMs(100) })
    await isIn('real-1', WorkerState.DRAINED)
    const waiting = await rota.execution(name)
    expect(waiting.state).toBe(ExecutionState.QUEUED)
    expect(waiting.attempts).toMatchObject([{ outcome: AttemptOutcome.LOST }])

    await rota.workers.releaseWorker({ name: 'workers/real-1' })
    await until('it runs again', async () => {
      const { state } = await rota.execution(name)
      return state === ExecutionState.RUNNING
    })
    await rota.executions.cancelExecution({ name, force: true })
    expect((await rota.ended(name)).attempts).toHaveLength(2)
  })
})

describe('deleting a worker', () => {
  test('needs force while it is connected, and leaves its name in history', async () => {
    const one = await peer('gone-1', 'gone')
    await createJobFor('gone')
    const { name } = await rota.trigger('gone')
    const running = await startOn(one, name)
    await one.session.report({ finished: [finished(running)] })
    const request = { name: 'workers/gone-1' }
    await expect(rota.workers.deleteWorker(request)).rejects.toMatchObject({
      reason: 'WORKER_CONNECTED',
    })
    await other.workers.deleteWorker({ ...request, force: true })
    expect(await one.session.ended).toMatchObject({ code: expect.any(String) })
    await expect(connectScripted(rota, one.identity)).rejects.toMatchObject({
      reason: 'CERTIFICATE_INVALID',
    })
    await expect(rota.workers.getWorker(request)).rejects.toMatchObject({
      reason: 'WORKER_NOT_FOUND',
    })
    const { executions } = await rota.executions.listExecutions({ filter: 'worker = "gone-1"' })
    expect(executions.map((execution) => execution.name)).toEqual([name])
    expect(executions[0]?.attempts[0]?.worker).toBe('workers/gone-1')
    await joinScripted(rota, 'gone-1')
  })

  test('lets what it runs end with its lease, and tells its agent to stop', async () => {
    const one = await peer('cut-1', 'cut')
    await createJobFor('cut', { guarantee: 'GUARANTEE_EXCLUSIVE' })
    const { name } = await rota.trigger('cut')
    const running = await startOn(one, name)
    await other.workers.deleteWorker({ name: 'workers/cut-1', force: true })
    expect(await one.session.ended).toMatchObject({ reason: 'CERTIFICATE_INVALID' })
    expect(one.session.stops).toMatchObject([{ execution: name, epoch: running.epoch }])
    const two = await peer('cut-2', 'cut')
    const again = await startOn(two, name)
    expect(again.attempt).toBe(2)
    const { attempts } = await rota.execution(name)
    expect(attempts[0]).toMatchObject({ outcome: AttemptOutcome.LOST, worker: 'workers/cut-1' })
  })

  test('needs no force when it is not there', async () => {
    await joinScripted(rota, 'absent')
    await rota.workers.deleteWorker({ name: 'workers/absent' })
    const { workers } = await rota.workers.listWorkers({ filter: 'name = "absent"' })
    expect(workers).toEqual([])
    await expect(rota.workers.deleteWorker({ name: 'workers/absnt' })).rejects.toMatchObject({
      reason: 'WORKER_NOT_FOUND',
    })
  })
})

describe('a certificate that is revoked', () => {
  test('ends the streams that it opened: the worker joined again elsewhere', async () => {
    const one = await peer('twice-1')
    const { token } = await rota.workers.createEnrollmentToken({ worker: 'workers/twice-1' })
    await joinScripted(rota, 'twice-1', token)
    expect(await one.session.ended).toMatchObject({ reason: 'CERTIFICATE_INVALID' })
    await expect(pushLogs(rota, one.identity, [])).rejects.toMatchObject({
      reason: 'CERTIFICATE_INVALID',
    })
  })
})

describe('health', () => {
  test('follows what the agent says of its host, and keeps nonsense away', async () => {
    const one = await peer('busy-1')
    expect((await worker('busy-1')).health).toBe(WorkerHealth.HEALTHY)
    one.session.sayLoad({
      cpuRatio: 0.97,
      memoryRatio: Number.NaN,
      diskRatio: 1e300,
      eventLoopDelay: { seconds: -5n, nanos: 0 },
    })
    const warned = await until('it is warned of', async () => {
      const found = await worker('busy-1')
      return found.health === WorkerHealth.WARNING && found
    })
    expect(warned.healthMessage).toBe('CPU at 97 %; disk at 100 %')
    expect(warned.load).toMatchObject({ memoryRatio: 0, diskRatio: 1 })
    expect(warned.load?.cpuRatio).toBeCloseTo(0.97)
    one.session.sayLoad({
      cpuRatio: 0.1,
      memoryRatio: 0.2,
      diskRatio: 0,
      eventLoopDelay: undefined,
    })
    await until('it is well again', async () => {
      return (await worker('busy-1')).health === WorkerHealth.HEALTHY
    })
    one.session.cut()
    await until('it is offline', async () => {
      return (await worker('busy-1')).health === WorkerHealth.OFFLINE
    })
    expect((await worker('busy-1')).load).toBeUndefined()
  })

  test('a worker that only reports is alive: whatever is heard renews the lease', async () => {
    const one = await peer('chatty-1')
    await createJobFor('chatty-1')
    const running = await startOn(one, (await rota.trigger('chatty-1')).name)
    one.session.silence()
    const before = await renewals('chatty-1')
    let progress = 0
    await until('its lease was renewed again and again', async () => {
      progress += 0.001
      await one.session.report({ progressed: [{ ...running, progress, message: '' }] })
      return (await renewals('chatty-1')) > before + 5
    })
    expect((await worker('chatty-1')).health).toBe(WorkerHealth.HEALTHY)
    await one.session.report({ finished: [finished(running)] })
    expect((await rota.ended(running.execution)).state).toBe(ExecutionState.SUCCEEDED)
  })
})

describe('a degraded worker', () => {
  test('gets one execution at a time until one succeeds', async () => {
    const one = await peer('probed-1', 'probed')
    await createJobFor('probed')
    for (let failures = 1; failures <= 10; failures++) {
      const failing = await startOn(one, (await rota.trigger('probed')).name)
      const outcome = AttemptOutcome.FAILED
      await one.session.report({ finished: [finished(failing, { outcome, exitCode: 1 })] })
    }
    expect(await worker('probed-1')).toMatchObject({
      health: WorkerHealth.DEGRADED,
      healthMessage: '10 failures in a row',
      consecutiveFailures: 10,
    })
    await rota.trigger('probed')
    await rota.trigger('probed')
    const probe = await until('the probe is there', () => one.session.assignments[10])
    const healthy = await peer('probed-2', 'probed')
    await healthy.session.assignment()
    expect(one.session.assignments).toHaveLength(11)
    await one.session.report({ finished: [finished(probe)] })
    expect((await worker('probed-1')).health).toBe(WorkerHealth.HEALTHY)
    for (let index = 0; index < 3; index++) await rota.trigger('probed')
    await until('it gets as many as it has slots', () => one.session.assignments.length === 13)
  })
})
