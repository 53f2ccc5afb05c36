/** The one PostgreSQL server of a scenario: the same binaries and settings for all, a database for each. */
import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import { Client } from 'pg'
import { createEmbeddedPostgres } from '../../coordinator/store/embedded/embedded-postgres.ts'
import type { PostgresConnection } from '../../coordinator/store/embedded/readiness.ts'
import { systemClock as clock } from '../../shared/clock.ts'
import { createLogger } from '../../shared/logger.ts'
import { readProcessStat } from '../../shared/process-stat.ts'
import { systemRandom as random } from '../../shared/random.ts'
import { connectionUrl } from '../../test/support/postgres.ts'
import type { Stage } from '../stage.ts'

/** Durable, and large enough that no checkpoint falls into one run and not into another. */
const SETTINGS = {
  fsync: 'on',
  synchronous_commit: 'on',
  full_page_writes: 'on',
  max_connections: '120',
  shared_buffers: '256MB',
  max_wal_size: '2GB',
}

const SHOWN = [
  'server_version',
  'fsync',
  'synchronous_commit',
  'full_page_writes',
  'shared_buffers',
  'max_wal_size',
  'wal_sync_method',
  'shared_preload_libraries',
]

export interface BenchPostgres {
  /** A new empty database, dropped first when it is there. */
  createDatabase(name: string): Promise<BenchDatabase>
  /** Of its first process. */
  readonly pid: number
  /** Version and settings, as the server itself says them. */
  readonly facts: Readonly<Record<string, string>>
}

export interface BenchDatabase {
  readonly connection: PostgresConnection
  readonly url: string
  query<Row extends object>(sql: string, values?: readonly unknown[]): Promise<Row[]>
}

/** For scenarios that ask what statements cost. */
export const WITH_STATEMENTS = { shared_preload_libraries: 'pg_stat_statements' }

/** Stopped with the stage. `settings` go over those of every scenario. */
export async function startPostgres(
  stage: Stage,
  settings: Readonly<Record<string, string>> = {},
): Promise<BenchPostgres> {
  const dataDir = join(stage.folder, 'postgres')
  await mkdir(dataDir, { mode: 0o711 })
  const logger = createLogger({ name: 'bench', level: 'error' })
  const isProfiled = stage.profileFolder !== undefined
  const all: Readonly<Record<string, string>> = {
    ...SETTINGS,
    ...settings,
    ...(isProfiled ? WITH_STATEMENTS : {}),
  }
  const server = createEmbeddedPostgres({ dataDir, clock, random, logger, settings: all })
  stage.onEnd(() => server.stop())
  await server.start()
  const admin = await connect(stage, { ...server.connection, database: 'postgres' })
  const { rows } = await admin.query<{ name: string; setting: string }>(
    `select name, current_setting(name) as setting from pg_settings where name = any ($1)`,
    [SHOWN],
  )
  const [backend] = (await admin.query<{ pid: number }>('select pg_backend_pid() as pid')).rows
  return {
    pid: Number(readProcessStat(backend?.pid ?? 0)[1]),
    facts: Object.fromEntries(rows.map(({ name, setting }) => [`postgres ${name}`, setting])),
    async createDatabase(name) {
      await admin.query(`drop database if exists ${name} with (force)`)
      await admin.query(`create database ${name}`)
      const connection = { ...server.connection, database: name }
      const client = await connect(stage, connection)
      if (all['shared_preload_libraries'] !== undefined) {
        await client.query('create extension if not exists pg_stat_statements')
      }
      return {
        connection,
        url: connectionUrl(connection),
        async query<Row extends object>(sql: string, values: readonly unknown[] = []) {
          return (await client.query<Row>(sql, [...values])).rows
        },
      }
    },
  }
}

async function connect(stage: Stage, connection: PostgresConnection): Promise<Client> {
  const client = new Client({ ...connection })
  // A database that is dropped under it, or a server that stops.
  client.on('error', () => {})
  await client.connect()
  stage.onEnd(() => client.end())
  return client
}
