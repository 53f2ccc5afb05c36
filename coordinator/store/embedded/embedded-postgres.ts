/**
 * A real PostgreSQL of our own, for one coordinator on one host, with its data in the data folder.
 *
 * E1. The data folder is set up whole or not at all; a start after a crash at any point finds its data.
 * E2. One living coordinator per data folder.
 * E3. The server outlives a killed coordinator. The next one adopts it, and stops it at its own end.
 * E4. While started, a server that ends is started again.
 * E5. After `stop` resolves, no server of this data folder runs; one that cannot be stopped is logged.
 */
import { mkdir, readFile, realpath, rm } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { assert } from '../../../shared/assert.ts'
import type { Clock } from '../../../shared/clock.ts'
import { RotaError } from '../../../shared/errors/rota-error.ts'
import { takeLock } from '../../../shared/lock-file.ts'
import type { Logger } from '../../../shared/logger.ts'
import type { Random } from '../../../shared/random.ts'
import { replaceFile } from '../../../shared/replace-file.ts'
import type { Service } from '../../../shared/service.ts'
import { createGuard } from './guard.ts'
import { initialise, SUPERUSER } from './initialise.ts'
import { type Place, preparePlace, SYSTEM_FOLDER } from './place.ts'
import { stopPostmaster } from './postmaster.ts'
import type { PostgresConnection } from './readiness.ts'
import { ensureServing, type Server } from './serving.ts'
import type { ServerSettings } from './settings.ts'

/** A PostgreSQL that lives and ends with its coordinator. */
export interface EmbeddedPostgres extends Service {
  /** How to reach it; only while started. The user may do everything. */
  readonly connection: PostgresConnection
}

/** What an embedded server is made of. */
export interface EmbeddedPostgresOptions {
  /** Data folder of the coordinator; made when missing. */
  readonly dataDir: string
  readonly clock: Clock
  readonly random: Random
  readonly logger: Logger
  /** Server settings over ours, e.g. `fsync: 'off'` for a database that lives as long as a test. */
  readonly settings?: ServerSettings
  /** Where root keeps what its home folder hides from PostgreSQL. Default `/var/lib/rota`. */
  readonly systemFolder?: string
}

/** The server of `dataDir`. It starts and stops once: make another one to start again. */
export function createEmbeddedPostgres(options: EmbeddedPostgresOptions): EmbeddedPostgres {
  const ending = new AbortController()
  const cleanups: (() => Promise<void>)[] = []
  let connection: PostgresConnection | undefined
  let starting: Promise<void> | undefined
  let stopping: Promise<void> | undefined

  const open = async () => {
    const home = await prepareHome(options.dataDir)
    cleanups.push(lockHome(home))
    const server = await prepareServer(home, options)
    cleanups.push(() => stopServer(server, options))
    await ensureServing(server, { ...options, signal: ending.signal })
    const guard = createGuard(server, { ...options, signal: ending.signal })
    cleanups.push(() => guard.stop())
    await guard.start()
    connection = server.connection
  }
  const close = async () => {
    connection = undefined
    for (const cleanup of cleanups.splice(0).reverse()) await cleanup()
  }
  const openOrClose = async () => {
    try {
      await open()
    } catch (error) {
      await close()
      throw explain(error)
    }
  }
  const stop = async () => {
    ending.abort()
    await starting?.catch(() => {})
    await close()
  }
  return {
    get connection() {
      assert(connection !== undefined, 'the embedded PostgreSQL is not started')
      return connection
    },
    start() {
      starting ??= keepingAlive(openOrClose)
      return starting
    },
    stop() {
      stopping ??= keepingAlive(stop)
      return stopping
    },
  }
}

/** Files and processes that the system refuses us: a person can mend that. */
function explain(error: unknown): unknown {
  if (error instanceof RotaError || !(error instanceof Error && 'syscall' in error)) return error
  const message = `the embedded PostgreSQL cannot be prepared: ${error.message}`
  return new RotaError('DATABASE_UNAVAILABLE', message, {
    hint: 'Mend what the message names, or set DATABASE_URL to a PostgreSQL of your own.',
    cause: error,
  })
}

async function prepareHome(dataDir: string): Promise<string> {
  const home = join(dataDir, 'postgres')
  await mkdir(dataDir, { recursive: true, mode: 0o700 })
  // 0711: another user's server passes it on the way to its data.
  await mkdir(home, { recursive: true, mode: 0o711 })
  return realpath(home)
}

function lockHome(home: string): () => Promise<void> {
  const file = join(home, 'owner.lock')
  const lock = takeLock(file)
  if (lock.outcome === 'locked') return async () => lock.release()
  throw new RotaError(
    'DATABASE_UNAVAILABLE',
    `process ${lock.pid} uses the data folder ${dirname(home)}`,
    { hint: 'Stop it first, or choose another --data-dir.' },
  )
}

async function prepareServer(home: string, options: EmbeddedPostgresOptions): Promise<Server> {
  const { settings = {}, systemFolder = SYSTEM_FOLDER, random } = options
  const place = await preparePlace({ ...options, home, systemFolder })
  const passwordFile = join(home, 'password')
  const password = await readOrMakePassword(passwordFile, random)
  await initialise(place, { password, random, isDurable: settings['fsync'] !== 'off' })
  return {
    place,
    settings,
    passwordFile,
    logFile: join(home, 'server.log'),
    connection: {
      host: place.socketFolder,
      port: 5432,
      user: SUPERUSER,
      password,
      database: 'rota',
    },
  }
}

async function readOrMakePassword(file: string, random: Random): Promise<string> {
  const known = await readFile(file, 'utf8').catch(() => undefined)
  if (known !== undefined) return known.trim()
  const password = random.bytes(24).toString('base64url')
  await replaceFile(file, `${password}\n`)
  return password
}

async function stopServer({ place }: Server, options: EmbeddedPostgresOptions): Promise<void> {
  await stopPostmaster(place.data, options)
  if (!isBeside(place)) await rm(place.socketFolder, { recursive: true, force: true })
}

/** False for a socket folder in /tmp. */
function isBeside({ socketFolder, data }: Place): boolean {
  return dirname(socketFolder) === dirname(data)
}

/** Timers of Clock keep no process alive, but one that starts or stops a server must not end in the middle. */
async function keepingAlive(work: () => Promise<void>): Promise<void> {
  const { port1 } = new MessageChannel()
  port1.ref()
  try {
    await work()
  } finally {
    port1.close()
  }
}
