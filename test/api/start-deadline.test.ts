/** What no worker takes in time fails, counted from when it was due. */
import { afterAll, beforeAll, expect, test } from 'vitest'
import { ExecutionState } from '../../proto/gen/rota/v1/execution.ts'
import { schedule, seconds, shell } from '../support/spec.ts'
import { startTestCoordinator, type TestCoordinator } from '../support/test-coordinator.ts'
import { until } from '../support/until.ts'

/** Without agents. */
let rota: TestCoordinator

beforeAll(async () => {
  rota = await startTestCoordinator()
})

afterAll(() => rota.remove())

const startDeadline = { startDeadline: seconds('1s') }

test.each([
  ['asked for', undefined],
  ['planned to start', 1_500],
])('by hand: from when it was %s', async (what, inMs) => {
  const scheduleTime = inMs && new Date(Date.now() + inMs)
  const name = what.replaceAll(' ', '-')
  await rota.createJob(name, { ...shell('true'), ...startDeadline })
  const { name: execution, createTime } = await rota.trigger(name, {
    ...(scheduleTime && { scheduleTime }),
  })
  const dueMs = (scheduleTime || createTime!).getTime()
  const ended = await rota.ended(execution)
  expect(ended).toMatchObject({
    state: ExecutionState.FAILED,
    attempts: [],
    reason: { code: 'DEADLINE', message: expect.stringContaining(': no worker took it') },
  })
  const told = /should have started by (\S+Z)/.exec(ended.reason?.message ?? '')?.[1]
  expect(Math.abs(Date.parse(told ?? '') - dueMs - 1_000)).toBeLessThanOrEqual(10)
  expect(ended.endTime!.getTime()).toBeGreaterThanOrEqual(dueMs + 1_000)
})

test('by its schedule: from its due time', async () => {
  await rota.createJob('due', {
    ...shell('true'),
    ...startDeadline,
    ...schedule({ every: seconds('1s') }),
  })
  const [ended] = await until('two were too late', async () => {
    const filter = 'state = FAILED'
    const { executions } = await rota.executions.listExecutions({ job: 'jobs/due', filter })
    return executions.length >= 2 && executions
  })
  await rota.jobs.pauseJob({ name: 'jobs/due' })
  const deadline = new Date(ended!.scheduledFor!.getTime() + 1_000).toISOString()
  expect(ended?.reason?.message).toBe(`should have started by ${deadline}: no worker took it`)
})

test('of those that wait for one another each fails by its own due time', async () => {
  await rota.createJob('in-turn', {
    ...shell('true'),
    ...startDeadline,
    ...schedule({ every: seconds('1s') }),
    concurrency: { max: 1 },
  })
  const failed = await until('some were too late', async () => {
    const filter = 'state = FAILED'
    const { executions } = await rota.executions.listExecutions({ job: 'jobs/in-turn', filter })
    return executions.length >= 3 && executions
  })
  await rota.jobs.pauseJob({ name: 'jobs/in-turn' })
  for (const { scheduledFor, reason } of failed) {
    const deadline = new Date(scheduledFor!.getTime() + 1_000).toISOString()
    expect(reason?.message).toContain(`should have started by ${deadline}`)
  }
})
