import { execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import { chmod, mkdir, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { Client } from 'pg'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { completeLinks, copyBinaries } from '../../coordinator/store/embedded/binaries.ts'
import {
  createEmbeddedPostgres,
  type EmbeddedPostgres,
  type EmbeddedPostgresOptions,
} from '../../coordinator/store/embedded/embedded-postgres.ts'
import { systemClock } from '../../shared/clock.ts'
import { RotaError } from '../../shared/errors/rota-error.ts'
import { isProcessAlive } from '../../shared/lock-file.ts'
import { createLogger } from '../../shared/logger.ts'
import { systemRandom } from '../../shared/random.ts'
import { makeTemporaryFolder, type TemporaryFolder } from '../support/temporary-folder.ts'

const isRoot = process.getuid?.() === 0
const OWNER = join(import.meta.dirname, '..', 'support', 'own-postgres.ts')

let seed: TemporaryFolder
let temporary: TemporaryFolder
let folder: string
const servers: EmbeddedPostgres[] = []

beforeAll(async () => {
  seed = await makeTemporaryFolder()
  folder = seed.path
  const server = create({ dataDir: folder })
  await server.start()
  await server.stop()
})

afterAll(() => seed.remove())

beforeEach(async () => {
  temporary = await makeTemporaryFolder()
  folder = temporary.path
  // Open enough for another user's server, so that root keeps the data here too.
  await mkdir(dataDir(), { mode: 0o711 })
})

afterEach(async () => {
  for (const server of servers.splice(0)) await server.stop()
  await temporary.remove()
})

const dataDir = (name = 'data') => join(folder, name)
/** One for all tests: a copy of the binaries takes its time. */
const systemFolder = () => join(seed.path, 'system')

function create(options: Partial<EmbeddedPostgresOptions> = {}): EmbeddedPostgres {
  const server = createEmbeddedPostgres({
    dataDir: dataDir(),
    systemFolder: systemFolder(),
    clock: systemClock,
    random: systemRandom,
    logger: createLogger({ name: 'test', level: 'silent' }),
    settings: { fsync: 'off' },
    ...options,
  })
  servers.push(server)
  return server
}

async function query(server: EmbeddedPostgres, text: string): Promise<readonly unknown[]> {
  const client = new Client(server.connection)
  client.on('error', () => {})
  await client.connect()
  try {
    return (await client.query({ text, rowMode: 'array' })).rows.flat()
  } finally {
    await client.end()
  }
}

/** Puts a server that was set up before into `target`; setting one up takes longer than most tests. */
async function plantSeed(target = dataDir()): Promise<void> {
  await promisify(execFile)('cp', ['-a', `${seed.path}/.`, target])
}

/** PostgreSQL writes the pid of its first process here. */
async function postmasterPid(data = join(dataDir(), 'postgres', 'data')): Promise<number> {
  return Number.parseInt(await readFile(join(data, 'postmaster.pid'), 'utf8'), 10)
}

async function until(condition: () => boolean | Promise<boolean>): Promise<void> {
  const deadline = Date.now() + 15_000
  while (!(await condition())) {
    if (Date.now() > deadline) throw new Error('the condition did not come true within 15 s')
    await new Promise((resolve) => setTimeout(resolve, 20))
  }
}

/** Leaves a running server whose owner was killed. */
async function startAndKillOwner(): Promise<void> {
  const owner = spawn(process.execPath, [OWNER, dataDir(), systemFolder()], {
    stdio: ['pipe', 'pipe', 'inherit'],
  })
  await once(owner.stdout, 'data')
  owner.kill('SIGKILL')
  await once(owner, 'exit')
}

describe('an embedded PostgreSQL', () => {
  it('is durable, in UTF-8, and reached with a password only', async () => {
    const server = create({ settings: {} })
    await server.start()
    expect(
      await query(
        server,
        `select current_database()::text, current_setting('server_encoding'), current_setting('fsync'),
                current_setting('data_checksums'), current_setting('listen_addresses'), lower('ÄÉ')`,
      ),
    ).toEqual(['rota', 'UTF8', 'on', 'on', '', 'äé'])
    const intruder = new Client({ ...server.connection, password: 'guess' })
    await expect(intruder.connect()).rejects.toThrow('password authentication failed')
  })

  it('finds its data again, and leaves no process behind', async () => {
    const first = create()
    await first.start()
    await query(first, 'create table kept as select 42 as answer')
    const pid = await postmasterPid()
    await Promise.all([first.stop(), first.stop()])
    expect(isProcessAlive(pid)).toBe(false)

    const second = create()
    await Promise.all([second.start(), second.start()])
    expect(await query(second, 'select answer from kept')).toEqual([42])
  })

  it('is adopted after its owner was killed, and then stopped by its new owner', async () => {
    await plantSeed()
    await startAndKillOwner()
    const pid = await postmasterPid()
    const heir = create()
    await heir.start()
    expect(await postmasterPid()).toBe(pid)
    expect(await query(heir, 'select 1')).toEqual([1])
    await heir.stop()
    expect(isProcessAlive(pid)).toBe(false)
  })

  it('has one owner: a second start is refused, and its stop changes nothing', async () => {
    await plantSeed()
    const first = create()
    await first.start()
    const second = create()
    await expect(second.start()).rejects.toThrow(`process ${process.pid} uses the data folder`)
    await second.stop()
    expect(await query(first, 'select 1')).toEqual([1])
  })

  it('serves two data folders at once', async () => {
    await mkdir(dataDir('other'), { mode: 0o711 })
    await Promise.all([plantSeed(), plantSeed(dataDir('other'))])
    const [one, two] = [create(), create({ dataDir: dataDir('other') })]
    await Promise.all([one.start(), two.start()])
    await query(one, 'create table only_here ()')
    expect(await query(two, "select to_regclass('only_here')::text")).toEqual([null])
  })

  it('is started again when it ends by itself', async () => {
    await plantSeed()
    const server = create()
    await server.start()
    await query(server, 'create table kept as select 42 as answer')
    const pid = await postmasterPid()
    process.kill(pid, 'SIGKILL')
    await until(() => query(server, 'select 1').then(Boolean, () => false))
    expect(await postmasterPid()).not.toBe(pid)
    expect(await query(server, 'select answer from kept')).toEqual([42])
  })

  it('leaves nothing running when it is stopped while it starts', async () => {
    await plantSeed()
    const server = create()
    const starting = server.start().catch((error: unknown) => error)
    const pidFile = join(dataDir(), 'postgres', 'data', 'postmaster.pid')
    await until(() => stat(pidFile).then(Boolean, () => false))
    const pid = await postmasterPid()
    await server.stop()
    await starting
    await until(() => !isProcessAlive(pid))
    await create().start()
  })

  it('starts over what a killed first start has left', async () => {
    const home = join(dataDir(), 'postgres')
    await mkdir(join(home, 'data.draft-0123abcd', 'base'), { recursive: true })
    await writeFile(join(home, 'data.draft-0123abcd.password'), 'half')
    await chmod(home, 0o711)
    const server = create()
    await server.start()
    expect(await query(server, 'select 1')).toEqual([1])
    expect((await readdir(home)).filter((name) => name.includes('draft'))).toEqual([])
  })

  it('moves its socket to /tmp when the data folder has a long path, and removes it', async () => {
    const long = dataDir(`${'long-'.repeat(30)}path`)
    await mkdir(long, { mode: 0o711 })
    const server = create({ dataDir: long })
    await server.start()
    const { host } = server.connection
    expect(host).toMatch(/^\/tmp\/rota-/)
    expect((await stat(host)).mode & 0o777).toBe(0o700)
    expect(await query(server, 'select 1')).toEqual([1])
    await server.stop()
    await expect(stat(host)).rejects.toThrow('ENOENT')
  })

  it('says why it cannot start, with what the server said', async () => {
    await plantSeed()
    const server = create({ settings: { shared_buffers: 'plenty' } })
    const failure = await server.start().catch((error: unknown) => error)
    expect(failure).toBeInstanceOf(RotaError)
    expect(failure).toMatchObject({ reason: 'DATABASE_UNAVAILABLE' })
    expect(String(failure)).toContain('invalid value for parameter "shared_buffers": "plenty"')
    await create().start()
  })

  it('does not wait for a server that refuses the password', async () => {
    await plantSeed()
    await writeFile(join(dataDir(), 'postgres', 'password'), 'another\n')
    await expect(create().start()).rejects.toThrow('password authentication failed')
  })

  it.runIf(isRoot)('of root lies elsewhere when the data folder is closed to others', async () => {
    await chmod(dataDir(), 0o700)
    const first = create()
    await first.start()
    await query(first, 'create table kept as select 42 as answer')
    const location = JSON.parse(
      await readFile(join(dataDir(), 'postgres', 'location.json'), 'utf8'),
    )
    expect(location.folder.startsWith(`${systemFolder()}/`)).toBe(true)
    await first.stop()

    const second = create()
    await second.start()
    expect(await query(second, 'select answer from kept')).toEqual([42])
    await second.stop()

    await rm(location.folder, { recursive: true })
    await expect(create().start()).rejects.toThrow('the PostgreSQL data is gone')
  })

  it.runIf(isRoot)('of root falls back to a temporary folder', async () => {
    await chmod(dataDir(), 0o700)
    // A file in the way of a folder: not even root can write there.
    const inTheWay = join(folder, 'file')
    await writeFile(inTheWay, '')
    const server = create({ systemFolder: inTheWay })
    await server.start()
    const { folder: elsewhere } = JSON.parse(
      await readFile(join(dataDir(), 'postgres', 'location.json'), 'utf8'),
    )
    expect(await query(server, 'select 1')).toEqual([1])
    await server.stop()
    await rm(elsewhere, { recursive: true })
  })
})

describe('the binaries of the package', () => {
  const source = () => join(folder, 'package', 'native')

  beforeEach(async () => {
    for (const path of ['bin', 'lib', 'share/postgresql']) {
      await mkdir(join(source(), path), { recursive: true })
    }
    await writeFile(join(source(), 'bin/postgres'), 'program', { mode: 0o700 })
    await writeFile(join(source(), 'bin/initdb'), 'program', { mode: 0o700 })
    await writeFile(join(source(), 'lib/libpq.so.5.18'), 'library', { mode: 0o600 })
    await writeFile(join(source(), 'share/postgresql/postgres.bki'), 'catalogue', { mode: 0o600 })
    const links = [{ source: 'native/lib/libpq.so.5.18', target: 'native/lib/libpq.so.5' }]
    await writeFile(join(source(), 'pg-symlinks.json'), JSON.stringify(links))
  })

  const copy = () =>
    copyBinaries({ version: '1.2.3', folder: source() }, folder, {
      clock: systemClock,
      random: systemRandom,
    })

  it('get the links that npm did not make', async () => {
    expect(await completeLinks(source())).toBe(true)
    expect(await readFile(join(source(), 'lib/libpq.so.5'), 'utf8')).toBe('library')
    expect(await completeLinks(source())).toBe(true)
  })

  it('are copied whole, for every user to run', async () => {
    const place = await copy()
    expect(place).toBe(join(folder, 'postgresql-1.2.3'))
    expect(await readFile(join(place, 'lib/libpq.so.5'), 'utf8')).toBe('library')
    expect((await stat(place)).mode & 0o777).toBe(0o755)
    expect((await stat(join(place, 'bin/postgres'))).mode & 0o777).toBe(0o755)
    expect((await stat(join(place, 'lib/libpq.so.5.18'))).mode & 0o777).toBe(0o644)
  })

  it('are copied once, also by two at once', async () => {
    const [one, two] = await Promise.all([copy(), copy()])
    expect(one).toBe(two)
    const { ino } = await stat(one)
    expect((await stat(await copy())).ino).toBe(ino)
    expect((await readdir(folder)).filter((name) => name.startsWith('.rota'))).toEqual([])
  })

  it('are copied again over a copy that is not whole', async () => {
    const place = await copy()
    await writeFile(join(place, 'bin/postgres'), '')
    await copy()
    expect(await readFile(join(place, 'bin/postgres'), 'utf8')).toBe('program')
  })
})
