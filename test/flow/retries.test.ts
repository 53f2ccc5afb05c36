import { afterAll, beforeAll, expect, test } from 'vitest'
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

async function run(name: string, spec: object) {
  await rota.createJob(name, spec)
  return rota.ended((await rota.trigger(name)).name)
}

test('without a retry policy a failure is final', async () => {
  const execution = await run('none', shell('exit 7'))
  expect(execution).toMatchObject({
    state: ExecutionState.FAILED,
    reason: { code: 'EXIT_CODE' },
    maxAttempts: 1,
  })
  expect(execution.attempts).toMatchObject([
    { number: 1, outcome: AttemptOutcome.FAILED, exitCode: 7 },
  ])
})

test('a fixed policy tries again as often as it says, and every attempt is kept', async () => {
  const execution = await run('fixed', { ...shell('exit 3'), ...retries(2) })
  expect(execution).toMatchObject({ state: ExecutionState.FAILED, maxAttempts: 3 })
  expect(execution.attempts.map(({ number, exitCode }) => [number, exitCode])).toEqual([
    [1, 3],
    [2, 3],
    [3, 3],
  ])
  const epochs = execution.attempts.map(({ epoch }) => epoch)
  expect([...epochs].sort((a, b) => Number(a - b))).toEqual(epochs)
  expect(new Set(epochs).size).toBe(3)
})

test('a retry that succeeds ends it; the attempt knows its number', async () => {
  const command = 'echo "$ROTA_ATTEMPT"; [ "$ROTA_ATTEMPT" -ge 2 ]'
  const execution = await run('second', { ...shell(command), ...retries(5) })
  expect(execution.state).toBe(ExecutionState.SUCCEEDED)
  expect(execution.attempts.map(({ outcome }) => outcome)).toEqual([
    AttemptOutcome.FAILED,
    AttemptOutcome.SUCCEEDED,
  ])
})

test('the delay of a policy lies between the attempts, and doubles when it is exponential', async () => {
  const retry = {
    kind: 'KIND_EXPONENTIAL',
    maxRetries: 2,
    delay: seconds('0.3s'),
    multiplier: 2,
    jitter: 0.000001,
  }
  const { attempts } = await run('exponential', { ...shell('exit 1'), retry })
  const pausesMs = attempts
    .slice(1)
    .map((attempt, index) => attempt.assignTime!.getTime() - attempts[index]!.endTime!.getTime())
  expect(pausesMs[0]).toBeGreaterThanOrEqual(300)
  expect(pausesMs[1]).toBeGreaterThanOrEqual(600)
  expect(pausesMs[0]).toBeLessThan(600)
})

test('it waits in backoff, with the reason of the failure, and can be cancelled there', async () => {
  await rota.createJob('patient', { ...shell('exit 9'), ...retries(1, '3600s') })
  const { name } = await rota.trigger('patient')
  const waiting = await until('it waits for its retry', async () => {
    const execution = await rota.execution(name)
    return execution.state === ExecutionState.BACKOFF && execution
  })
  expect(waiting).toMatchObject({ reason: { code: 'EXIT_CODE' }, attempts: [{ exitCode: 9 }] })
  await rota.executions.cancelExecution({ name, reason: 'enough' })
  expect(await rota.execution(name)).toMatchObject({
    state: ExecutionState.CANCELLED,
    reason: { code: 'CANCELLED', message: 'cancelled by token:admin: enough' },
    attempts: [{ exitCode: 9 }],
  })
})

test('a final exit code is not tried again', async () => {
  const spec = { ...shell('exit 64'), ...retries(5, '0.001s', { finalExitCodes: [64] }) }
  const execution = await run('final', spec)
  expect(execution.attempts).toHaveLength(1)
  expect(execution.state).toBe(ExecutionState.FAILED)
})

test('a failure counts for its job and its worker, a success ends the row', async () => {
  await run('failing', shell('exit 1'))
  const failed = await rota.jobs.getJobStatus({ name: 'jobs/failing' })
  expect(failed).toMatchObject({ consecutiveFailureCount: 1, successRatio: 0 })
  const { worker } = await rota.workers.getWorker({ name: 'workers/worker-1' })
  expect(worker?.consecutiveFailures).toBeGreaterThan(0)
  await run('fine', shell('true'))
  const after = await rota.workers.getWorker({ name: 'workers/worker-1' })
  expect(after.worker?.consecutiveFailures).toBe(0)
})
