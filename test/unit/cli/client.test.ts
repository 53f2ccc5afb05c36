import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { createServer, type Server } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, describe, expect, it } from 'vitest'
import { coordinatorFiles } from '../../../shared/data-dir.ts'
import { rota, type ScriptedServer, startScriptedServer } from '../../support/cli.ts'

const cleanups: (() => Promise<void> | void)[] = []
afterEach(async () => {
  for (const cleanup of cleanups.splice(0)) await cleanup()
})

async function coordinator(
  script: Parameters<typeof startScriptedServer>[0] = {},
): Promise<ScriptedServer> {
  const server = await startScriptedServer(script)
  cleanups.push(() => server.stop())
  return server
}

/** Accepts connections and never says a word. */
async function silentServer(): Promise<string> {
  const sockets: { destroy(): void }[] = []
  const server: Server = createServer((socket) => sockets.push(socket))
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  cleanups.push(() => {
    for (const socket of sockets) socket.destroy()
    server.close()
  })
  const address = server.address()
  return typeof address === 'object' ? `127.0.0.1:${address?.port}` : ''
}

describe('a coordinator that cannot be asked', () => {
  it('is unreachable when nothing listens', async () => {
    const { dataDir } = await coordinator()
    const { exitCode, stderr } = await rota(['job', 'list', '--address', '127.0.0.1:1'], {
      dataDir,
    })
    expect(exitCode).toBe(6)
    expect(stderr).toContain('no coordinator can be reached at 127.0.0.1:1 (connect ECONNREFUSED')
    expect(stderr).toContain('hint:  Check --address')
  })

  it('is given up when it does not answer in time', async () => {
    const { dataDir } = await coordinator()
    const argv = ['job', 'list', '--address', await silentServer(), '--timeout', '300ms']
    const { exitCode, stderr } = await rota(argv, { dataDir })
    expect(exitCode).toBe(6)
    expect(stderr).toContain('did not answer within 300ms')
  })

  it('is not trusted with the token when its CA is another one', async () => {
    const [ours, other] = [await coordinator(), await coordinator()]
    const argv = ['job', 'list', '--address', other.address]
    const { exitCode, stderr } = await rota(argv, { dataDir: ours.dataDir })
    expect(exitCode).toBe(6)
    expect(stderr).toContain('Its certificate was not made by the CA')
    expect(other.authorizations).toEqual([])
  })

  it('does not have the method', async () => {
    const { dataDir } = await coordinator()
    const { exitCode, stderr } = await rota(['job', 'list'], { dataDir })
    expect(exitCode).toBe(1)
    expect(stderr).toContain('[METHOD_UNAVAILABLE]')
  })
})

describe('a coordinator elsewhere', () => {
  it('is named by options or by environment', async () => {
    const server = await coordinator({
      listJobs: () => ({ jobs: [], nextPageToken: '', totalSize: 0 }),
    })
    const { caCertificate, adminToken } = coordinatorFiles(server.dataDir)
    const options = [
      '--address',
      server.address,
      '--ca-file',
      caCertificate,
      '--token-file',
      adminToken,
    ]
    expect((await rota(['job', 'list', ...options])).exitCode).toBe(0)
    expect((await rota([...options, 'job', 'list'])).exitCode).toBe(0)
    const env = {
      ROTA_ADDRESS: server.address,
      ROTA_CA_FILE: caCertificate,
      ROTA_TOKEN_FILE: adminToken,
    }
    expect((await rota(['job', 'list'], { env })).exitCode).toBe(0)
    expect(server.authorizations).toEqual(Array(3).fill('Bearer rota-admin-test'))
  })

  it('may answer with more than a request may hold', async () => {
    const description = 'x'.repeat(3 * 1024 * 1024)
    const server = await coordinator({ getJob: () => ({ job: { ...JOB, description } }) })
    const { stdout } = await rota(['job', 'get', 'x', '-o', 'json'], { dataDir: server.dataDir })
    expect(JSON.parse(stdout).description).toBe(description)
  })
})

const JOB = {
  name: 'jobs/x',
  uid: '',
  displayName: '',
  description: '',
  state: 1 as const,
  labels: {},
  tags: [],
  version: 1,
  pauseReason: '',
  etag: '',
  skipCount: 0,
}

describe('files that the CLI sends', () => {
  it('are read as text, and refused when they are none', async () => {
    const server = await coordinator({ createJob: ({ job }) => ({ job }) })
    const folder = mkdtempSync(join(tmpdir(), 'rota-files-'))
    cleanups.push(() => rmSync(folder, { recursive: true }))
    const file = (name: string, content: Buffer | string) => {
      writeFileSync(join(folder, name), content)
      return join(folder, name)
    }
    const create = (path: string) =>
      rota(['job', 'create', 'x', '--script', path], { dataDir: server.dataDir })
    expect((await create(file('ok.sh', 'echo 1\n'))).exitCode).toBe(0)
    expect((await create(join(folder, 'none.sh'))).stderr).toContain('cannot be read (ENOENT)')
    expect((await create(file('bad.sh', Buffer.from([0xff])))).stderr).toContain('is not UTF-8')
    const large = file('large.sh', 'x'.repeat(2 * 1024 * 1024))
    expect((await create(large)).stderr).toContain('larger than 1 MiB')
    expect(readFileSync(large).length).toBe(2 * 1024 * 1024)
  })
})
