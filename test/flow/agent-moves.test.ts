import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import { AttemptOutcome } from '../../proto/gen/rota/v1/execution.ts'
import { durationFromMs } from '../../shared/duration.ts'
import { RotaError } from '../../shared/errors/rota-error.ts'
import { handlerOf, shellOf } from '../support/assignments.ts'
import { FakeCoordinator, type FakeSession, type Script } from '../support/fake-coordinator.ts'
import { createTestAgent, type TestAgent, temporaryDataDir } from '../support/test-agent.ts'
import { until } from '../support/until.ts'

interface Pair {
  readonly first: FakeCoordinator
  readonly second: FakeCoordinator
  readonly agent: TestAgent
  readonly dataDir: string
  /** With the first coordinator. */
  readonly session: FakeSession
}

/** Two coordinators of one CA; the agent is connected to the first, and has heard of the second. */
async function startTwo(script: Partial<Script> = {}): Promise<Pair> {
  const first = await startOne()
  const second = await startOne(first)
  Object.assign(first.script, { coordinators: [first.address, second.address] }, script)
  Object.assign(second.script, { coordinators: [second.address, first.address] })
  const dataDir = await temporaryDataDir()
  const agent = await createTestAgent({ coordinator: first, dataDir })
  await agent.start()
  return { first, second, agent, dataDir, session: await first.nextSession() }
}

async function startOne(sibling?: FakeCoordinator): Promise<FakeCoordinator> {
  const authority = sibling?.authority
  const coordinator = await FakeCoordinator.start(authority === undefined ? {} : { authority })
  onTestFinished(() => coordinator.stop())
  return coordinator
}

function sayGoodbye(session: FakeSession, coordinators: readonly string[], delayMs = 50): void {
  const reconnectDelay = durationFromMs(delayMs)
  const value = { reason: 'upgrade', reconnectDelay, coordinators: [...coordinators] }
  session.send({ $case: 'goodbye', value })
}

async function runs(coordinator: FakeCoordinator, session: FakeSession): Promise<void> {
  await coordinator.until(
    () => session.reports.some(({ started }) => started.length > 0),
    'a start',
  )
}

test('a goodbye leads to the coordinator that it names, and leaves the old stream in use until then', async () => {
  const { first, second, session } = await startTwo()
  const [before, during] = [shellOf('true'), handlerOf('sleep', { duration: '1h' })]
  session.assign(before, during)
  await first.finished(before)
  await runs(first, session)
  second.script.welcomes = false
  sayGoodbye(session, [second.address])
  const next = await second.nextSession()
  expect(next.hello.previousSession).toBe('session-1')
  expect(next.hello.held).toEqual([
    { execution: during.execution, epoch: during.epoch, finished: false },
  ])
  // Not welcomed yet: the lease of the old session goes on.
  const beats = session.heartbeats.length
  await first.until(() => session.heartbeats.length > beats, 'a heartbeat on the old stream')
  expect(session.isOver).toBe(false)
  next.welcome()
  await first.until(() => session.isOver, 'the end of the old stream')
  await second.until(() => next.heartbeats.length > 0, 'a heartbeat on the new one')
})

test('what ends during a move is told to the next coordinator only, once', async () => {
  const { first, second, session, dataDir } = await startTwo()
  const [flag, ended] = [join(dataDir, 'go-on'), join(dataDir, 'ended')]
  const assignment = handlerOf('sleep', { duration: '1h' })
  const short = shellOf(`until [ -e ${flag} ]; do sleep 0.02; done; touch ${ended}`)
  session.assign(assignment, short)
  await runs(first, session)
  second.script.welcomes = false
  sayGoodbye(session, [second.address])
  const next = await second.nextSession()
  const late = shellOf(`echo late > ${join(dataDir, 'late')}`)
  // Sent before the coordinator knew that its session is replaced: none of it counts any more.
  session.assign(late)
  session.stop(assignment)
  writeFileSync(flag, '')
  await until('the short one has ended', () => existsSync(ended))
  const beats = session.heartbeats.length
  await first.until(() => session.heartbeats.length > beats + 1, 'two more heartbeats')
  next.welcome()
  expect(await second.finished(short)).toMatchObject({ outcome: AttemptOutcome.SUCCEEDED })
  expect(session.finished).toEqual([])
  expect(next.finished.map(({ execution }) => execution)).toEqual([short.execution])
  expect(() => readFileSync(join(dataDir, 'late'))).toThrow('ENOENT')
})

test('when nobody takes the agent it stays, and all that was not acknowledged is said again', async () => {
  const { first, second, session, agent } = await startTwo()
  const { address } = second
  second.script.refusal = new RotaError('DATABASE_UNAVAILABLE', 'PostgreSQL does not answer')
  session.assign(handlerOf('sleep', { duration: '1h' }))
  await runs(first, session)
  sayGoodbye(session, [address])
  await until('it was refused', () => agent.log.some(({ msg }) => msg === 'could not move'))
  const assignment = shellOf('true')
  session.assign(assignment)
  expect(await first.finished(assignment)).toMatchObject({ outcome: AttemptOutcome.SUCCEEDED })
  expect(first.sessions).toHaveLength(1)
  // A later goodbye is followed all the same.
  second.script.refusal = undefined
  sayGoodbye(session, [address])
  await second.nextSession()
})

test('an address that swallows everything holds nobody while others are known', async () => {
  const hole = createServer(() => {})
  const port = await new Promise<number>((resolve) => {
    hole.listen(0, '127.0.0.1', () => resolve(Reflect.get(hole.address() as object, 'port')))
  })
  onTestFinished(() => void hole.close())
  const coordinator = await startOne()
  const dataDir = await temporaryDataDir()
  // Joined through the one that answers; the first of the two is up to chance.
  await createTestAgent({ coordinator, dataDir })
  const address = `127.0.0.1:${port},${coordinator.address}`
  const agent = await createTestAgent({ coordinator, dataDir, address })
  await agent.start()
  const session = await coordinator.nextSession()
  sayGoodbye(session, [`127.0.0.1:${port}`])
  await until('it gave up', () => agent.log.some(({ msg }) => msg === 'could not move'))
  const assignment = shellOf('true')
  session.assign(assignment)
  await coordinator.finished(assignment)
})

test('a lost coordinator is followed by the next one', async () => {
  const { first, second, session } = await startTwo()
  const assignment = handlerOf('sleep', { duration: '1h' })
  session.assign(assignment)
  await runs(first, session)
  await first.stop()
  const next = await second.nextSession()
  expect(next.hello.held).toMatchObject([{ execution: assignment.execution, finished: false }])
})

test('coordinators that it heard of are known after a restart of the agent', async () => {
  const { first, second, agent, dataDir } = await startTwo()
  await until('they are remembered', () => {
    try {
      return readFileSync(join(dataDir, 'coordinators.json'), 'utf8').includes(second.address)
    } catch {
      return false
    }
  })
  await agent.stop()
  await first.stop()
  const again = await createTestAgent({ coordinator: first, dataDir })
  await again.start()
  await second.nextSession()
})

test('what a coordinator says of others later takes the place of what it said first', async () => {
  const { first, session, dataDir } = await startTwo()
  const third = await startOne(first)
  const addresses = [first.address, third.address, 'nonsense', 'a:0']
  session.send({ $case: 'coordinators', value: { addresses } })
  await until('it is remembered', () => {
    try {
      const known = JSON.parse(readFileSync(join(dataDir, 'coordinators.json'), 'utf8'))
      return JSON.stringify(known) === JSON.stringify([first.address, third.address])
    } catch {
      return false
    }
  })
  sayGoodbye(session, [])
  await third.nextSession()
})

test('with a coordinator of the release before it speaks the version of that release', async () => {
  const { first, second, session } = await startTwo()
  expect(session.hello.protocolVersion).toBe(2)
  second.script.protocolVersions = [1]
  sayGoodbye(session, [second.address])
  const next = await second.nextSession()
  expect(next.hello.protocolVersion).toBe(1)
  await first.until(() => session.isOver, 'the end of the old stream')
  const assignment = shellOf('true')
  next.assign(assignment)
  await second.finished(assignment)
  expect(second.refusals).toBe(1)
})
