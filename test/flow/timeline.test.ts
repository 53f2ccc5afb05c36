import { sql } from 'kysely'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { AttemptOutcome, ExecutionState } from '../../proto/gen/rota/v1/execution.ts'
import type { ExecutionEvent } from '../../proto/gen/rota/v1/execution_service.ts'
import {
  connectScripted,
  finished,
  joinScripted,
  type ScriptedSession,
} from '../support/scripted-agent.ts'
import { retries, shell } from '../support/spec.ts'
import { startTestCoordinator, type TestCoordinator } from '../support/test-coordinator.ts'
import { until } from '../support/until.ts'

let rota: TestCoordinator
/** Stay connected to the end: many that leave at once would only put the brake on. */
const sessions: ScriptedSession[] = []

beforeAll(async () => {
  rota = await startTestCoordinator(['--lease', '2s'])
})

afterAll(async () => {
  for (const session of sessions) session.cut()
  await rota.remove()
})

/** Agents here each have a capability of their own, so that their work goes nowhere else. */
async function peer(name: string, capability: string): Promise<ScriptedSession> {
  const identity = await joinScripted(rota, name)
  const session = await connectScripted(rota, identity, { capabilities: ['shell', capability] })
  sessions.push(session)
  return session
}

async function trigger(capability: string, rest: object = {}) {
  await rota.createJob(capability, {
    ...shell('true'),
    placement: { capabilities: [capability] },
    ...rest,
  })
  return (await rota.trigger(capability)).name
}

async function startOn(
  session: ScriptedSession,
  execution: string,
  isNext?: (n: number) => boolean,
) {
  const assignment = await until('the attempt is assigned', () =>
    session.assignments.findLast(
      (each) => each.execution === execution && (isNext?.(each.attempt) ?? true),
    ),
  )
  const ref = { execution, epoch: assignment.epoch }
  await session.report({ accepted: [ref], started: [{ ...ref, startTime: new Date() }] })
  return ref
}

test('a trigger that finds a free worker is answered as it was stored', async () => {
  await peer('free-1', 'free')
  await rota.createJob('answered', {
    ...shell('true'),
    placement: { capabilities: ['free'] },
    parameters: [{ name: 'size', kind: 'KIND_INTEGER', default: '3' }],
  })
  const answered = await until('one is assigned at once', async () => {
    const execution = await rota.trigger('answered', { parameters: { size: 5 } })
    return execution.state === ExecutionState.ASSIGNED ? execution : undefined
  })
  expect(answered).toEqual(await rota.execution(answered.name))
  expect(answered.attempts).toMatchObject([{ number: 1, worker: 'workers/free-1' }])
})

async function timeline(execution: string): Promise<ExecutionEvent[]> {
  const { events } = await rota.executions.listExecutionEvents({ execution })
  return events
}

function told(events: readonly ExecutionEvent[]): [ExecutionState, string, string][] {
  return events.map(({ state, worker, message }) => [
    state,
    worker,
    message.replace(/epoch \d+/, 'epoch N'),
  ])
}

const { QUEUED, ASSIGNED, RUNNING, BACKOFF, SUCCEEDED, FAILED, CANCELLED, WAITING } = ExecutionState

describe('the timeline of an execution', () => {
  test('that succeeds has each of its states, in order, and stays when it has settled', async () => {
    const session = await peer('plain-1', 'plain')
    const name = await trigger('plain')
    const ref = await startOn(session, name)
    // What is sent again changes nothing, and tells nothing.
    await session.report({ accepted: [ref], started: [{ ...ref, startTime: new Date() }] })
    await session.report({ finished: [finished(ref)] })
    await session.report({ finished: [finished(ref)] })
    const events = await timeline(name)
    expect(told(events)).toEqual([
      [QUEUED, '', 'created'],
      [ASSIGNED, 'workers/plain-1', 'attempt 1 assigned, epoch N'],
      [RUNNING, 'workers/plain-1', 'attempt 1 started'],
      [SUCCEEDED, 'workers/plain-1', 'succeeded'],
    ])
    expect(events.map(({ actor }) => actor)).toEqual(['token:admin', '', '', ''])
    const times = events.map(({ eventTime }) => eventTime!.getTime())
    expect(times).toEqual(times.toSorted((a, b) => a - b))
  })

  test('that is tried again says why, and what came of it', async () => {
    const session = await peer('again-1', 'again')
    const name = await trigger('again', retries(1))
    const first = await startOn(session, name)
    const failure = { outcome: AttemptOutcome.FAILED, exitCode: 3, message: 'EXIT_CODE: exit 3' }
    await session.report({ finished: [finished(first, failure)] })
    const second = await startOn(session, name, (attempt) => attempt === 2)
    await session.report({ finished: [finished(second, failure)] })
    const worker = 'workers/again-1'
    expect(told(await timeline(name))).toEqual([
      [QUEUED, '', 'created'],
      [ASSIGNED, worker, 'attempt 1 assigned, epoch N'],
      [RUNNING, worker, 'attempt 1 started'],
      [BACKOFF, worker, 'attempt 1 failed: exit 3  [EXIT_CODE]'],
      [QUEUED, '', 'its wait is over'],
      [ASSIGNED, worker, 'attempt 2 assigned, epoch N'],
      [RUNNING, worker, 'attempt 2 started'],
      [FAILED, worker, 'failed: exit 3  [EXIT_CODE]'],
    ])
  })

  test('whose worker is lost names the worker that had it, and the next one', async () => {
    const first = await peer('gone-1', 'gone')
    const name = await trigger('gone')
    await startOn(first, name)
    const second = await peer('gone-2', 'gone')
    first.cut()
    const ref = await startOn(second, name)
    await second.report({ finished: [finished(ref)] })
    expect(told(await timeline(name)).slice(3)).toEqual([
      [
        expect.toSatisfy((state) => [QUEUED, BACKOFF].includes(state)),
        'workers/gone-1',
        'attempt 1 lost: the lease of its worker ended without a report  [LEASE_LOST]',
      ],
      ...(await timeline(name)).slice(4, -3).map(() => [QUEUED, '', 'its wait is over']),
      [ASSIGNED, 'workers/gone-2', 'attempt 2 assigned, epoch N'],
      [RUNNING, 'workers/gone-2', 'attempt 2 started'],
      [SUCCEEDED, 'workers/gone-2', 'succeeded'],
    ])
  })

  test('that is refused goes back into the queue, and the attempt does not count', async () => {
    const session = await peer('refusing-1', 'refusing')
    const name = await trigger('refusing')
    const { epoch } = await session.assignment(name)
    await session.report({ refused: [{ execution: name, epoch, reason: 'NO_SPACE' }] })
    expect(told(await timeline(name)).slice(1, 3)).toEqual([
      [ASSIGNED, 'workers/refusing-1', 'attempt 1 assigned, epoch N'],
      [QUEUED, 'workers/refusing-1', 'attempt 1 was not accepted and does not count'],
    ])
  })

  test('that is cancelled says who asked, once, and again only for force', async () => {
    const session = await peer('stopped-1', 'stopped')
    const name = await trigger('stopped')
    const ref = await startOn(session, name)
    for (const force of [false, false, true, true]) {
      await rota.executions.cancelExecution({ name, reason: 'enough', force })
    }
    await session.report({ finished: [finished(ref, { outcome: AttemptOutcome.CANCELLED })] })
    const events = (await timeline(name)).slice(3)
    const worker = 'workers/stopped-1'
    const asked = [RUNNING, worker, 'cancel requested: cancelled by token:admin: enough']
    expect(told(events)).toEqual([
      asked,
      asked,
      [CANCELLED, worker, 'cancelled: cancelled by token:admin: enough  [CANCELLED]'],
    ])
    expect(events.map(({ actor }) => actor)).toEqual(['token:admin', 'token:admin', ''])
  })

  test('that waits for its time says so, also when it ends there', async () => {
    await rota.createJob('patient', shell('true'))
    const scheduleTime = new Date(Date.now() + 3_600_000)
    const { name } = await rota.trigger('patient', { scheduleTime })
    await rota.executions.cancelExecution({ name, reason: 'not today' })
    expect(told(await timeline(name))).toEqual([
      [WAITING, '', 'created, waits for its time'],
      [CANCELLED, '', 'cancelled: cancelled by token:admin: not today  [CANCELLED]'],
    ])
  })

  test('comes page by page, each event once', async () => {
    const session = await peer('paged-1', 'paged')
    const name = await trigger('paged')
    const ref = await startOn(session, name)
    await session.report({ finished: [finished(ref)] })
    const whole = await timeline(name)
    const paged: ExecutionEvent[] = []
    let pageToken = ''
    do {
      const page = await rota.executions.listExecutionEvents({
        execution: name,
        pageSize: 3,
        pageToken,
      })
      expect(page.events.length).toBeLessThanOrEqual(3)
      paged.push(...page.events)
      pageToken = page.nextPageToken
    } while (pageToken !== '')
    expect(paged).toEqual(whole)
  })

  test.each([
    [{ execution: 'executions/01a1f8af-2230-75c9-baf1-7cb788cc6c39' }, 'EXECUTION_NOT_FOUND'],
    [{ execution: 'jobs/plain' }, 'NAME_INVALID'],
    [{ execution: '' }, 'FIELD_REQUIRED'],
    [
      { execution: 'executions/01a1f8af-2230-75c9-baf1-7cb788cc6c39', pageToken: 'x' },
      'PAGE_TOKEN_INVALID',
    ],
    [
      { execution: 'executions/01a1f8af-2230-75c9-baf1-7cb788cc6c39', pageSize: -1 },
      'FIELD_INVALID',
    ],
  ])('asked for with %j is refused', async (request, reason) => {
    await expect(rota.executions.listExecutionEvents(request)).rejects.toMatchObject({ reason })
  })
})

test('jobs and workers leave their events, with who did it', async () => {
  await rota.createJob('switched', shell('true'))
  const name = 'jobs/switched'
  await rota.jobs.pauseJob({ name, reason: 'lunch' })
  await rota.jobs.resumeJob({ name })
  // Only looked at: nothing happened.
  const { job } = await rota.jobs.getJob({ name })
  await rota.jobs.updateJob({ job: job!, updateMask: ['description'], validateOnly: true })
  await rota.jobs.updateJob({ job: { ...job!, description: 'new' }, updateMask: ['description'] })
  await rota.jobs.deleteJob({ name })
  const { rows } = await sql<{ change: string; state: string; actor: string; message: string }>`
    select change, e.state, actor, message from rota.event e join rota.job j on j.id = e.job_id
    where type = 'job' and j.name = 'switched' order by e.id`.execute(rota.db)
  const actor = 'token:admin'
  expect(rows).toEqual([
    { change: 'created', state: 'active', actor, message: '' },
    { change: 'paused', state: 'paused', actor, message: 'lunch' },
    { change: 'resumed', state: 'active', actor, message: '' },
    { change: 'updated', state: 'active', actor, message: '' },
    { change: 'deleted', state: 'deleted', actor, message: '' },
  ])

  const session = await peer('leaving-1', 'leaving')
  session.cut()
  const changes = await until('the worker is lost', async () => {
    const found = await sql<{ change: string }>`select change from rota.event
      where type = 'worker' and worker = 'leaving-1' order by id`.execute(rota.db)
    return found.rows.length < 3 ? undefined : found.rows.map(({ change }) => change)
  })
  expect(changes).toEqual(['joined', 'connected', 'lost'])
})
