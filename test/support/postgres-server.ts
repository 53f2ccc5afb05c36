/** One PostgreSQL server that a test starts, kills, freezes and promotes; it listens on 127.0.0.1. */
import { execFile } from 'node:child_process'
import { mkdir, readdir } from 'node:fs/promises'
import { createServer } from 'node:net'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { Client } from 'pg'
import { initialise, SUPERUSER } from '../../coordinator/store/embedded/initialise.ts'
import { type Place, preparePlace } from '../../coordinator/store/embedded/place.ts'
import { findPostmaster, launchPostmaster } from '../../coordinator/store/embedded/postmaster.ts'
import type { PostgresConnection } from '../../coordinator/store/embedded/readiness.ts'
import { openServerLog } from '../../coordinator/store/embedded/server-log.ts'
import { settingsArguments } from '../../coordinator/store/embedded/settings.ts'
import { systemClock as clock } from '../../shared/clock.ts'
import { isProcessAlive } from '../../shared/lock-file.ts'
import { createLogger } from '../../shared/logger.ts'
import { readProcessStat } from '../../shared/process-stat.ts'
import { systemRandom as random } from '../../shared/random.ts'
import { until } from './until.ts'

export const PASSWORD = 'test-password'

export interface PostgresServer {
  readonly name: string
  readonly port: number
  /** Over TCP. */
  readonly connection: PostgresConnection
  /** The folder that PostgreSQL calls PGDATA, and who owns it. */
  readonly place: Place
  /** Launches it and waits until it answers; `settings` go on from the last start. */
  start(settings?: Readonly<Record<string, string>>): Promise<void>
  isRunning(): Promise<boolean>
  /** In order, as an operator does. */
  stop(): Promise<void>
  /** Every process at once, like a loss of power. */
  kill(): Promise<void>
  /** Only the first process, like an out-of-memory kill; the others end by themselves. */
  killPostmaster(): Promise<void>
  /** SIGSTOP to every process: connections stay open and nothing answers. */
  freeze(): Promise<void>
  thaw(): Promise<void>
  /** A standby becomes a primary, on a new timeline. */
  promote(): Promise<void>
  /** One statement on a connection of its own to the database `rota`. */
  query<Row>(text: string, values?: readonly unknown[]): Promise<Row[]>
  /** The same in the database `postgres`, which is always there. */
  maintain<Row>(text: string): Promise<Row[]>
}

export interface PostgresServerOptions {
  readonly name: string
  /** Made when missing. */
  readonly folder: string
  readonly settings?: Readonly<Record<string, string>>
}

const START_MS = 30_000

/** In the environment: data that servers begin with, as it takes longer to set up some than to copy it. */
export const FRESH_DATA = 'TEST_POSTGRES_FRESH_DATA'

/** A server with an empty database `rota`, not started. Its folder must be one of `makeTemporaryFolder`. */
export async function createPostgresServer(
  options: PostgresServerOptions,
): Promise<PostgresServer> {
  const { name, folder } = options
  const place = await prepare(folder)
  const server = serverAt(place, options, { name, folder, port: await findFreePort() })
  const fresh = process.env[FRESH_DATA]
  if (fresh !== undefined) {
    await copyData(fresh, place)
    return server
  }
  await initialise(place, { password: PASSWORD, random, isDurable: false })
  await server.start()
  await server.maintain('create database rota')
  await server.stop()
  return server
}

/** A server whose data is a copy of `source`, which is stopped; both then are the same cluster. */
export async function copyPostgresServer(
  source: PostgresServer,
  options: PostgresServerOptions,
): Promise<PostgresServer> {
  const { name, folder } = options
  const place = await prepare(folder)
  await copyData(source.place.data, place)
  return serverAt(place, options, { name, folder, port: await findFreePort() })
}

async function copyData(from: string, { data }: Place): Promise<void> {
  await promisify(execFile)('cp', ['-a', from, data])
}

async function prepare(folder: string): Promise<Place> {
  await mkdir(folder, { recursive: true, mode: 0o711 })
  const logger = createLogger({ name: 'test-postgres', level: 'error' })
  const systemFolder = '/var/lib/rota'
  return preparePlace({ home: folder, systemFolder, clock, random, logger })
}

interface Address {
  readonly name: string
  readonly folder: string
  readonly port: number
}

function serverAt(
  place: Place,
  options: PostgresServerOptions,
  { name, folder, port }: Address,
): PostgresServer {
  const base = { host: '127.0.0.1', port, user: SUPERUSER, password: PASSWORD }
  let settings: Readonly<Record<string, string>> = {
    fsync: 'off',
    listen_addresses: '127.0.0.1',
    port: String(port),
    ...options.settings,
  }
  const processes = async (): Promise<number[]> => {
    const postmaster = await findPostmaster(place.data)
    return postmaster === undefined ? [] : [postmaster, ...(await childrenOf(postmaster))]
  }
  const end = async (signal: NodeJS.Signals, wanted: (pids: number[]) => number[]) => {
    const pids = await processes()
    send(wanted(pids), signal)
    await until(`${name} has ended`, () => !pids.some(isProcessAlive), START_MS)
  }
  const query = <Row>(text: string, values: readonly unknown[] = []) =>
    ask<Row>({ ...base, database: 'rota' }, text, values)
  const maintain = <Row>(text: string) => ask<Row>({ ...base, database: 'postgres' }, text, [])
  return {
    name,
    port,
    place,
    connection: { ...base, database: 'rota' },
    query,
    maintain,
    async start(changes = {}) {
      settings = { ...settings, ...changes }
      const log = await openServerLog(join(folder, 'server.log'), place.user)
      const launched = launchPostmaster(
        place,
        settingsArguments(settings, place.socketFolder),
        log.fd,
      )
      await log.close()
      await until(
        `${name} answers`,
        () => {
          if (launched.ended() !== undefined) throw new Error(`${name}: ${launched.ended()}`)
          return maintain('select 1').catch(() => undefined)
        },
        START_MS,
      )
    },
    isRunning: async () => (await processes()).length > 0,
    stop: () => end('SIGINT', (pids) => pids.slice(0, 1)),
    kill: () => end('SIGKILL', (pids) => pids),
    killPostmaster: () => end('SIGKILL', (pids) => pids.slice(0, 1)),
    freeze: async () => send(await processes(), 'SIGSTOP'),
    thaw: async () => send(await processes(), 'SIGCONT'),
    async promote() {
      await maintain('select pg_promote(true, 20)')
    },
  }
}

async function ask<Row>(
  connection: PostgresConnection,
  text: string,
  values: readonly unknown[],
): Promise<Row[]> {
  const client = new Client({ ...connection, connectionTimeoutMillis: 5_000 })
  client.on('error', () => {})
  try {
    await client.connect()
    return (await client.query(text, [...values])).rows as Row[]
  } finally {
    await client.end()
  }
}

async function childrenOf(parent: number): Promise<number[]> {
  const pids = (await readdir('/proc')).map(Number).filter((pid) => pid > 1)
  return pids.filter((pid) => Number(readProcessStat(pid)[1]) === parent)
}

function send(pids: readonly number[], signal: NodeJS.Signals): void {
  for (const pid of pids) {
    try {
      process.kill(pid, signal)
    } catch (error) {
      // It has just ended.
      if (!(error instanceof Error && 'code' in error && error.code === 'ESRCH')) throw error
    }
  }
}

/** A TCP port of 127.0.0.1 that nobody has; whoever wants it takes it at once. */
export async function findFreePort(): Promise<number> {
  const server = createServer()
  return new Promise((resolve, reject) => {
    server.once('error', reject)
    server.listen(0, '127.0.0.1', () => {
      const address = server.address()
      server.close(() =>
        resolve(typeof address === 'object' && address !== null ? address.port : 0),
      )
    })
  })
}
