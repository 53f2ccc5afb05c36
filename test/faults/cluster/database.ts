/** The PostgreSQL of a cluster under test: one server, or a primary with a standby. */
import { join } from 'node:path'
import { Client } from 'pg'
import { createPostgresServer, type PostgresServer } from '../../support/postgres-server.ts'
import {
  type ReplicatedPostgres,
  startReplicatedPostgres,
} from '../../support/replicated-postgres.ts'
import type { ClusterShape } from './shape.ts'
import { mountSmallDisk } from './small-disk.ts'

export type Query = <Row extends object>(sql: string, values?: readonly unknown[]) => Promise<Row[]>

export interface DatabaseUnderTest {
  /** All that DATABASE_URL names. */
  readonly servers: readonly PostgresServer[]
  /** Undefined: there is one server only. */
  readonly pair: ReplicatedPostgres | undefined
  /** Where the truth is now. */
  primary(): PostgresServer
  /** From now on the standby is the primary. */
  promoteStandby(): Promise<void>
  /** Straight to the primary, not through any proxy; a connection of its own, whatever happened to the one before. */
  query: Query
  /** Several queries that see one moment. */
  snapshot<T>(read: (query: Query) => Promise<T>): Promise<T>
  remove(): Promise<void>
}

const SMALL_DISK_BYTES = 400 * 1024 * 1024

export async function startDatabase(
  { postgres }: ClusterShape,
  folder: string,
): Promise<DatabaseUnderTest> {
  switch (postgres) {
    case 'synchronous':
    case 'asynchronous': {
      const pair = await startReplicatedPostgres({ isSynchronous: postgres === 'synchronous' })
      return databaseOf([pair.primary, pair.standby], pair)
    }
    case 'small_disk':
      await mountSmallDisk(folder, SMALL_DISK_BYTES)
      return databaseOf([await startSingle(folder, { max_wal_size: '64MB' })], undefined)
    case 'single':
      return databaseOf([await startSingle(folder, {})], undefined)
  }
}

async function startSingle(
  folder: string,
  settings: Readonly<Record<string, string>>,
): Promise<PostgresServer> {
  const server = await createPostgresServer({
    name: 'postgres',
    folder: join(folder, 'server'),
    settings: { fsync: 'on', max_connections: '100', ...settings },
  })
  await server.start()
  return server
}

function databaseOf(
  servers: readonly PostgresServer[],
  pair: ReplicatedPostgres | undefined,
): DatabaseUnderTest {
  let [primary] = servers
  const current = () => {
    if (primary === undefined) throw new Error('there is no PostgreSQL')
    return primary
  }
  return {
    servers,
    pair,
    primary: current,
    async promoteStandby() {
      await pair?.standby.promote()
      primary = pair?.standby
    },
    query: (sql, values) => withClient(current(), (query) => query(sql, values)),
    snapshot: (read) =>
      withClient(current(), async (query) => {
        await query('begin isolation level repeatable read read only')
        return read(query)
      }),
    async remove() {
      await pair?.remove()
    },
  }
}

async function withClient<T>(
  { connection }: PostgresServer,
  use: (query: Query) => Promise<T>,
): Promise<T> {
  const client = new Client({
    ...connection,
    connectionTimeoutMillis: 5_000,
    query_timeout: 10_000,
  })
  client.on('error', () => {})
  await client.connect()
  try {
    return await use(async <Row extends object>(sql: string, values: readonly unknown[] = []) => {
      const { rows } = await client.query<Row>(sql, [...values])
      return rows
    })
  } finally {
    await client.end()
  }
}
