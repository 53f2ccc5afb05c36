import { afterAll, beforeAll, expect, test } from 'vitest'
import { AttemptOutcome } from '../../proto/gen/rota/v1/execution.ts'
import { type Worker, WorkerState } from '../../proto/gen/rota/v1/worker_service.ts'
import {
  connectScripted,
  finished,
  joinScripted,
  type ScriptedSession,
} from '../support/scripted-agent.ts'
import { shell } from '../support/spec.ts'
import { startTestCoordinator, type TestCoordinator } from '../support/test-coordinator.ts'
import { until } from '../support/until.ts'

let rota: TestCoordinator
const sessions = new Map<string, ScriptedSession>()

beforeAll(async () => {
  rota = await startTestCoordinator()
  for (const name of ['bad', 'good-1', 'good-2', 'good-3']) {
    const identity = await joinScripted(rota, name)
    sessions.set(name, await connectScripted(rota, identity, { capabilities: ['shell'] }))
  }
  await rota.createJob('backup', shell('true'))
  await rota.createJob('report', shell('true'))
})

afterAll(async () => {
  await rota.remove()
})

/** Runs the job on that worker, with that end. */
async function run(job: string, on: string, outcome: AttemptOutcome): Promise<void> {
  const { name: execution } = await rota.trigger(job, { worker: `workers/${on}` })
  const session = sessions.get(on)!
  const { epoch } = await session.assignment(execution)
  const exitCode = outcome === AttemptOutcome.SUCCEEDED ? 0 : 1
  await session.report({ finished: [finished({ execution, epoch }, { outcome, exitCode })] })
}

async function bad(): Promise<Worker> {
  const { worker } = await rota.workers.getWorker({ name: 'workers/bad' })
  return worker!
}

async function failEverywhereHere(): Promise<void> {
  for (const job of ['backup', 'report', 'backup', 'report', 'backup']) {
    await run(job, 'bad', AttemptOutcome.FAILED)
  }
}

test('a worker where jobs fail that succeed elsewhere is cordoned with the evidence', async () => {
  for (const job of ['backup', 'report']) {
    await run(job, 'good-1', AttemptOutcome.SUCCEEDED)
    await run(job, 'good-2', AttemptOutcome.SUCCEEDED)
  }
  await failEverywhereHere()
  const cordoned = await until('it is cordoned', async () => {
    const worker = await bad()
    return worker.state === WorkerState.CORDONED && worker
  })
  expect(cordoned.stateActor).toBe('rota')
  expect(cordoned.stateReason).toBe(
    '5 attempts of 2 jobs failed here within 15m and none succeeded, while the same jobs succeed elsewhere: ' +
      'backup (3 failed here, 2 succeeded elsewhere), report (2 failed here, 2 succeeded elsewhere)',
  )
  const { workers } = await rota.workers.listWorkers({ filter: 'state = ACTIVE' })
  expect(workers.map(({ name }) => name)).toEqual([
    'workers/good-1',
    'workers/good-2',
    'workers/good-3',
  ])
})

test('what a release has forgiven is no evidence any more, but new failures are', async () => {
  await rota.workers.releaseWorker({ name: 'workers/bad' })
  for (const job of ['backup', 'report', 'backup']) await run(job, 'bad', AttemptOutcome.FAILED)
  expect((await bad()).consecutiveFailures).toBe(3)
  for (const job of ['report', 'backup']) await run(job, 'bad', AttemptOutcome.FAILED)
  const again = await until('it is cordoned again', async () => {
    const worker = await bad()
    return worker.state === WorkerState.CORDONED && worker
  })
  expect(again.stateReason).toMatch(/^5 attempts of 2 jobs failed here/)
})
