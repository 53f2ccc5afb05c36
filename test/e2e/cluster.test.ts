/** A cluster of real processes on a fresh data folder: jobs of all kinds, and processes that are killed. */
import { appendFileSync, existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type RunningProcess, runRota, startProcess } from '../support/processes.ts'
import { makeTemporaryFolder, type TemporaryFolder } from '../support/temporary-folder.ts'
import { until } from '../support/until.ts'

const AGENTS = ['worker-1', 'worker-2', 'worker-3']
let temporary: TemporaryFolder
let folder: string
let dataDir: string
const agents = new Map<string, RunningProcess>()
let coordinator: RunningProcess
let ports = ['--grpc-port', '0', '--http-port', '0']
let address = ''
let web: Server

async function startCoordinator(): Promise<void> {
  const place = ['--data-dir', dataDir, ...ports, '--lease', '3s']
  coordinator = startProcess({ args: ['coordinator/main.ts', ...place] })
  const { grpcAddress, httpAddress } = await coordinator.answer('ready')
  address = String(grpcAddress)
  const port = (of: unknown) => String(of).slice(String(of).lastIndexOf(':') + 1)
  ports = ['--grpc-port', port(grpcAddress), '--http-port', port(httpAddress)]
}

async function startAgent(name: string): Promise<void> {
  const place = ['--data-dir', join(folder, name), '--coordinator', address, '--name', name]
  const { stdout } = await rota('token', 'create', '--worker', name, '-o', 'json')
  const { token } = JSON.parse(stdout)
  const args = ['agent/main.ts', 'run', ...place, '--slots', '2']
  const agent = startProcess({ args, env: { ROTA_JOIN_TOKEN: token } })
  agents.set(name, agent)
  await agent.answer('connected')
}

const rota = (...args: string[]) => runRota(['--data-dir', dataDir, ...args])

async function json(...args: string[]) {
  const { code, stdout, stderr } = await rota(...args, '-o', 'json')
  expect({ code, stderr }).toMatchObject({ code: 0 })
  return JSON.parse(stdout)
}

async function createAndRun(name: string, ...options: string[]) {
  expect(await rota('job', 'create', name, ...options)).toMatchObject({ code: 0 })
  return rota('job', 'trigger', name, '--wait', '--follow')
}

beforeAll(async () => {
  temporary = await makeTemporaryFolder()
  folder = temporary.path
  dataDir = join(folder, 'data')
  // Others may pass, so that PostgreSQL keeps its data here also when the tests run as root.
  mkdirSync(dataDir, { mode: 0o711 })
  web = createServer((request, response) => {
    response.setHeader('content-type', 'application/json')
    response.end(JSON.stringify({ path: request.url, key: request.headers['idempotency-key'] }))
  })
  await new Promise<void>((resolve) => web.listen(0, '127.0.0.1', resolve))
  await startCoordinator()
  await Promise.all(AGENTS.map(startAgent))
})

afterAll(async () => {
  for (const agent of agents.values()) agent.kill('SIGINT')
  await Promise.all([...agents.values()].map(({ exit }) => exit))
  coordinator.kill('SIGTERM')
  expect(await coordinator.exit).toBe(0)
  web.close()
  await temporary.remove()
})

describe('jobs of all four kinds', () => {
  it('run a shell command, whose output comes back byte for byte', async () => {
    const ran = await createAndRun('shell', '--command', 'printf "one\\ntwo\\n"; echo problem >&2')
    expect(ran).toMatchObject({ code: 0, stdout: 'one\ntwo\n' })
    expect(ran.stderr).toContain('problem')
  })

  it('run a script from a file, with parameters and outputs', async () => {
    const script = join(folder, 'report.sh')
    writeFileSync(
      script,
      '#!/bin/bash\necho "day $ROTA_PARAM_DAY"\necho "rows=12" >> "$ROTA_OUTPUT"\n',
    )
    const ran = await createAndRun('script', '--script', script, '--param', 'day=monday')
    expect(ran).toMatchObject({ code: 0, stdout: 'day monday\n' })
    const execution = await json('exec', 'get', '@last')
    expect(execution).toMatchObject({ outputs: { rows: '12' }, parameters: { day: 'monday' } })
  })

  it('call an API with the execution as idempotency key', async () => {
    const { port } = web.address() as AddressInfo
    const ran = await createAndRun('api', '--command', `http://127.0.0.1:${port}/{{attempt}}`)
    expect(ran.code).toBe(0)
    const execution = await json('exec', 'get', '@last')
    const key = execution.name.replace('executions/', '')
    expect(execution.outputs).toMatchObject({ status: 200, body: { path: '/1', key } })
  })

  it('run a handler, and report its failure with exit code 10', async () => {
    expect(await createAndRun('echo', '--handler', 'echo', '--payload', '{"a":1}')).toMatchObject({
      code: 0,
    })
    expect((await json('exec', 'get', '@last')).outputs).toEqual({ a: 1 })
    expect(await createAndRun('fail', '--handler', 'fail')).toMatchObject({ code: 10 })
    expect((await json('exec', 'get', '@last')).state).toBe('EXECUTION_STATE_FAILED')
  })
})

/** A command that leaves a line for each attempt, and ends when the file `go` is there. */
function witnessed(name: string): { command: string; lines(): string[]; go(): void } {
  const file = join(folder, `${name}.witness`)
  const gate = join(folder, `${name}.go`)
  return {
    command: `echo "$ROTA_ATTEMPT $ROTA_EPOCH" >> ${file}; while [ ! -e ${gate} ]; do sleep 0.1; done; echo done`,
    lines: () => (existsSync(file) ? readFileSync(file, 'utf8').trim().split('\n') : []),
    go: () => appendFileSync(gate, ''),
  }
}

describe('losing processes', () => {
  it('gets the work of a killed agent done elsewhere', async () => {
    const witness = witnessed('agent-killed')
    await rota('job', 'create', 'agent-killed', '--command', witness.command)
    const { name } = await json('job', 'trigger', 'agent-killed')
    await until('the first attempt runs', () => witness.lines().length === 1)
    const lost = (await json('exec', 'get', name)).attempts[0].worker.replace('workers/', '')
    agents.get(lost)?.kill('SIGKILL')
    await until('the second attempt runs', () => witness.lines().length === 2)
    witness.go()
    expect(await rota('exec', 'wait', name)).toMatchObject({ code: 0 })
    const { attempts } = await json('exec', 'get', name)
    expect(attempts).toMatchObject([
      { number: 1, outcome: 'ATTEMPT_OUTCOME_LOST', worker: `workers/${lost}` },
      { number: 2, outcome: 'ATTEMPT_OUTCOME_SUCCEEDED' },
    ])
    expect(attempts[1].worker).not.toBe(`workers/${lost}`)
    expect(Number(attempts[1].epoch)).toBeGreaterThan(Number(attempts[0].epoch))
    await startAgent(lost)
  })

  it('loses nothing and doubles nothing when the coordinator is killed', async () => {
    const witness = witnessed('coordinator-killed')
    await rota('job', 'create', 'tick', '--handler', 'noop', '--schedule', 'every 1s')
    await rota('job', 'create', 'coordinator-killed', '--command', witness.command)
    const { name } = await json('job', 'trigger', 'coordinator-killed')
    await until('it runs', () => witness.lines().length === 1)

    coordinator.kill('SIGKILL')
    await coordinator.exit
    witness.go()
    await startCoordinator()

    expect(await rota('exec', 'wait', name, '--timeout', '20s')).toMatchObject({ code: 0 })
    const { attempts } = await json('exec', 'get', name)
    expect(attempts).toMatchObject([{ number: 1, outcome: 'ATTEMPT_OUTCOME_SUCCEEDED' }])
    expect(witness.lines()).toHaveLength(1)
    expect((await rota('exec', 'logs', name)).stdout).toBe('done\n')
    await noTickTwice()
  })
})

/** Ticks go on, and no two executions stand for the same second. */
async function noTickTwice(): Promise<void> {
  const executions: { scheduledFor: string }[] = await until('ticks run again', async () => {
    const listed = await json('exec', 'list', '--job', 'tick', '--all')
    return listed.executions.length >= 3 ? listed.executions : undefined
  })
  const due = executions.map(({ scheduledFor }) => scheduledFor)
  expect(new Set(due).size).toBe(due.length)
}
