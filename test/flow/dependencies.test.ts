import { afterAll, beforeAll, expect, test } from 'vitest'
import { type Execution, ExecutionState, Trigger } from '../../proto/gen/rota/v1/execution.ts'
import { seconds, shell } from '../support/spec.ts'
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

function on(job: string, rest: object = {}): object {
  return { job: `jobs/${job}`, ...rest }
}

async function run(name: string): Promise<Execution> {
  return rota.ended((await rota.trigger(name)).name)
}

async function executionsOf(name: string): Promise<Execution[]> {
  return (await rota.executions.listExecutions({ job: `jobs/${name}` })).executions
}

/** A job that has looked at its dependencies after everything that was before: a probe behind it has run. */
async function dependenciesAreLookedAt(probe: string, after: string): Promise<void> {
  const before = (await executionsOf(probe)).length
  await run(after)
  await until(`${probe} has run`, async () => (await executionsOf(probe)).length > before)
}

test('a job without a schedule runs when all that it depends on have succeeded, once', async () => {
  await rota.createJob('a', shell('true'))
  await rota.createJob('b', shell('true'))
  await rota.createJob('c', { ...shell('true'), dependencies: [on('a'), on('b')] })
  await rota.createJob('probe', { ...shell('true'), dependencies: [on('a')] })
  await dependenciesAreLookedAt('probe', 'a')
  expect(await executionsOf('c')).toEqual([])
  await run('b')
  const [execution] = await until('c is there', async () => {
    const found = await executionsOf('c')
    return found.length > 0 && found
  })
  expect(execution).toMatchObject({ trigger: Trigger.DEPENDENCY, requestedBy: 'dependency' })
  expect((await rota.ended(execution!.name)).state).toBe(ExecutionState.SUCCEEDED)
  await dependenciesAreLookedAt('probe', 'a')
  expect(await executionsOf('c')).toHaveLength(1)
})

test('two that complete at once release it once', async () => {
  for (const name of ['x', 'y']) await rota.createJob(name, shell('true'))
  await rota.createJob('z', { ...shell('true'), dependencies: [on('x'), on('y')] })
  await rota.createJob('z-probe', { ...shell('true'), dependencies: [on('x')] })
  for (let round = 1; round <= 5; round++) {
    await Promise.all([run('x'), run('y')])
    await until(`z has run ${round} times`, async () => (await executionsOf('z')).length >= round)
  }
  await dependenciesAreLookedAt('z-probe', 'x')
  expect(await executionsOf('z')).toHaveLength(5)
})

test('a failure does not release it, a later success does', async () => {
  const flag = `${rota.dataDir}/flag`
  await rota.createJob('flaky', shell(`test -e ${flag}`))
  await rota.createJob('waiting', { ...shell('true'), dependencies: [on('flaky')] })
  await rota.createJob('any-end', {
    ...shell('true'),
    dependencies: [on('flaky', { when: 'WHEN_COMPLETED' })],
  })
  await rota.createJob('alarm', {
    ...shell('true'),
    dependencies: [on('flaky', { when: 'WHEN_FAILED' })],
  })
  await dependenciesAreLookedAt('any-end', 'flaky')
  expect(await executionsOf('waiting')).toEqual([])
  expect(await executionsOf('alarm')).toHaveLength(1)
  await rota.createJob('touch', shell(`touch ${flag}`))
  await run('touch')
  await dependenciesAreLookedAt('any-end', 'flaky')
  await until('it runs after all', async () => (await executionsOf('waiting')).length === 1)
  expect(await executionsOf('alarm')).toHaveLength(1)
})

test('a job with a schedule waits at its due time for what it depends on', async () => {
  await rota.createJob('source', shell('true'))
  await rota.createJob('failing-source', shell('false'))
  const at = new Date(Date.now() + 1_000).toISOString()
  const scheduled = (dependency: object) => ({
    ...shell('true'),
    schedule: { recurrences: [{ at }] },
    dependencies: [dependency],
  })
  await rota.createJob('timed-wait', scheduled(on('source')))
  await rota.createJob(
    'timed-fail',
    scheduled(on('failing-source', { onFailure: 'ON_FAILURE_FAIL' })),
  )
  await rota.createJob(
    'timed-run',
    scheduled(on('failing-source', { onFailure: 'ON_FAILURE_RUN' })),
  )
  const waiting = await Promise.all(
    ['timed-wait', 'timed-fail', 'timed-run'].map(async (name) =>
      until(`${name} says what it waits for`, async () => {
        const [execution] = await executionsOf(name)
        return execution?.reason?.message.includes('source') && execution
      }),
    ),
  )
  for (const { state, reason } of waiting) {
    expect(state).toBe(ExecutionState.WAITING)
    expect(reason?.code).toBe('DEPENDENCY')
  }
  await run('failing-source')
  const [wait, fail, forward] = waiting
  expect(await rota.ended(fail!.name)).toMatchObject({
    state: ExecutionState.FAILED,
    reason: { code: 'DEPENDENCY_FAILED', message: expect.stringContaining('failing-source') },
    attempts: [],
  })
  expect((await rota.ended(forward!.name)).state).toBe(ExecutionState.SUCCEEDED)
  expect((await rota.execution(wait!.name)).state).toBe(ExecutionState.WAITING)
  await run('source')
  expect((await rota.ended(wait!.name)).state).toBe(ExecutionState.SUCCEEDED)
})

test('what waits for a dependency can be cancelled while completions come in', async () => {
  await rota.createJob('busy', shell('true'))
  await rota.createJob('never', shell('true'))
  await rota.createJob('stuck', {
    ...shell('true'),
    schedule: { recurrences: [{ every: seconds('1s') }] },
    dependencies: [on('busy'), on('never')],
  })
  const stuck = await until('some wait', async () => {
    const found = await executionsOf('stuck')
    return found.length >= 2 && found
  })
  await Promise.all([
    ...Array.from({ length: 8 }, () => run('busy')),
    ...stuck.map(({ name }) => rota.executions.cancelExecution({ name })),
  ])
  for (const { name } of stuck) {
    expect((await rota.execution(name)).state).toBe(ExecutionState.CANCELLED)
  }
  await rota.jobs.pauseJob({ name: 'jobs/stuck' })
})
