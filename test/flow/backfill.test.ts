/** A backfill runs on real agents, in its order, while the schedule and triggers go on beside it. */
import { sql } from 'kysely'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { type Execution, ExecutionState } from '../../proto/gen/rota/v1/execution.ts'
import { handler, schedule } from '../support/spec.ts'
import { startTestCoordinator, type TestCoordinator } from '../support/test-coordinator.ts'

/** Two coordinators on one database, an agent each. */
let rota: TestCoordinator
let second: TestCoordinator

beforeAll(async () => {
  rota = await startTestCoordinator()
  second = await startTestCoordinator([], { database: rota.database })
  await Promise.all([rota.addAgent('worker-1'), second.addAgent('worker-2')])
})

afterAll(async () => {
  await second.remove()
  await rota.remove()
})

const HOUR_MS = 3_600_000
const hourAgo = (hours: number) => new Date((Math.floor(Date.now() / HOUR_MS) - hours) * HOUR_MS)

/** Due at the full hours, and created a day ago. */
async function createHourly(name: string, rest: object = {}): Promise<void> {
  const spec = { ...handler('sleep', { duration: '100ms' }), ...schedule({ cron: '0 * * * *' }) }
  await rota.createJob(name, { ...spec, ...rest })
  await sql`update rota.job set created_at = created_at - interval '24 hours' where name = ${name}`.execute(
    rota.db,
  )
}

/** Of twelve hours. */
async function backfill(name: string, maxParallel: number): Promise<string[]> {
  const range = { startTime: hourAgo(20), endTime: hourAgo(8) }
  const { executions } = await second.jobs.backfillJob({
    name: `jobs/${name}`,
    ...{ maxParallel, includeSucceeded: false, validateOnly: false, requestId: '' },
    ...range,
  })
  expect(executions).toHaveLength(12)
  return executions
}

const allEnded = async (names: readonly string[]) =>
  Promise.all(names.map((name) => rota.ended(name)))

/** The most that ran at once. */
function mostAtOnce(executions: readonly Execution[]): number {
  const changes = executions.flatMap(({ attempts: [attempt] }) => [
    { atMs: attempt!.startTime!.getTime(), by: 1 },
    { atMs: attempt!.endTime!.getTime(), by: -1 },
  ])
  let count = 0
  let most = 0
  for (const { by } of changes.sort((a, b) => a.atMs - b.atMs || a.by - b.by)) {
    count += by
    most = Math.max(most, count)
  }
  return most
}

test.each([
  [1, 1],
  [3, 3],
])('%i at once, in the order of their due times', async (maxParallel, most) => {
  const name = `parallel-${maxParallel}`
  await createHourly(name)
  const ended = await allEnded(await backfill(name, maxParallel))
  expect(new Set(ended.map(({ state }) => state))).toEqual(new Set([ExecutionState.SUCCEEDED]))
  expect(ended.map(({ scheduledFor }) => scheduledFor)).toEqual(
    Array.from({ length: 12 }, (_, n) => hourAgo(20 - n)),
  )
  expect(mostAtOnce(ended)).toBeLessThanOrEqual(most)
  if (maxParallel > 1) return
  const starts = ended.map(({ startTime }) => startTime!.getTime())
  expect(starts).toEqual([...starts].sort((a, b) => a - b))
})

test('a job that allows one at once runs one, of the backfill or asked for', async () => {
  await createHourly('limited', { concurrency: { max: 1 } })
  const names = await backfill('limited', 10_000)
  for (let n = 0; n < 3; n++) names.push((await rota.trigger('limited')).name)
  const ended = await allEnded(names)
  expect(ended.every(({ state }) => state === ExecutionState.SUCCEEDED)).toBe(true)
  expect(mostAtOnce(ended)).toBe(1)
  // What was asked for went before what was left of the backfill.
  const lastAskedMs = Math.max(...ended.slice(12).map(({ startTime }) => startTime!.getTime()))
  const after = ended.slice(0, 12).filter(({ startTime }) => startTime!.getTime() > lastAskedMs)
  expect(after.length).toBeGreaterThan(0)
})
