/** A real agent process against a real coordinator: what becomes of executions when it is killed, or stopped, and comes back. */
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, beforeEach, expect, onTestFinished, test } from 'vitest'
import { AttemptOutcome, ExecutionState } from '../../proto/gen/rota/v1/execution.ts'
import { AGENT_MAIN, endWarden } from '../support/agent-process.ts'
import { type RunningProcess, startProcess } from '../support/processes.ts'
import { shell } from '../support/spec.ts'
import { startTestCoordinator, type TestCoordinator } from '../support/test-coordinator.ts'
import { until } from '../support/until.ts'

let rota: TestCoordinator
let dataDir: string
let token: string
let agent: RunningProcess
let go: string

beforeAll(async () => {
  rota = await startTestCoordinator()
  dataDir = join(rota.dataDir, 'agent')
  go = join(rota.dataDir, 'go')
  token = (await rota.workers.createEnrollmentToken({})).token
})

afterAll(async () => {
  await rota.remove()
})

beforeEach(async () => {
  agent = await startAgent()
})

async function startAgent(): Promise<RunningProcess> {
  const place = ['--data-dir', dataDir, '--coordinator', rota.address(), '--name', 'worker-1']
  const args = [AGENT_MAIN, 'run', ...place, '--slots', '4']
  const started = startProcess({ args, env: { ROTA_JOIN_TOKEN: token } })
  onTestFinished(async () => {
    started.kill('SIGKILL')
    await started.exit
    await endWarden(dataDir)
  })
  await started.answer('connected')
  return started
}

/** Pids of the shells that ran the job, one line each. */
function starts(name: string): string[] {
  try {
    return readFileSync(join(rota.dataDir, `${name}.starts`), 'utf8')
      .trim()
      .split('\n')
  } catch {
    return []
  }
}

async function startGated(name: string, guarantee: string): Promise<string> {
  const file = join(rota.dataDir, `${name}.starts`)
  const command = `echo $$ >> ${file}; until [ -e ${go}.${name} ]; do sleep 0.05; done; exit 3`
  await rota.createJob(name, shell(command, { guarantee: `GUARANTEE_${guarantee}` }))
  const execution = await rota.trigger(name)
  await until(`${name} runs`, () => starts(name).length === 1)
  return execution.name
}

test.each([
  ['SIGKILL', 'AT_LEAST_ONCE'],
  ['SIGKILL', 'EXCLUSIVE'],
  ['SIGKILL', 'AT_MOST_ONCE'],
  ['SIGTERM', 'AT_LEAST_ONCE'],
  ['SIGTERM', 'AT_MOST_ONCE'],
] as const)('%s and a new start: an %s job does not notice', async (signal, guarantee) => {
  const job = `${guarantee}-${signal}`.toLowerCase().replaceAll('_', '-')
  const name = await startGated(job, guarantee)
  agent.kill(signal)
  await agent.exit
  await startAgent()
  writeFileSync(`${go}.${job}`, '')
  const ended = await rota.ended(name)
  expect(ended.state).toBe(ExecutionState.FAILED)
  expect(ended.attempts).toMatchObject([{ outcome: AttemptOutcome.FAILED, exitCode: 3 }])
  expect(starts(job)).toHaveLength(1)
})

test('it may end while nobody is there: the result comes with the next start', async () => {
  const name = await startGated('alone', 'AT_MOST_ONCE')
  agent.kill('SIGKILL')
  await agent.exit
  writeFileSync(`${go}.alone`, '')
  await startAgent()
  const ended = await rota.ended(name)
  expect(ended.state).toBe(ExecutionState.FAILED)
  expect(ended.attempts).toMatchObject([{ outcome: AttemptOutcome.FAILED, exitCode: 3 }])
})
