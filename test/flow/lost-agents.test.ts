import { sql } from 'kysely'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { Heartbeat, Hello, Report } from '../../proto/gen/rota/agent/v1/agent_service.ts'
import {
  AttemptOutcome,
  type Execution,
  ExecutionState,
} from '../../proto/gen/rota/v1/execution.ts'
import {
  connectScripted,
  finished,
  joinScripted,
  type ScriptedIdentity,
  type ScriptedSession,
  sayAtOnce,
} from '../support/scripted-agent.ts'
import { shell } from '../support/spec.ts'
import { startTestCoordinator, type TestCoordinator } from '../support/test-coordinator.ts'
import { until } from '../support/until.ts'

const ID = '01a1f8af-2230-75c9-baf1-7cb788cc6c39'

/** Agents of this file each have a capability of their own, so that their work goes nowhere else. */
let rota: TestCoordinator

beforeAll(async () => {
  rota = await startTestCoordinator(['--lease', '2s'])
})

afterAll(async () => {
  await rota.remove()
})

interface Peer {
  readonly identity: ScriptedIdentity
  readonly session: ScriptedSession
}

async function peer(name: string, capability: string): Promise<Peer> {
  const identity = await joinScripted(rota, name)
  return { identity, session: await connectScripted(rota, identity, skills(capability)) }
}

function skills(capability: string) {
  return { capabilities: ['shell', capability], slots: 2 }
}

/** A job that only workers with this capability run. */
async function createJobFor(capability: string, rest: object = {}): Promise<void> {
  await rota.createJob(capability, {
    ...shell('true'),
    placement: { capabilities: [capability] },
    ...rest,
  })
}

/** Accepts and starts what comes, as an agent does. */
async function startOn({ session }: Peer, execution: string) {
  const { epoch, attempt } = await session.assignment(execution)
  const ref = { execution, epoch }
  await session.report({ accepted: [ref], started: [{ ...ref, startTime: new Date() }] })
  return { ...ref, attempt }
}

async function lateReports(execution: string): Promise<{ epoch: number; outcome: string }[]> {
  const id = execution.split('/')[1]
  const { rows } = await sql<{ epoch: number; outcome: string }>`
    select epoch, outcome from rota.late_report where execution_id = ${id}`.execute(rota.db)
  return rows
}

function outcomes({ attempts }: Execution): number[] {
  return attempts.map(({ outcome }) => outcome)
}

describe('an agent that vanishes without a word', () => {
  test('loses its work to another one, and its late result changes nothing', async () => {
    const first = await peer('vanishing-1', 'vanishing')
    await createJobFor('vanishing')
    const { name } = await rota.trigger('vanishing')
    const lost = await startOn(first, name)
    const second = await peer('vanishing-2', 'vanishing')
    first.session.cut()
    const again = await startOn(second, name)
    expect(again.attempt).toBe(2)
    expect(again.epoch).toBeGreaterThan(lost.epoch)

    const back = await connectScripted(rota, first.identity, {
      ...skills('vanishing'),
      held: [{ execution: name, epoch: lost.epoch, finished: false }],
    })
    await until('the old attempt is told to stop', () =>
      back.stops.find(({ execution, epoch }) => execution === name && epoch === lost.epoch),
    )
    await back.report({ finished: [finished(lost, { message: 'too late' })] })
    expect(await lateReports(name)).toMatchObject([
      { epoch: Number(lost.epoch), outcome: 'succeeded' },
    ])
    expect((await rota.execution(name)).state).toBe(ExecutionState.RUNNING)

    await second.session.report({ finished: [finished(again, { exitCode: 0 })] })
    const ended = await rota.execution(name)
    expect(ended.state).toBe(ExecutionState.SUCCEEDED)
    expect(outcomes(ended)).toEqual([AttemptOutcome.LOST, AttemptOutcome.SUCCEEDED])
    expect(ended.attempts.map(({ worker }) => worker)).toEqual([
      'workers/vanishing-1',
      'workers/vanishing-2',
    ])
  })

  test('is not replaced where at most one start is allowed: the outcome is uncertain', async () => {
    const only = await peer('careful-1', 'careful')
    await createJobFor('careful', { guarantee: 'GUARANTEE_AT_MOST_ONCE' })
    const { name } = await rota.trigger('careful')
    await startOn(only, name)
    const other = await peer('careful-2', 'careful')
    only.session.cut()
    const ended = await rota.ended(name)
    expect(ended.state).toBe(ExecutionState.UNCERTAIN)
    expect(outcomes(ended)).toEqual([AttemptOutcome.LOST])
    expect(other.session.assignments).toEqual([])
  })

  test('does not use up the retries of its work', async () => {
    const first = await peer('patient-1', 'patient')
    await createJobFor('patient')
    const { name } = await rota.trigger('patient')
    await startOn(first, name)
    const second = await peer('patient-2', 'patient')
    first.session.cut()
    const again = await startOn(second, name)
    await second.session.report({
      finished: [
        finished(again, { outcome: AttemptOutcome.FAILED, exitCode: 1, message: 'EXIT_CODE: 1' }),
      ],
    })
    const ended = await rota.execution(name)
    expect(ended.state).toBe(ExecutionState.FAILED)
    expect(outcomes(ended)).toEqual([AttemptOutcome.LOST, AttemptOutcome.FAILED])
  })

  test('but is silent only, with its connection open, loses its work as well', async () => {
    const mute = await peer('mute-1', 'mute')
    await createJobFor('mute')
    const { name } = await rota.trigger('mute')
    await startOn(mute, name)
    const other = await peer('mute-2', 'mute')
    mute.session.silence()
    expect((await other.session.assignment(name)).attempt).toBe(2)
    expect((await mute.session.ended).reason).toBe('SESSION_ENDED')
  })
})

describe('an agent that comes back before its lease has ended', () => {
  test('goes on with what it holds; nothing is run twice', async () => {
    const before = await peer('returning-1', 'returning')
    await createJobFor('returning')
    const { name } = await rota.trigger('returning')
    const attempt = await startOn(before, name)
    before.session.cut()
    const session = await connectScripted(rota, before.identity, {
      ...skills('returning'),
      held: [{ ...attempt, finished: false }],
    })
    expect(session.welcome.session).not.toBe(before.session.welcome.session)
    await session.report({ finished: [finished(attempt)] })
    const ended = await rota.execution(name)
    expect(ended.state).toBe(ExecutionState.SUCCEEDED)
    expect(outcomes(ended)).toEqual([AttemptOutcome.SUCCEEDED])
    expect(session.stops).toEqual([])
    expect(session.assignments).toEqual([])
  })

  test('without what it had accepted: that is lost at once, and run again', async () => {
    const before = await peer('forgetful-1', 'forgetful')
    await createJobFor('forgetful')
    const { name } = await rota.trigger('forgetful')
    const attempt = await startOn(before, name)
    before.session.cut()
    const session = await connectScripted(rota, before.identity, skills('forgetful'))
    const again = await session.assignment(name)
    expect(again).toMatchObject({ attempt: 2 })
    expect(again.epoch).toBeGreaterThan(attempt.epoch)
    expect(outcomes(await rota.execution(name))[0]).toBe(AttemptOutcome.LOST)
  })

  test('without what it never accepted: that was no attempt', async () => {
    const before = await peer('deaf-1', 'deaf')
    await createJobFor('deaf')
    const { name } = await rota.trigger('deaf')
    const first = await before.session.assignment(name)
    before.session.cut()
    const session = await connectScripted(rota, before.identity, skills('deaf'))
    const again = await session.assignment(name)
    expect(again.attempt).toBe(1)
    expect(again.epoch).toBeGreaterThan(first.epoch)
  })

  test('ends its own older stream', async () => {
    const before = await peer('doubled-1', 'doubled')
    const session = await connectScripted(rota, before.identity, skills('doubled'))
    expect((await before.session.ended).reason).toBe('SESSION_ENDED')
    await createJobFor('doubled')
    const { name } = await rota.trigger('doubled')
    await session.assignment(name)
    expect(before.session.assignments).toEqual([])
  })

  test('five times at once has one session in the end, and no error of ours', async () => {
    const identity = await joinScripted(rota, 'eager-1')
    const sessions = await Promise.allSettled(
      Array.from({ length: 5 }, () => connectScripted(rota, identity, skills('eager'))),
    )
    const refused = sessions.flatMap((each) => (each.status === 'rejected' ? [each.reason] : []))
    expect(refused.filter(({ reason }) => reason !== 'SESSION_ENDED')).toEqual([])
    const { rows } = await sql`select from rota.session s join rota.worker w on w.id = s.worker_id
      where w.name = 'eager-1'`.execute(rota.db)
    expect(rows).toHaveLength(1)
  })
})

describe('a result', () => {
  test('that comes twice, also on the next session, settles once', async () => {
    const before = await peer('repeating-1', 'repeating')
    await createJobFor('repeating')
    const { name } = await rota.trigger('repeating')
    const attempt = await startOn(before, name)
    const result = finished(attempt, { outputs: { answer: 42 } })
    await before.session.report({ finished: [result] })
    await before.session.report({ finished: [result] })
    before.session.cut()
    const session = await connectScripted(rota, before.identity, {
      ...skills('repeating'),
      held: [{ ...attempt, finished: true }],
    })
    await session.report({ finished: [finished(attempt, { outcome: AttemptOutcome.FAILED })] })
    const ended = await rota.execution(name)
    expect(ended).toMatchObject({ state: ExecutionState.SUCCEEDED, outputs: { answer: 42 } })
    expect(outcomes(ended)).toEqual([AttemptOutcome.SUCCEEDED])
    expect(await lateReports(name)).toEqual([])
  })

  test('of a worker that does not have the execution changes nothing', async () => {
    const owner = await peer('owner-1', 'owned')
    const thief = await peer('thief-1', 'thieving')
    await createJobFor('owned')
    const { name } = await rota.trigger('owned')
    const attempt = await startOn(owner, name)
    await thief.session.report({ finished: [finished(attempt)] })
    await thief.session.report({ started: [{ ...attempt, startTime: new Date() }] })
    await until('the thief is told to stop', () => thief.session.stops.length > 0)
    expect((await rota.execution(name)).state).toBe(ExecutionState.RUNNING)
    const adopting = await connectScripted(rota, thief.identity, {
      ...skills('thieving'),
      held: [{ ...attempt, finished: false }],
    })
    await adopting.report({ finished: [finished(attempt)] })
    expect((await rota.execution(name)).state).toBe(ExecutionState.RUNNING)
    await owner.session.report({
      finished: [finished(attempt, { outcome: AttemptOutcome.FAILED, exitCode: 3 })],
    })
    expect((await rota.execution(name)).attempts).toMatchObject([
      { worker: 'workers/owner-1', outcome: AttemptOutcome.FAILED, exitCode: 3 },
    ])
  })

  test.each([
    ['REFUSED', AttemptOutcome.REFUSED],
    ['SUPERSEDED', AttemptOutcome.SUPERSEDED],
    ['UNSPECIFIED', AttemptOutcome.UNSPECIFIED],
  ])('that says %s, which is not for agents to say, is a failure', async (word, outcome) => {
    const capability = `odd-${word.toLowerCase()}`
    const odd = await peer(`${capability}-1`, capability)
    await createJobFor(capability)
    const { name } = await rota.trigger(capability)
    const attempt = await startOn(odd, name)
    await odd.session.report({ finished: [finished(attempt, { outcome })] })
    expect((await rota.execution(name)).state).toBe(ExecutionState.FAILED)
  })

  test('that says LOST of what it had, as one that was restarted does, is believed', async () => {
    const restarted = await peer('restarted-1', 'restarted')
    await createJobFor('restarted')
    const { name } = await rota.trigger('restarted')
    const first = await startOn(restarted, name)
    const message = 'LEASE_LOST: the agent restarted while the attempt ran'
    await restarted.session.report({
      finished: [finished(first, { outcome: AttemptOutcome.LOST, message })],
    })
    const again = await until('it is assigned again', () =>
      restarted.session.assignments.find(({ epoch }) => epoch > first.epoch),
    )
    expect(again.attempt).toBe(2)
    expect(outcomes(await rota.execution(name))[0]).toBe(AttemptOutcome.LOST)
  })

  test('REFUSED of what already runs ends the attempt, it does not hang', async () => {
    const odd = await peer('fickle-1', 'fickle')
    await createJobFor('fickle')
    const { name } = await rota.trigger('fickle')
    const attempt = await startOn(odd, name)
    await odd.session.report({ refused: [{ ...attempt, reason: 'POLICY' }] })
    expect((await rota.ended(name)).state).toBe(ExecutionState.FAILED)
  })
})

describe('an assignment', () => {
  test('that is not accepted is sent again after 5 s, with the same epoch', async () => {
    const slow = await peer('slow-1', 'slow')
    await createJobFor('slow')
    const { name } = await rota.trigger('slow')
    await slow.session.assignment(name)
    await until('it is sent again', () => slow.session.assignments.length > 1)
    const [first, second] = slow.session.assignments
    expect(second).toEqual(first)
  })

  test('that is refused goes to another worker, with a new epoch and the same number', async () => {
    const picky = await peer('picky-1', 'picky')
    await createJobFor('picky')
    const { name } = await rota.trigger('picky')
    const { epoch } = await picky.session.assignment(name)
    const willing = await peer('picky-2', 'picky')
    await picky.session.report({ refused: [{ execution: name, epoch, reason: 'NO_SPACE' }] })
    const again = await willing.session.assignment(name)
    expect(again.attempt).toBe(1)
    expect(again.epoch).toBeGreaterThan(epoch)
    expect(picky.session.assignments).toHaveLength(1)
  })
})

describe('a peer that does not keep to the protocol', () => {
  test.each([
    ['a heartbeat', { $case: 'heartbeat', value: Heartbeat.fromPartial({ sequence: 1n }) }],
    ['a report', { $case: 'report', value: Report.fromPartial({ sequence: 1n }) }],
    ['nothing', undefined],
  ] as const)('and begins with %s is told so', async (what, message) => {
    const identity = await joinScripted(rota, `rude-${what.replace(' ', '-')}`)
    expect((await sayAtOnce(rota, identity, message)).reason).toBe('PROTOCOL_VIOLATION')
  })

  test('and says hello twice is told so', async () => {
    const { session } = await peer('polite-1', 'polite')
    session.send({ $case: 'hello', value: Hello.fromPartial({ protocolVersion: 1 }) })
    expect((await session.ended).reason).toBe('PROTOCOL_VIOLATION')
  })

  test.each([
    ['another version', { protocolVersion: 99 }, 'AGENT_INCOMPATIBLE'],
    ['no slots but negative ones', { slots: -1 }, 'PROTOCOL_VIOLATION'],
    ['a capability with a space', { capabilities: ['a b'] }, 'PROTOCOL_VIOLATION'],
    ['a NUL in its hostname', { hostname: 'a\0b' }, 'TEXT_INVALID'],
    [
      'an epoch below 0',
      { held: [{ execution: `executions/${ID}`, epoch: -1n, finished: false }] },
      'PROTOCOL_VIOLATION',
    ],
    [
      'an execution that is none',
      { held: [{ execution: 'executions/x', epoch: 1n, finished: false }] },
      'PROTOCOL_VIOLATION',
    ],
  ])('%s is refused', async (what, hello, reason) => {
    const identity = await joinScripted(
      rota,
      `wrong-${what.replaceAll(/[^a-z]/g, '-')}`.slice(0, 60).replace(/-+$/, ''),
    )
    await expect(connectScripted(rota, identity, hello)).rejects.toMatchObject({ reason })
  })
})

test('a result counts beside that of an earlier attempt of its execution in one report', async () => {
  const both = await peer('both', 'both')
  await createJobFor('both')
  for (const earlierIsLast of [true, false]) {
    const { name: execution } = await rota.trigger('both')
    const { epoch } = await both.session.assignment(execution)
    const results = [epoch, epoch - 1n].map((each) => finished({ execution, epoch: each }))
    await both.session.report({ finished: earlierIsLast ? results : results.reverse() })
    expect((await rota.ended(execution)).state).toBe(ExecutionState.SUCCEEDED)
  }
  both.session.cut()
})
