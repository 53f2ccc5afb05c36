import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { ExecutionState, Trigger } from '../../proto/gen/rota/v1/execution.ts'
import { startTestCoordinator, type TestCoordinator } from '../support/test-coordinator.ts'
import { until } from '../support/until.ts'

let rota: TestCoordinator

beforeAll(async () => {
  rota = await startTestCoordinator()
  await rota.addAgent('worker-1')
})

afterAll(async () => {
  await rota.stop()
})

describe('a job of each kind', () => {
  it('runs a shell command and keeps its exit code', async () => {
    await rota.createJob('shell', { task: { kind: { $case: 'shell', value: { command: 'exit 0' } } } })
    const execution = await rota.ended((await rota.trigger('shell')).name)
    expect(execution.state).toBe(ExecutionState.SUCCEEDED)
    expect(execution.attempts[0]).toMatchObject({ number: 1, exitCode: 0, worker: 'workers/worker-1' })
  })
})
