import { join } from 'node:path'
import { Client } from 'pg'
import { openDatabase } from '../../coordinator/store/database.ts'
import type { PostgresConnection } from '../../coordinator/store/embedded/readiness.ts'
import { migrateToLatest } from '../../coordinator/store/migrate.ts'
import { createLogger } from '../../shared/logger.ts'
import { createPostgresServer, FRESH_DATA } from './postgres-server.ts'
import { makeTemporaryFolder } from './temporary-folder.ts'

/** One PostgreSQL for a whole test run, with the migrated database that tests clone. */
export interface PostgresCluster {
  /** Its `database` is the migrated one: a template that accepts no connections. */
  readonly connection: PostgresConnection
  stop(): Promise<void>
}

/** Data that nobody keeps needs no disk that can be trusted. */
const SETTINGS = {
  synchronous_commit: 'off',
  full_page_writes: 'off',
  max_connections: '150',
}

/** Also sets up the data that all other servers of the run begin with. */
export async function startPostgresCluster(): Promise<PostgresCluster> {
  const temporary = await makeTemporaryFolder()
  const folderOf = (name: string) => join(temporary.path, name)
  try {
    const fresh = await createPostgresServer({ name: 'fresh', folder: folderOf('fresh') })
    process.env[FRESH_DATA] = fresh.place.data
    const options = { name: 'shared', folder: folderOf('shared'), settings: SETTINGS }
    const server = await createPostgresServer(options)
    await server.start()
    const connection = { ...server.connection, host: server.place.socketFolder }
    await makeTemplate(connection)
    return { connection, stop: temporary.remove }
  } catch (error) {
    await temporary.remove()
    throw error
  }
}

async function makeTemplate(connection: PostgresConnection): Promise<void> {
  const logger = createLogger({ name: 'test-template', level: 'error' })
  const db = openDatabase({ connection, logger, poolSize: 1 })
  try {
    await migrateToLatest(db)
  } finally {
    await db.destroy()
  }
  const client = new Client({ ...connection, database: 'postgres' })
  await client.connect()
  try {
    const name = client.escapeIdentifier(connection.database)
    await client.query(`alter database ${name} is_template true allow_connections false`)
  } finally {
    await client.end()
  }
}
