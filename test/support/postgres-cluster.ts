import { Client } from 'pg'
import { openDatabase } from '../../coordinator/store/database.ts'
import {
  createEmbeddedPostgres,
  type EmbeddedPostgres,
} from '../../coordinator/store/embedded/embedded-postgres.ts'
import { migrateToLatest } from '../../coordinator/store/migrate.ts'
import { systemClock } from '../../shared/clock.ts'
import { createLogger } from '../../shared/logger.ts'
import { systemRandom } from '../../shared/random.ts'
import { makeTemporaryFolder } from './temporary-folder.ts'

/** One PostgreSQL for a whole test run, with the migrated database that tests clone. */
export interface PostgresCluster {
  /** Its `database` is the migrated one: a template that accepts no connections. */
  readonly connection: EmbeddedPostgres['connection']
  stop(): Promise<void>
}

/** Data that nobody keeps needs no disk that can be trusted. */
const SETTINGS = {
  fsync: 'off',
  synchronous_commit: 'off',
  full_page_writes: 'off',
  max_connections: '150',
}

export async function startPostgresCluster(): Promise<PostgresCluster> {
  const folder = await makeTemporaryFolder()
  const postgres = createEmbeddedPostgres({
    dataDir: folder.path,
    clock: systemClock,
    random: systemRandom,
    logger: createLogger({ name: 'test-postgres', level: 'error' }),
    settings: SETTINGS,
  })
  const stop = async () => {
    await postgres.stop()
    await folder.remove()
  }
  try {
    await postgres.start()
    const { connection } = postgres
    await makeTemplate(connection)
    return { connection, stop }
  } catch (error) {
    await stop()
    throw error
  }
}

async function makeTemplate(connection: EmbeddedPostgres['connection']): Promise<void> {
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
