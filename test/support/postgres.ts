import { randomBytes } from 'node:crypto'
import { Client } from 'pg'
import { inject } from 'vitest'
import type { PostgresConnection } from '../../coordinator/store/embedded/readiness.ts'

export interface TestDatabase {
  readonly connection: PostgresConnection
  /** The same as a URL, for `DATABASE_URL`. */
  readonly connectionString: string
  /** For all coordinators on it. */
  readonly clusterKey: string
  /** Cuts what is still connected and removes the database. */
  drop(): Promise<void>
}

/** An empty database with all migrations applied, a clone of the run's template; one per test file. */
export async function createTestDatabase(): Promise<TestDatabase> {
  const template = inject('postgres')
  const database = `test_${randomBytes(6).toString('hex')}`
  await runAsAdmin(template, `create database ${database} template ${template.database}`)
  const connection = { ...template, database }
  return {
    connection,
    connectionString: connectionUrl(connection),
    clusterKey: randomBytes(32).toString('hex'),
    drop: () => runAsAdmin(template, `drop database if exists ${database} with (force)`),
  }
}

/** A server behind a Unix socket has no host in its URL; the folder of the socket is a parameter. */
export function connectionUrl({
  host,
  port,
  user,
  password,
  database,
}: PostgresConnection): string {
  const parameters = new URLSearchParams({ host, port: String(port) })
  return `postgresql://${user}:${encodeURIComponent(password)}@/${database}?${parameters}`
}

async function runAsAdmin(connection: PostgresConnection, statement: string): Promise<void> {
  const client = new Client({ ...connection, database: 'postgres' })
  await client.connect()
  try {
    await client.query(statement)
  } finally {
    await client.end()
  }
}
