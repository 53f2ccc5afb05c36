import { randomUUID } from 'node:crypto'
import { sql } from 'kysely'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import {
  type ConnectRequest,
  Heartbeat,
  Hello,
  type PushLogsRequest,
  Report,
} from '../../proto/gen/rota/agent/v1/agent_service.ts'
import { ExecutionState, LogStream } from '../../proto/gen/rota/v1/execution.ts'
import { type Worker, WorkerState } from '../../proto/gen/rota/v1/worker_service.ts'
import type { RotaError } from '../../shared/errors/rota-error.ts'
import {
  chunk,
  connectScripted,
  finished,
  joinScripted,
  pushLogs,
  type ScriptedIdentity,
  type ScriptedSession,
  sayAtOnce,
} from '../support/scripted-agent.ts'
import { shell } from '../support/spec.ts'
import { startTestCoordinator, type TestCoordinator } from '../support/test-coordinator.ts'
import { until } from '../support/until.ts'

let rota: TestCoordinator
/** An agent that keeps to the rules while others do not. */
let honest: ScriptedSession

beforeAll(async () => {
  rota = await startTestCoordinator()
  honest = await connectScripted(rota, await joinScripted(rota, 'honest'), skills('honest'))
})

afterAll(async () => {
  await rota.remove()
})

function skills(capability: string) {
  return { capabilities: ['shell', capability], slots: 50 }
}

async function workerOf({ name }: ScriptedIdentity): Promise<Worker> {
  const { worker } = await rota.workers.getWorker({ name: `workers/${name}` })
  if (worker === undefined) throw new Error('no worker')
  return worker
}

async function untilRefused(identity: ScriptedIdentity, atLeast: number): Promise<bigint> {
  return until(`${atLeast} messages of ${identity.name} are counted as refused`, async () => {
    const { refusedMessageCount } = await workerOf(identity)
    return refusedMessageCount >= BigInt(atLeast) && refusedMessageCount
  })
}

/** Ends the time for which a worker is refused, as its passing would. */
async function letIn({ name }: ScriptedIdentity): Promise<void> {
  await sql`update rota.quarantine set until = clock_timestamp()
    where worker_id = (select id from rota.worker where name = ${name})`.execute(rota.db)
}

/**
 * How it is refused at the door, once the database knows; until then it is thrown out behind it. Always the same boot:
 * one that is back after another has been let in would be an offence more.
 */
async function connectError(identity: ScriptedIdentity): Promise<RotaError> {
  const hello = { bootId: 'one' }
  for (;;) {
    const entered = await connectScripted(rota, identity, hello).catch((error: RotaError) => error)
    if (entered instanceof Error) return entered
    await entered.ended
  }
}

/** The honest agent runs something, and is heard. */
async function expectUnaffected(): Promise<void> {
  const job = `honest-${randomUUID()}`
  await rota.createJob(job, { ...shell('true'), placement: { capabilities: ['honest'] } })
  const { name } = await rota.trigger(job)
  const { epoch } = await honest.assignment(name)
  const ref = { execution: name, epoch }
  await honest.report({ accepted: [ref], started: [{ ...ref, startTime: new Date() }] })
  await honest.report({ finished: [finished(ref)] })
  expect((await rota.execution(name)).state).toBe(ExecutionState.SUCCEEDED)
}

/** An execution that runs on the honest agent. */
async function victim(): Promise<{ execution: string; epoch: bigint }> {
  const job = `victim-${randomUUID()}`
  await rota.createJob(job, { ...shell('true'), placement: { capabilities: ['honest'] } })
  const { name } = await rota.trigger(job)
  const { epoch } = await honest.assignment(name)
  const ref = { execution: name, epoch }
  await honest.report({ accepted: [ref], started: [{ ...ref, startTime: new Date() }] })
  return ref
}

describe('an agent that speaks of attempts that are not its own', () => {
  test('changes nothing, is told to stop them, is counted, and soon refused for a while', async () => {
    const target = await victim()
    const identity = await joinScripted(rota, 'thief')
    const thief = await connectScripted(rota, identity)
    await thief.report({
      accepted: [target],
      started: [{ ...target, startTime: undefined }],
      progressed: [{ ...target, progress: 1, message: '' }],
      finished: [finished(target, { message: 'stolen' })],
    })
    await untilRefused(identity, 4)
    expect(await rota.execution(target.execution)).toMatchObject({
      state: ExecutionState.RUNNING,
      progress: 0,
    })
    for (let round = 0; round < 20; round++) {
      thief.send({ $case: 'report', value: Report.fromPartial({ finished: [finished(target)] }) })
    }
    const error = await thief.ended
    expect(error.reason).toBe('WORKER_QUARANTINED')
    expect(error.message).toContain('foreign')
    const refusal = await connectError(identity)
    expect(refusal.reason).toBe('WORKER_QUARANTINED')
    expect(refusal.retryAfterMs).toBeGreaterThan(0)
    expect(refusal.retryAfterMs).toBeLessThanOrEqual(10_000)
    await honest.report({ finished: [finished(target)] })
    expect((await rota.execution(target.execution)).state).toBe(ExecutionState.SUCCEEDED)
    const { rows } = await sql`select from rota.late_report`.execute(rota.db)
    expect(rows).toEqual([])
    await letIn(identity)
    ;(await connectScripted(rota, identity)).cut()
  })

  test('holds what others run: it is not given to it', async () => {
    const target = await victim()
    const identity = await joinScripted(rota, 'pretender')
    const pretender = await connectScripted(rota, identity, {
      held: [{ ...target, finished: false }],
    })
    await until('it is told to stop', () =>
      pretender.stops.find(({ execution }) => execution === target.execution),
    )
    await untilRefused(identity, 1)
    await honest.report({ finished: [finished(target)] })
    expect((await rota.execution(target.execution)).state).toBe(ExecutionState.SUCCEEDED)
    pretender.cut()
  })

  test('with epochs of a far future is counted as such', async () => {
    const target = await victim()
    const identity = await joinScripted(rota, 'prophet')
    const prophet = await connectScripted(rota, identity)
    for (let round = 0; round < 21; round++) {
      const future = { execution: target.execution, epoch: 2n ** 52n + BigInt(round) }
      prophet.send({ $case: 'report', value: Report.fromPartial({ accepted: [future] }) })
    }
    expect((await prophet.ended).message).toContain('impossible')
    await honest.report({ finished: [finished(target)] })
    expect((await rota.execution(target.execution)).state).toBe(ExecutionState.SUCCEEDED)
  })

  test('that nobody knows is counted, not punished: a failover makes some', async () => {
    const identity = await joinScripted(rota, 'forgetful')
    const session = await connectScripted(rota, identity)
    const unknown = Array.from({ length: 500 }, (_, index) => ({
      execution: `executions/${randomUUID()}`,
      epoch: BigInt(index + 1),
    }))
    await session.report({ accepted: unknown, finished: unknown.map((ref) => finished(ref)) })
    await untilRefused(identity, 1_000)
    await session.report({ accepted: unknown.slice(0, 1) })
    session.cut()
  })
})

test('a result that is sent again and again is acknowledged, once effective, and no offence', async () => {
  const identity = await joinScripted(rota, 'parrot')
  const parrot = await connectScripted(rota, identity, skills('parrot'))
  await rota.createJob('parrot', { ...shell('true'), placement: { capabilities: ['parrot'] } })
  const { name } = await rota.trigger('parrot')
  const { epoch } = await parrot.assignment(name)
  const result = finished({ execution: name, epoch })
  for (let round = 0; round < 50; round++) {
    await parrot.report({ accepted: [result], finished: [result] })
  }
  expect((await rota.execution(name)).attempts).toHaveLength(1)
  await until('they are counted apart', async () => {
    const { rows } = await sql<{ stale: number; refused: number }>`
      select stale_messages as stale, refused_messages as refused
      from rota.worker where name = ${identity.name}`.execute(rota.db)
    return rows[0]?.stale === 98 && rows[0].refused === 0
  })
  parrot.cut()
})

describe('an agent that breaks the rules of its stream', () => {
  const hello: ConnectRequest['message'] = { $case: 'hello', value: Hello.fromPartial({}) }

  test('loses it each time, is refused for longer and longer, and cordoned with the evidence', async () => {
    const identity = await joinScripted(rota, 'vandal')
    const breakStream = async () => {
      const session = await connectScripted(rota, identity, { bootId: 'one' })
      session.send(hello)
      return (await session.ended).reason
    }
    for (let round = 0; round < 4; round++) expect(await breakStream()).toBe('PROTOCOL_VIOLATION')
    // The fifth is one too many.
    await breakStream()
    const waits: number[] = []
    for (let round = 0; round < 3; round++) {
      const refusal = await connectError(identity)
      expect(refusal.reason).toBe('WORKER_QUARANTINED')
      waits.push(Math.ceil((refusal.retryAfterMs ?? 0) / 10_000) * 10)
      await letIn(identity)
      if (round < 2) await breakStream()
    }
    expect(waits).toEqual([10, 20, 40])
    const worker = await until('it is cordoned', async () => {
      const now = await workerOf(identity)
      return now.state === WorkerState.CORDONED && now
    })
    expect(worker.stateActor).toBe('rota')
    expect(worker.stateReason).toContain('protocol')
    expect(worker.stateReason).toContain('a second hello')
    // Somebody has looked, and lets it in at once.
    await breakStream()
    expect((await connectError(identity)).reason).toBe('WORKER_QUARANTINED')
    await rota.workers.releaseWorker({ name: `workers/${identity.name}` })
    ;(await connectScripted(rota, identity)).cut()
    await expectUnaffected()
  })

  test('by a hello of a megabyte, of 20,000 attempts, of one attempt twice, is refused', async () => {
    const identity = await joinScripted(rota, 'hoarder')
    const held = (count: number) =>
      Array.from({ length: count }, () => ({
        execution: `executions/${randomUUID()}`,
        epoch: 1n,
        finished: false,
      }))
    const [one] = held(1)
    const cases: [Partial<Hello>, string][] = [
      [{ hostname: 'x'.repeat(1024 * 1024 - 200) }, 'larger than'],
      [{ held: held(4_100) }, 'at most 4000'],
      [{ held: [one!, one!] }, 'held twice'],
      [{ previousSession: 'x'.repeat(300) }, 'longer than'],
    ]
    for (const [wrong, message] of cases) {
      const value = Hello.fromPartial({ protocolVersion: 1, ...wrong })
      const error = await sayAtOnce(rota, identity, { $case: 'hello', value })
      expect(error.reason).toBe('PROTOCOL_VIOLATION')
      expect(error.message).toContain(message)
    }
    // gRPC itself refuses what is above 1 MiB.
    const large = Hello.fromPartial({ protocolVersion: 1, held: held(20_000) })
    await letIn(identity)
    const refused = await sayAtOnce(rota, identity, { $case: 'hello', value: large })
    expect(refused).toBeInstanceOf(Error)
    await expectUnaffected()
  })
})

test('two agents with one certificate are slowed down and told from one another', async () => {
  const identity = await joinScripted(rota, 'twins')
  const refusals = new Set<string>()
  for (let round = 0; round < 40 && !refusals.has('WORKER_QUARANTINED'); round++) {
    await connectScripted(rota, identity, { bootId: `twin-${round % 2}`, hostname: 'host-b' }).then(
      (session) => session.cut(),
      (error: RotaError) => refusals.add(error.reason),
    )
  }
  expect([...refusals]).toContain('WORKER_QUARANTINED')
  expect((await connectError(identity)).message).toContain(
    'two agents use its certificate, one of them on host-b',
  )
  await expectUnaffected()
})

describe('output that an agent sends', () => {
  async function attemptOf(name: string, limits: object = {}) {
    const identity = await joinScripted(rota, name)
    const session = await connectScripted(rota, identity, skills(name))
    const placement = { capabilities: [name] }
    await rota.createJob(name, { ...shell('true'), placement, limits })
    const { name: execution } = await rota.trigger(name)
    const { epoch } = await session.assignment(execution)
    return { identity, session, ref: { execution, epoch } }
  }

  async function storedOf({ execution }: { execution: string }): Promise<Record<string, number>> {
    const { rows } = await sql<{ stream: string; bytes: number }>`
      select stream, sum(octet_length(data))::int as bytes from rota.log_chunk
      where execution_id = ${execution.split('/')[1]} group by stream`.execute(rota.db)
    return Object.fromEntries(rows.map(({ stream, bytes }) => [stream, bytes]))
  }

  const data = Buffer.alloc(60)

  test('of unknown and foreign attempts does not hold up that of its own', async () => {
    const { identity, ref, session } = await attemptOf('writer')
    const target = await victim()
    const unknown = { execution: `executions/${randomUUID()}`, epoch: 1n }
    const at = (attempt: typeof ref, offset: number) =>
      chunk(attempt, { stream: LogStream.STDOUT, offset, data })
    const chunks = [at(unknown, 0), at(ref, 0), at(target, 500), at(unknown, 60), at(ref, 60)]
    expect(await pushLogs(rota, identity, chunks)).toEqual([60n, 60n, 560n, 120n, 120n])
    expect(await storedOf(ref)).toEqual({ stdout: 120 })
    expect(await storedOf(target)).toEqual({})
    await untilRefused(identity, 2)
    session.cut()
  })

  test('over the limit of its job is not stored, however it comes', async () => {
    const { identity, ref, session } = await attemptOf('flooder', { logBytes: '100' })
    const at = (stream: LogStream, offset: number) => chunk(ref, { stream, offset, data })
    const chunks = [
      at(LogStream.STDOUT, 0),
      at(LogStream.STDERR, 0),
      at(LogStream.STDERR, 60),
      at(LogStream.STDOUT, 60),
      at(LogStream.STDOUT, 1_000_000),
    ]
    expect(await pushLogs(rota, identity, chunks)).toEqual([60n, 60n, 120n, 120n, 1_000_060n])
    expect(await storedOf(ref)).toEqual({ stdout: 60, stderr: 40 })
    // Another connection does not begin anew.
    await pushLogs(rota, identity, [at(LogStream.STDERR, 40)])
    expect(await storedOf(ref)).toEqual({ stdout: 60, stderr: 40 })
    session.cut()
  })

  test.each([
    ['negative', { offset: -1n }],
    ['beyond all numbers', { offset: 2n ** 62n }],
    ['of no stream', { stream: LogStream.SYSTEM }],
    ['larger than a chunk', { data: Buffer.alloc(64 * 1024 + 1) }],
  ] as [string, Partial<PushLogsRequest>][])(
    'at a place that is %s ends the stream',
    async (_, wrong) => {
      const name = `w-${randomUUID().slice(0, 8)}`
      const { identity, ref, session } = await attemptOf(name)
      const right = chunk(ref, { stream: LogStream.STDOUT, offset: 0, data })
      await expect(pushLogs(rota, identity, [{ ...right, ...wrong }])).rejects.toMatchObject({
        reason: 'PROTOCOL_VIOLATION',
      })
      await untilRefused(identity, 1)
      session.cut()
    },
  )
})

test('what an agent says of its host is never believed into the API', async () => {
  const identity = await joinScripted(rota, 'liar')
  const liar = await connectScripted(rota, identity)
  for (const wrong of [Number.NaN, Number.POSITIVE_INFINITY, -1, 1e300]) {
    const load = {
      cpuRatio: wrong,
      memoryRatio: wrong,
      diskRatio: wrong,
      eventLoopDelay: undefined,
    }
    for (const agentTime of [new Date(8.64e15), new Date(-6e13), undefined]) {
      const eventLoopDelay = { seconds: 2n ** 62n, nanos: -1 }
      const value = Heartbeat.fromPartial({ sequence: 7n, agentTime })
      liar.send({
        $case: 'heartbeat',
        value: { ...value, freeSlots: -5, load: { ...load, eventLoopDelay } },
      })
    }
  }
  await until('its heartbeat is answered', () => liar.answered() === 7n)
  const { workers } = await rota.workers.listWorkers({})
  expect(workers.map(({ name }) => name)).toContain('workers/liar')
  await expectUnaffected()
  liar.cut()
})
