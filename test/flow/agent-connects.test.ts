import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import { AttemptOutcome, LogStream } from '../../proto/gen/rota/v1/execution.ts'
import { RotaError } from '../../shared/errors/rota-error.ts'
import { apiOf, handlerOf, shellOf } from '../support/assignments.ts'
import { startRelay } from '../support/fake-coordinator.ts'
import { makeTemporaryFolder } from '../support/temporary-folder.ts'
import {
  createTestAgent,
  startCoordinator,
  startPair,
  temporaryDataDir,
} from '../support/test-agent.ts'
import { until } from '../support/until.ts'

test('hello tells who the agent is and what it can do', async () => {
  const { session } = await startPair({
    args: ['--capabilities', 'shell,gpu', '--labels', 'region=eu', '--slots', '3'],
  })
  expect(session.hello).toMatchObject({
    protocolVersion: 2,
    slots: 3,
    capabilities: ['shell', 'gpu'],
    labels: { region: 'eu' },
    previousSession: '',
    held: [],
    handlers: ['noop', 'echo', 'sleep', 'fail', 'log'],
  })
  expect(session.hello.hostname).not.toBe('')
  expect(session.hello.bootId).not.toBe('')
})

test('heartbeats come at the interval of the welcome, numbered, with the load of the host', async () => {
  const { coordinator, session } = await startPair({ script: { heartbeatMs: 100 } })
  session.assign(handlerOf('sleep', { duration: '1h' }))
  await coordinator.until(() => session.heartbeats.length >= 5, 'five heartbeats')
  const { heartbeats } = session
  expect(heartbeats.map(({ sequence }) => sequence).slice(0, 4)).toEqual([1n, 2n, 3n, 4n])
  expect(heartbeats.at(-1)?.freeSlots).toBe(3)
  const { cpuRatio = -1, memoryRatio = -1, diskRatio = -1 } = heartbeats.at(-1)?.load ?? {}
  for (const ratio of [cpuRatio, memoryRatio, diskRatio]) {
    expect(ratio).toBeGreaterThanOrEqual(0)
    expect(ratio).toBeLessThanOrEqual(1)
  }
  const agentTime = heartbeats.at(-1)?.agentTime?.getTime() ?? 0
  expect(Math.abs(agentTime - Date.now())).toBeLessThan(5_000)
})

test('the same assignment sent again runs once, and is reported again', async () => {
  const { coordinator, session } = await startPair()
  const words = () => {
    return session.reports.flatMap(({ accepted, started, finished }) => [
      ...accepted.map(() => 'accepted'),
      ...started.map(() => 'started'),
      ...finished.map(() => 'finished'),
    ])
  }
  const folder = await makeTemporaryFolder()
  onTestFinished(() => folder.remove())
  const gate = join(folder.path, 'gate')
  // One that has ended before its start is reported says its end alone.
  const assignment = shellOf(`echo once; until [ -e '${gate}' ]; do sleep 0.02; done`)
  session.assign(assignment, assignment)
  await coordinator.until(() => words().includes('started'), 'its start')
  await writeFile(gate, '')
  await coordinator.finished(assignment)
  session.assign(assignment)
  await coordinator.until(() => words().filter((word) => word === 'finished').length === 2, 'both')
  expect(words().filter((word) => word === 'started')).toHaveLength(1)
  const { execution, epoch } = assignment
  const output = () => coordinator.logs.read(execution, epoch, LogStream.STDOUT).toString()
  await until('its output is stored', () => output() !== '')
  expect(output()).toBe('once\n')
})

test('more than its slots hold, or what it cannot run, is refused', async () => {
  const { coordinator, session } = await startPair({ args: ['--capabilities', 'shell'] })
  const fitting = [1, 2, 3, 4].map(() => handlerOf('sleep', { duration: '1h' }))
  const tooMuch = shellOf('true')
  const unknown = apiOf({ url: 'http://127.0.0.1:1' })
  session.assign(...fitting, tooMuch, unknown)
  const refused = await coordinator.until(() => {
    const all = session.reports.flatMap((report) => report.refused)
    return all.length === 2 && all
  }, 'two refusals')
  expect(new Map(refused.map(({ execution, reason }) => [execution, reason]))).toEqual(
    new Map([
      [tooMuch.execution, 'NO_SLOT'],
      [unknown.execution, 'UNKNOWN_TASK'],
    ]),
  )
})

test('what is nonsense is left alone', async () => {
  const { coordinator, session } = await startPair()
  const assignment = shellOf('true')
  session.assign({ ...assignment, execution: 'executions/../../etc' })
  session.assign({ ...assignment, execution: '' })
  session.assign({ ...assignment, job: 'nothing' })
  session.stop({ execution: 'executions/unknown', epoch: 1n })
  session.assign(assignment)
  await coordinator.finished(assignment)
  expect(session.reports.flatMap((report) => report.finished)).toHaveLength(1)
})

test('a result that is not acknowledged comes again after a reconnect, and its attempt is held', async () => {
  const { coordinator, session } = await startPair({ script: { acknowledges: false } })
  const done = shellOf('echo out=1 >> "$ROTA_OUTPUT"')
  const running = handlerOf('sleep', { duration: '1h' })
  session.assign(done, running)
  await coordinator.finished(done)
  coordinator.script.acknowledges = true
  session.end()
  const next = await coordinator.nextSession()
  expect(next.hello.previousSession).toBe('session-1')
  expect(next.hello.held).toHaveLength(2)
  expect(next.hello.held).toEqual(
    expect.arrayContaining([
      { execution: done.execution, epoch: done.epoch, finished: true },
      { execution: running.execution, epoch: running.epoch, finished: false },
    ]),
  )
  const again = await coordinator.until(() => next.finished[0], 'the result once more')
  expect(again).toMatchObject({ execution: done.execution, outputs: { out: '1' } })
  next.end()
  const third = await coordinator.nextSession()
  expect(third.hello.held).toEqual([
    { execution: running.execution, epoch: running.epoch, finished: false },
  ])
})

test('a report whose acknowledgement is lost comes again on the same stream', async () => {
  const { coordinator, session } = await startPair({
    script: { acknowledges: false, leaseMs: 900, heartbeatMs: 100 },
  })
  const assignment = shellOf('true')
  session.assign(assignment)
  const count = () => session.finished.length
  await coordinator.until(() => count() >= 1, 'the result')
  await coordinator.until(() => count() >= 2, 'the result again')
  expect(coordinator.sessions).toHaveLength(1)
  coordinator.script.acknowledges = true
})

test('it reconnects for ever, and soon after the coordinator is back', async () => {
  const { coordinator, dataDir } = await startPair()
  const { port, authority } = coordinator
  await coordinator.stop()
  const { FakeCoordinator } = await import('../support/fake-coordinator.ts')
  const back = await FakeCoordinator.start({ port, authority })
  onTestFinished(() => back.stop())
  const session = await back.nextSession()
  const assignment = shellOf('true')
  session.assign(assignment)
  expect(await back.finished(assignment)).toMatchObject({ outcome: AttemptOutcome.SUCCEEDED })
  expect(dataDir).not.toBe('')
})

test('a coordinator that says nothing any more is left, and work goes on meanwhile', async () => {
  const { coordinator, session } = await startPair({ script: { leaseMs: 1_500, heartbeatMs: 100 } })
  const assignment = shellOf('sleep 1; echo went on')
  session.assign(assignment)
  await coordinator.until(() => session.reports.length > 0, 'a report')
  coordinator.script.answersHeartbeats = false
  const silentMs = performance.now()
  await coordinator.until(() => session.isOver, 'the end of the session')
  expect(performance.now() - silentMs).toBeLessThan(1_500)
  coordinator.script.answersHeartbeats = true
  await coordinator.nextSession()
  expect(await coordinator.finished(assignment)).toMatchObject({
    outcome: AttemptOutcome.SUCCEEDED,
  })
})

test('a network that swallows everything is noticed, and left', async () => {
  const coordinator = await startCoordinator({ leaseMs: 1_500, heartbeatMs: 100 })
  const relay = await startRelay(coordinator.port)
  onTestFinished(() => relay.stop())
  // The other address it hears of.
  coordinator.script.coordinators = [relay.address, coordinator.address]
  const agent = await createTestAgent({
    coordinator,
    dataDir: await temporaryDataDir(),
    address: relay.address,
  })
  await agent.start()
  const first = await coordinator.nextSession()
  await coordinator.until(() => first.heartbeats.length > 0, 'a heartbeat')
  relay.freeze()
  const next = await coordinator.nextSession()
  const assignment = shellOf('true')
  next.assign(assignment)
  await coordinator.finished(assignment)
})

test('no welcome means no session', async () => {
  const coordinator = await startCoordinator({ welcomes: false })
  const agent = await createTestAgent({ coordinator, dataDir: await temporaryDataDir() })
  await agent.start()
  const first = await coordinator.nextSession()
  await coordinator.until(() => first.isOver, 'the first try to end')
  expect(first.heartbeats).toEqual([])
  coordinator.script.welcomes = true
  const second = await coordinator.nextSession()
  await coordinator.until(() => second.heartbeats.length > 0, 'a heartbeat')
})

test('a drain lets what runs end, tells how much is left, and refuses more', async () => {
  const { coordinator, session } = await startPair()
  const running = shellOf('sleep 0.5')
  session.assign(running)
  await coordinator.until(
    () => session.reports.some(({ started }) => started.length > 0),
    'it runs',
  )
  session.send({ $case: 'drain', value: { deadline: undefined } })
  await coordinator.until(() => session.drainProgress.includes(1), 'one is left')
  const late = shellOf('true')
  session.assign(late)
  const refused = await coordinator.until(
    () => session.reports.flatMap((report) => report.refused)[0],
    'a refusal',
  )
  expect(refused).toMatchObject({ execution: late.execution, reason: 'DRAINING' })
  expect(await coordinator.finished(running)).toMatchObject({ outcome: AttemptOutcome.SUCCEEDED })
  await coordinator.until(() => session.drainProgress.at(-1) === 0, 'none is left')
  // The drain is over with the session.
  session.end()
  const next = await coordinator.nextSession()
  const again = { ...late, epoch: late.epoch + 1n }
  next.assign(again)
  await coordinator.finished(again)
})

test('a coordinator that refuses the agent is asked again slowly, and the log says what to do', async () => {
  const coordinator = await startCoordinator()
  const agent = await createTestAgent({ coordinator, dataDir: await temporaryDataDir() })
  coordinator.script.refusal = new RotaError('DATABASE_UNAVAILABLE', 'PostgreSQL does not answer')
  await agent.start()
  await until('it was refused for now', () => coordinator.refusals > 1)
  coordinator.script.refusal = new RotaError('AGENT_INCOMPATIBLE', 'too old')
  const line = await until('it was refused for good', () => {
    return agent.log.find(({ reason }) => reason === 'AGENT_INCOMPATIBLE')
  })
  expect(line).toMatchObject({ delayMs: 30_000, hint: 'Update the older of the two.' })
  const waits = agent.log.filter(({ reason }) => reason === 'DATABASE_UNAVAILABLE')
  for (const { delayMs } of waits) expect(delayMs).toBeLessThanOrEqual(3_000)
})
