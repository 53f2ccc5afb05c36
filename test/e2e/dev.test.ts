/** `rota dev` as a person runs it: real processes, a fresh data folder, Ctrl-C. */
import { type ChildProcess, execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdir, readdir, readFile } from 'node:fs/promises'
import { type AddressInfo, createServer } from 'node:net'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { promisify } from 'node:util'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { makeTemporaryFolder, type TemporaryFolder } from '../support/temporary-folder.ts'
import { until } from '../support/until.ts'

const CLI = join(import.meta.dirname, '..', '..', 'cli', 'main.ts')
const READY_MS = 60_000
const GONE_MS = 15_000

let temporary: TemporaryFolder
let dataDir: string
const running = new Set<Dev>()

beforeAll(async () => {
  temporary = await makeTemporaryFolder()
  dataDir = join(temporary.path, 'data')
  // Others may pass, so that PostgreSQL keeps its data here also when the tests run as root.
  await mkdir(dataDir, { mode: 0o711 })
  await mkdir(join(temporary.path, 'home'))
})

async function endAll(): Promise<void> {
  for (const dev of running) dev.process.kill('SIGINT')
  await Promise.all([...running].map(({ exit }) => exit))
}

// What a test leaves running serves the next one, unless it went wrong.
afterEach(async ({ task }) => {
  if (task.result?.state === 'fail') await endAll()
})
afterAll(async () => {
  await endAll()
  await temporary.remove()
})

const environment = () => ({ ...process.env, HOME: join(temporary.path, 'home'), NO_COLOR: '1' })

interface Dev {
  readonly process: ChildProcess
  readonly lines: string[]
  readonly exit: Promise<number | null>
  /** The first line that matches, now or later. */
  line(pattern: RegExp): Promise<string>
}

function startDev(...options: string[]): Dev {
  const ports = ['--grpc-port', '0', '--http-port', '0']
  const args = [CLI, 'dev', '--data-dir', dataDir, '--agents', '2', ...ports, ...options]
  const child = spawn(process.execPath, args, { env: environment() })
  const lines: string[] = []
  for (const input of [child.stdout, child.stderr]) {
    createInterface({ input }).on('line', (line) => lines.push(line))
  }
  const exit = once(child, 'close').then(([code]) => code as number | null)
  const dev: Dev = {
    process: child,
    lines,
    exit,
    async line(pattern) {
      const find = () => lines.find((line) => pattern.test(line))
      const gone = exit.then((code) => {
        const found = find()
        if (found !== undefined) return found
        throw new Error(`it ended (${code}) without ${pattern}:\n${lines.join('\n')}`)
      })
      const said = until(`it says ${pattern}`, find, READY_MS).catch((error: unknown) => {
        throw new Error(`${String(error)}; it said:\n${lines.join('\n')}`)
      })
      return Promise.race([said, gone])
    },
  }
  running.add(dev)
  void exit.then(() => running.delete(dev))
  return dev
}

/** The cluster that is running already, or a new one; ready. */
async function readyDev(): Promise<Dev> {
  const [dev = startDev()] = running
  await dev.line(/^rota is ready$/)
  return dev
}

async function rota(...args: string[]): Promise<string> {
  const { stdout } = await promisify(execFile)(process.execPath, [CLI, ...args], {
    env: environment(),
  })
  return stdout
}

/** Command lines of all processes that were started for the data folder. */
async function processesOfCluster(): Promise<string[]> {
  const pids = (await readdir('/proc')).filter((name) => /^\d+$/.test(name))
  const commands = await Promise.all(
    pids.map((pid) => readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => '')),
  )
  return commands.filter((command) => command.includes(dataDir))
}

describe.runIf(process.platform === 'linux')('rota dev', () => {
  it('brings up a cluster that runs its samples, and takes it down with Ctrl-C', async () => {
    const dev = startDev('--agents', '3')
    await dev.line(/^rota is ready$/)
    expect(dev.lines.join('\n')).toMatch(/npx buf curl .*--cacert/)
    expect(dev.lines.filter((line) => line.trim().startsWith('npx rota '))).toHaveLength(3)

    expect(await dev.line(/samples\.\S+ +worker-\d +/)).toMatch(
      /^\d\d:\d\d:\d\d {2}samples\.\S+ +worker-[123] +succeeded +[\d.]+m?s$/,
    )
    // Found without options: the context was left where `rota` looks.
    const workers = (await rota('worker', 'list', '-o', 'name')).trim().split('\n')
    expect(workers.map((name) => name.replace('workers/', '')).sort()).toEqual([
      'worker-1',
      'worker-2',
      'worker-3',
    ])

    dev.process.kill('SIGINT')
    expect(await dev.exit).toBe(0)
    expect(dev.lines.at(-1)).toBe('stopped')
    expect(await processesOfCluster()).toEqual([])
    await expect(rota('status')).rejects.toMatchObject({ code: 6 })
  })

  it('leaves nothing behind when it is killed, and starts again', async () => {
    const dev = await readyDev()
    dev.process.kill('SIGKILL')
    await dev.exit
    await expect.poll(processesOfCluster, { timeout: GONE_MS, interval: 100 }).toEqual([])

    const next = startDev()
    await next.line(/^rota is ready$/)
    next.process.kill('SIGKILL')
    await next.exit
    // At once: it waits for what is still stopping.
    const afterNext = startDev()
    await afterNext.line(/^rota is ready$/)
  })

  it('starts a process again that has died, and says so', async () => {
    const dev = await readyDev()
    const { pid } = JSON.parse(
      await readFile(join(dataDir, 'agents', 'worker-2', 'agent.lock'), 'utf8'),
    )
    process.kill(pid, 'SIGKILL')
    expect(await dev.line(/worker-2 ended/)).toContain(
      'worker-2 ended (SIGKILL); it is started again in 1s',
    )
  })

  it('refuses a data folder or a port that is in use', async () => {
    const dev = await readyDev()
    const second = startDev()
    expect(await second.exit).toBe(2)
    expect(second.lines.join('\n')).toContain(
      `process ${dev.process.pid} runs a cluster in ${dataDir} already`,
    )

    const server = createServer().listen(0, '127.0.0.1')
    await once(server, 'listening')
    const { port } = server.address() as AddressInfo
    const other = startDev('--data-dir', join(temporary.path, 'other'), '--http-port', String(port))
    expect(await other.exit).toBe(2)
    expect(other.lines.join('\n')).toContain(`--http-port: port ${port} is in use`)
    server.close()
  })

  it('finds its data again, and leaves what a person changed as it is', async () => {
    const first = await readyDev()
    await rota('job', 'delete', 'samples.http-check')
    await rota('job', 'create', 'mine', '--command', 'true')
    first.process.kill('SIGTERM')
    expect(await first.exit).toBe(0)

    const second = startDev()
    await second.line(/^rota is ready$/)
    const jobs = await rota('job', 'list', '-o', 'name')
    expect(jobs).toContain('mine')
    expect(jobs).toContain('samples.disk-usage')
    expect(jobs).not.toContain('samples.http-check')
  })

  it('leaves nothing behind when it is hurried, though agents leave their jobs to their wardens', async () => {
    const dev = await readyDev()
    const file = join(temporary.path, 'stubborn')
    const command = `trap "" TERM; echo $$ > ${file}; while :; do sleep 0.1; done # ${dataDir}`
    await rota('job', 'create', 'stubborn', '--command', command)
    await rota('job', 'trigger', 'stubborn')
    await until('it runs', () => readFile(file, 'utf8').catch(() => undefined))
    dev.process.kill('SIGINT')
    await dev.line(/^stopping/)
    dev.process.kill('SIGINT')
    expect(await dev.exit).toBe(0)
    expect(await processesOfCluster()).toEqual([])
  })
})
