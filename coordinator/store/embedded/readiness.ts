/** Asks an embedded server whether it serves, and makes the database on first use. */
import { Client, DatabaseError } from 'pg'

/** What `pg` needs to connect. */
export interface PostgresConnection {
  /** Folder of the Unix socket. */
  readonly host: string
  readonly port: number
  readonly user: string
  readonly password: string
  readonly database: string
}

/** What a server answers when asked whether it serves. */
export type Readiness =
  | { readonly outcome: 'ready' }
  /** It may be starting, recovering or stopping. */
  | { readonly outcome: 'not_yet'; readonly why: string }
  | { readonly outcome: 'refused'; readonly why: string }

const CONNECT_TIMEOUT_MS = 2_000
const QUERY_TIMEOUT_MS = 10_000

/** https://www.postgresql.org/docs/18/errcodes-appendix.html */
const INVALID_PASSWORD = '28P01'

/** One try, at most 12 s; `ready` means that `connection.database` exists. */
export async function askReadiness(connection: PostgresConnection): Promise<Readiness> {
  const client = new Client({
    ...connection,
    database: 'postgres',
    connectionTimeoutMillis: CONNECT_TIMEOUT_MS,
    query_timeout: QUERY_TIMEOUT_MS,
  })
  // A server that goes away emits this besides rejecting the call.
  client.on('error', () => {})
  try {
    await client.connect()
    await ensureDatabase(client, connection.database)
    return { outcome: 'ready' }
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error)
    const isRefused = error instanceof DatabaseError && error.code === INVALID_PASSWORD
    return { outcome: isRefused ? 'refused' : 'not_yet', why }
  } finally {
    await client.end().catch(() => {})
  }
}

async function ensureDatabase(client: Client, database: string): Promise<void> {
  const { rowCount } = await client.query('select from pg_database where datname = $1', [database])
  if (rowCount === 0) await client.query(`create database ${client.escapeIdentifier(database)}`)
}
