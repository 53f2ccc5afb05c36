import { sql } from 'kysely'
import { afterAll, beforeAll, expect, test } from 'vitest'
import {
  BatchTriggerJobsRequest,
  type TriggerJobRequest,
} from '../../proto/gen/rota/v1/job_service.ts'
import { shell } from '../support/spec.ts'
import { startTestCoordinator, type TestCoordinator } from '../support/test-coordinator.ts'

let rota: TestCoordinator

beforeAll(async () => {
  rota = await startTestCoordinator()
  for (const name of ['one', 'two']) await rota.createJob(name, shell('true'))
})

afterAll(async () => {
  await rota.remove()
})

/** Triggers these jobs together. */
function batch(requests: Partial<TriggerJobRequest>[], rest: object = {}) {
  return rota.jobs.batchTriggerJobs(BatchTriggerJobsRequest.fromPartial({ ...rest, requests }))
}

async function countExecutions(): Promise<number> {
  const { rows } = await sql<{ n: number }>`select count(*)::int as n from rota.execution`.execute(
    rota.db,
  )
  return rows[0]!.n
}

test('each request is answered in its place, and fails by itself', async () => {
  const before = await countExecutions()
  const { results, succeededCount, failedCount } = await batch([
    { name: 'jobs/one' },
    { name: 'jobs/tow' },
    { name: 'jobs/two', parameters: { unknown: 1 } },
    { name: 'jobs/two' },
    { name: 'jobs/one' },
  ])
  expect([succeededCount, failedCount]).toEqual([3, 2])
  expect(results.map(({ name }) => name)).toEqual([
    ...['jobs/one', 'jobs/tow', 'jobs/two', 'jobs/two', 'jobs/one'],
  ])
  expect(results.map(({ status }) => status?.code ?? 0)).toEqual([0, 5, 3, 0, 0])
  expect(results[1]?.status?.message).toContain('"tow"')
  const executions = results.map(({ execution }) => execution).filter((name) => name !== '')
  expect(new Set(executions).size).toBe(3)
  expect(await countExecutions()).toBe(before + 3)
  const { execution } = await rota.executions.getExecution({ name: executions[1]! })
  expect(execution).toMatchObject({ job: 'jobs/two' })
})

test('many of one job are all there, once each', async () => {
  const before = await countExecutions()
  const { succeededCount } = await batch(
    Array.from({ length: 1_000 }, () => ({ name: 'jobs/one' })),
  )
  expect(succeededCount).toBe(1_000)
  expect(await countExecutions()).toBe(before + 1_000)
})

test('a batch that is sent again does nothing again; its requests may have ids of their own', async () => {
  const send = () =>
    batch([{ name: 'jobs/one' }, { name: 'jobs/two', requestId: 'own' }, { name: 'jobs/one' }], {
      requestId: 'batch-1',
    })
  const [first, second] = await Promise.all([send(), send()])
  const before = await countExecutions()
  const third = await send()
  expect(second).toEqual(first)
  expect(third).toEqual(first)
  expect(await countExecutions()).toBe(before)
})

test('only validating changes nothing', async () => {
  const before = await countExecutions()
  const { results } = await batch([{ name: 'jobs/one' }, { name: 'jobs/none' }], {
    validateOnly: true,
  })
  expect(results.map(({ status }) => status?.code ?? 0)).toEqual([0, 5])
  expect(await countExecutions()).toBe(before)
})

test.each([
  ['without requests', [], {}, 'FIELD_INVALID'],
  ['of too many', Array.from({ length: 1_001 }, () => ({ name: 'jobs/one' })), {}, 'FIELD_INVALID'],
  ['with a selection', [], { selection: { names: ['jobs/one'] } }, 'FEATURE_UNAVAILABLE'],
  ['with parameters for all', [{ name: 'jobs/one' }], { parameters: {} }, 'FEATURE_UNAVAILABLE'],
])('a batch %s is refused', async (_, requests, rest, reason) => {
  await expect(batch(requests, rest)).rejects.toMatchObject({ reason })
})
