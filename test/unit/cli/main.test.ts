import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { type AddressInfo, createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { Execution, ExecutionState, LogStream } from '../../../proto/gen/rota/v1/execution.ts'
import { Job } from '../../../proto/gen/rota/v1/job.ts'
import { type ScriptedServer, startScriptedServer } from '../../support/cli.ts'

const path = (name: string) => fileURLToPath(new URL(`../../../${name}`, import.meta.url))
const ID = '0198c5d2-7a1b-7000-8000-000000000001'

let server: ScriptedServer
beforeAll(async () => {
  server = await startScriptedServer({
    getExecution: ({ name }) => ({
      execution: Execution.fromPartial({ name, state: ExecutionState.RUNNING }),
    }),
    async *tailExecutionLogs() {
      for (let sequence = 1n; sequence <= 20_000n; sequence++) {
        yield {
          ...{ sequence, logTime: undefined, stream: LogStream.STDOUT, attempt: 1, offset: 0n },
          data: Buffer.alloc(1_000, 'x\n'),
        }
      }
    },
    listJobs: () => ({
      jobs: Array.from({ length: 200 }, (_, index) =>
        Job.fromPartial({ name: `jobs/job-${index}`, description: 'x'.repeat(1_000) }),
      ),
      nextPageToken: '',
      totalSize: 200,
    }),
  })
})
afterAll(() => server.stop())

/** The program itself, as a process. */
function start(argv: readonly string[], nodeOptions: readonly string[] = []): ChildProcess {
  return spawn(process.execPath, [...nodeOptions, ...argv], {
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { PATH: process.env['PATH'], HOME: '/nonexistent', ROTA_DATA_DIR: server.dataDir },
  })
}

async function finish(child: ChildProcess) {
  let [stdout, stderr] = ['', '']
  child.stdout?.on('data', (data) => (stdout += String(data)))
  child.stderr?.on('data', (data) => (stderr += String(data)))
  const [exitCode] = await once(child, 'close')
  return { exitCode, stdout, stderr }
}

const MAIN = path('cli/main.ts')

describe('the program', () => {
  it('ends with the exit code, everything written', async () => {
    const { exitCode, stdout } = await finish(start([MAIN, 'job', 'list', '-o', 'json']))
    expect(exitCode).toBe(0)
    expect(JSON.parse(stdout).jobs).toHaveLength(200)
    expect(await finish(start([MAIN, 'jbo']))).toMatchObject({ exitCode: 2, stdout: '' })
  })

  it('does not hang on a connection that never came about', async () => {
    const silent = createServer()
    silent.listen(0, '127.0.0.1')
    await once(silent, 'listening')
    const { port } = silent.address() as AddressInfo
    const argv = ['job', 'list', '--address', `127.0.0.1:${port}`, '--timeout', '300ms']
    expect(await finish(start([MAIN, ...argv]))).toMatchObject({ exitCode: 6 })
    silent.close()
  })

  it('ends quietly when nobody reads on', async () => {
    const child = start([MAIN, 'exec', 'logs', ID])
    let stderr = ''
    child.stderr?.on('data', (data) => (stderr += String(data)))
    child.stdout?.once('data', () => child.stdout?.destroy())
    const [exitCode] = await once(child, 'close')
    expect({ exitCode, stderr }).toEqual({ exitCode: 0, stderr: '' })
  })

  it('ends with 130 after Ctrl-C, having said how to go on', async () => {
    const child = start([MAIN, 'exec', 'wait', ID])
    const done = finish(child)
    child.stderr?.once('data', () => child.kill('SIGINT'))
    const { exitCode, stderr } = await done
    expect(exitCode).toBe(130)
    expect(stderr).toContain(`rota exec wait ${ID}`)
  })
})

describe('a command that becomes another program', () => {
  it('is that program: the same process, its arguments, its exit code', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'rota-become-'))
    const script = join(folder, 'other program.mjs')
    writeFileSync(
      script,
      'console.log(process.pid, process.execArgv, process.argv.slice(2)); process.exit(7)',
    )
    const become = `import(${JSON.stringify(path('cli/become-program.ts'))})
      .then(({ becomeProgram }) => becomeProgram(
        { script: new URL(${JSON.stringify(pathToFileURL(script))}), nodeFlags: ['--max-semi-space-size=2'] },
        ['a b'],
      ))`
    const child = start(['-e', become])
    const { exitCode, stdout } = await finish(child)
    rmSync(folder, { recursive: true })
    expect({ exitCode, stdout }).toEqual({
      exitCode: 7,
      stdout: `${child.pid} [ '--max-semi-space-size=2' ] [ 'a b' ]\n`,
    })
  })
})

describe('an older Node', () => {
  const pretend = `data:text/javascript,${encodeURIComponent(
    "Object.defineProperty(process, 'versions', { value: { ...process.versions, node: '20.1.0' } })",
  )}`

  it('is told in one line by the program', async () => {
    const { exitCode, stderr } = await finish(start([MAIN, 'version'], ['--import', pretend]))
    expect(exitCode).toBe(1)
    expect(stderr).toMatch(/^error: Rota needs Node 26, this is v.*npx rota.*\n$/)
  })

  it.runIf(existsSync(path('node_modules/.bin/node')))(
    'is replaced by the one that Rota brings',
    async () => {
      const child = start([path('cli/rota.js'), 'version', '--client'], ['--import', pretend])
      expect(await finish(child)).toMatchObject({
        exitCode: 0,
        stdout: expect.stringMatching(/\(Node 26\./),
      })
    },
  )

  it('is passed over by the launcher when it is new enough', async () => {
    expect(await finish(start([path('cli/rota.js'), 'jbo']))).toMatchObject({ exitCode: 2 })
  })
})
