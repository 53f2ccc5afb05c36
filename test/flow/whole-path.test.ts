import { afterAll, beforeAll, expect, test } from 'vitest'
import { AttemptOutcome, ExecutionState, Trigger } from '../../proto/gen/rota/v1/execution.ts'
import { shell } from '../support/spec.ts'
import { startTestCoordinator, type TestCoordinator } from '../support/test-coordinator.ts'

let rota: TestCoordinator

beforeAll(async () => {
  rota = await startTestCoordinator()
  await rota.addAgent('worker-1')
})

afterAll(async () => {
  await rota.remove()
})

test('a triggered job runs on a worker, and its attempt is kept', async () => {
  await rota.createJob('hello', shell('echo hello'))
  const triggered = await rota.trigger('hello')
  expect(triggered).toMatchObject({ job: 'jobs/hello', trigger: Trigger.MANUAL })
  const execution = await rota.ended(triggered.name)
  expect(execution).toMatchObject({
    state: ExecutionState.SUCCEEDED,
    maxAttempts: 1,
    requestedBy: 'token:admin',
  })
  expect(execution.attempts).toMatchObject([
    {
      number: 1,
      outcome: AttemptOutcome.SUCCEEDED,
      exitCode: 0,
      worker: 'workers/worker-1',
      logBytes: 6n,
      logBytesDropped: 0n,
    },
  ])
})
