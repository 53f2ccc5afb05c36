/** What a coordinator can tell and do that does not hold the agent. */
import { writeFileSync } from 'node:fs'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { AttemptOutcome, ExecutionState } from '../../proto/gen/rota/v1/execution.ts'
import { WorkerHealth } from '../../proto/gen/rota/v1/worker_service.ts'
import { createTestDatabase, type TestDatabase } from '../support/postgres.ts'
import { shell } from '../support/spec.ts'
import { openLogTailer } from '../support/tail-logs.ts'
import { startTestCoordinator, type TestCoordinator } from '../support/test-coordinator.ts'
import { until } from '../support/until.ts'

let database: TestDatabase
let holder: TestCoordinator
/** One agent of one is no difference to make up for: it stays where it is. */
let asked: TestCoordinator

beforeAll(async () => {
  database = await createTestDatabase()
  holder = await startTestCoordinator([], { database })
  await holder.addAgent('worker-1')
  asked = await startTestCoordinator([], { database })
})

afterAll(async () => {
  await asked.remove()
  await holder.remove()
  await database.drop()
})

test('a trigger starts, its output is followed while it runs, and its end is seen', async () => {
  const flag = `${holder.dataDir}/go-on`
  const command = `echo first; until [ -e ${flag} ]; do sleep 0.05; done; echo last`
  await asked.createJob('followed', shell(command))
  const { name } = await asked.trigger('followed')
  const tailer = openLogTailer(asked)
  const following = tailer.tail(name, { follow: true })
  await until('the first line is there', () => String(following.chunks[0]?.data) === 'first\n')
  expect((await asked.execution(name)).state).toBe(ExecutionState.RUNNING)
  writeFileSync(flag, '')
  const chunks = await following.done
  expect(String(Buffer.concat(chunks.map(({ data }) => data)))).toBe('first\nlast\n')
  expect((await asked.ended(name)).state).toBe(ExecutionState.SUCCEEDED)
  tailer.close()
})

test('a cancel reaches what runs', async () => {
  await asked.createJob('long', shell('sleep 600'))
  const { name } = await asked.trigger('long')
  await until('it runs', async () => {
    return (await asked.execution(name)).state === ExecutionState.RUNNING
  })
  await asked.executions.cancelExecution({ name, reason: 'enough' })
  const { state, attempts } = await asked.ended(name)
  expect(state).toBe(ExecutionState.CANCELLED)
  expect(attempts).toMatchObject([{ outcome: AttemptOutcome.CANCELLED }])
})

test('workers look the same, and are cordoned and released', async () => {
  const { worker } = await asked.workers.getWorker({ name: 'workers/worker-1' })
  // Whether it is well is up to the machine.
  expect([WorkerHealth.HEALTHY, WorkerHealth.WARNING]).toContain(worker?.health)
  await asked.workers.cordonWorker({ name: 'workers/worker-1', reason: 'looked into' })
  await asked.createJob('waits', shell('true'))
  // Claims read the state in the database, so that it holds at once.
  const { name } = await asked.trigger('waits')
  await until('the agent knows', async () => {
    const seen = await holder.workers.getWorker({ name: 'workers/worker-1' })
    return seen.worker?.stateReason === 'looked into'
  })
  expect((await asked.execution(name)).attempts).toEqual([])
  await asked.workers.releaseWorker({ name: 'workers/worker-1' })
  expect((await asked.ended(name)).state).toBe(ExecutionState.SUCCEEDED)
})
