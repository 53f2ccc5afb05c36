import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { AttemptOutcome, ExecutionState } from '../../proto/gen/rota/v1/execution.ts'
import { retries, seconds, shell } from '../support/spec.ts'
import { startTestCoordinator, type TestCoordinator } from '../support/test-coordinator.ts'
import { until } from '../support/until.ts'

let rota: TestCoordinator

beforeAll(async () => {
  rota = await startTestCoordinator()
  await rota.addAgent('worker-1')
})

afterAll(async () => {
  await rota.remove()
})

const IGNORE_TERM = 'trap "" TERM'
const LOOP = 'while :; do sleep 0.1; done'

/** Runs `command`, which writes the pid of a grandchild to the file; answers both. */
async function runWithGrandchild(name: string, command: string, rest: object = {}) {
  const file = join(rota.dataDir, `${name}.pid`)
  // What the command sets up stands before the sign that it runs.
  const [setUp, wait] = command === IGNORE_TERM ? [command, LOOP] : [':', command]
  const script = `${setUp}; sleep 300 & echo $! > ${file}.draft; mv ${file}.draft ${file}; ${wait}`
  await rota.createJob(name, shell(script, rest))
  const execution = await rota.trigger(name)
  await until('the grandchild runs', () => existsSync(file))
  return { name: execution.name, pid: Number(readFileSync(file, 'utf8')) }
}

/** A zombie counts as gone. */
function isAlive(pid: number): boolean {
  try {
    return !/^State:\s+Z/m.test(readFileSync(`/proc/${pid}/status`, 'utf8'))
  } catch {
    return false
  }
}

test('a timeout ends the whole process group, and says so', async () => {
  const { name, pid } = await runWithGrandchild('endless', 'wait', {
    timeout: seconds('1s'),
    killGrace: seconds('1s'),
  })
  const execution = await rota.ended(name)
  expect(execution).toMatchObject({ state: ExecutionState.FAILED, reason: { code: 'TIMEOUT' } })
  expect(execution.attempts).toMatchObject([{ outcome: AttemptOutcome.TIMED_OUT }])
  await until('its grandchild is gone', () => !isAlive(pid))
})

test('a timeout may be tried again', async () => {
  await rota.createJob('slow-twice', {
    ...shell('sleep 60', { timeout: seconds('0.3s'), killGrace: seconds('0.2s') }),
    ...retries(1),
  })
  const { attempts } = await rota.ended((await rota.trigger('slow-twice')).name)
  expect(attempts.map(({ outcome }) => outcome)).toEqual([
    AttemptOutcome.TIMED_OUT,
    AttemptOutcome.TIMED_OUT,
  ])
})

describe('a cancel', () => {
  test('of what is queued ends it without an attempt', async () => {
    await rota.createJob('later', shell('true'))
    const scheduleTime = new Date(Date.now() + 3_600_000)
    const { name } = await rota.trigger('later', { scheduleTime })
    const { execution } = await rota.executions.cancelExecution({ name, reason: 'not today' })
    expect(execution).toMatchObject({
      state: ExecutionState.CANCELLED,
      reason: { code: 'CANCELLED', message: 'cancelled by token:admin: not today' },
      attempts: [],
    })
  })

  test('of what runs ends the whole process group with TERM, and is not tried again', async () => {
    const { name, pid } = await runWithGrandchild('running', 'wait', retries(3))
    await rota.executions.cancelExecution({ name, reason: 'stop it' })
    const execution = await rota.ended(name)
    expect(execution).toMatchObject({
      state: ExecutionState.CANCELLED,
      reason: { code: 'CANCELLED', message: expect.stringContaining('stop it') },
    })
    expect(execution.attempts).toMatchObject([{ number: 1, outcome: AttemptOutcome.CANCELLED }])
    await until('its grandchild is gone', () => !isAlive(pid))
  })

  test('of what ignores TERM ends it with KILL after the grace', async () => {
    const { name } = await runWithGrandchild('stubborn', IGNORE_TERM, {
      killGrace: seconds('0.5s'),
    })
    await rota.executions.cancelExecution({ name })
    const execution = await rota.ended(name)
    expect(execution.state).toBe(ExecutionState.CANCELLED)
    expect(execution.attempts).toMatchObject([{ signal: 'SIGKILL' }])
  })

  test('by force kills at once, whatever the grace', async () => {
    const { name } = await runWithGrandchild('forced', IGNORE_TERM, {
      killGrace: seconds('300s'),
    })
    await rota.executions.cancelExecution({ name, force: true })
    const execution = await rota.ended(name)
    expect(execution.state).toBe(ExecutionState.CANCELLED)
    expect(execution.attempts).toMatchObject([{ signal: 'SIGKILL' }])
  })

  test('by force after one that was not is heard', async () => {
    const { name } = await runWithGrandchild('escalated', IGNORE_TERM, {
      killGrace: seconds('300s'),
    })
    await rota.executions.cancelExecution({ name, reason: 'please' })
    await rota.executions.cancelExecution({ name, reason: 'now', force: true })
    const execution = await rota.ended(name)
    expect(execution).toMatchObject({
      state: ExecutionState.CANCELLED,
      reason: { message: expect.stringContaining('please') },
    })
  })

  test('of what has ended, or never was, is refused', async () => {
    await rota.createJob('done', shell('true'))
    const { name } = await rota.ended((await rota.trigger('done')).name)
    await expect(rota.executions.cancelExecution({ name })).rejects.toMatchObject({
      reason: 'EXECUTION_FINISHED',
    })
    const missing = 'executions/01a1f8af-2230-75c9-baf1-7cb788cc6c39'
    await expect(rota.executions.cancelExecution({ name: missing })).rejects.toMatchObject({
      reason: 'EXECUTION_NOT_FOUND',
    })
  })
})
