/**
 * A pool and Kysely over it.
 *
 * D1. No query waits for ever: connect, query, lock and idle-in-transaction are bounded on both sides.
 * D3. A backend that dies while nobody listens is logged, it never ends the process.
 * D4. COMMIT of an aborted transaction is an error (kysely >= 0.29.8 checks the command tag).
 *
 * D2 and D5 to D8 are about single clients (postgres-client.ts).
 */
import { Kysely, PostgresDialect, type PostgresPool, type Transaction } from 'kysely'
import pg from 'pg'
import type { Logger } from '../../shared/logger.ts'
import { type ClientHooks, HardenedClient } from './postgres-client.ts'
import type { Tables } from './tables.ts'

export type Database = Kysely<Tables>
/** What a query takes: the database itself, or the transaction that a step opened. */
export type Db = Kysely<Tables> | Transaction<Tables>

/** API calls are answered within 2 s: what one of them may wait for at a time is shorter. */
const CONNECT_TIMEOUT_MS = 1_500
const LOCK_TIMEOUT_MS = 1_500
const QUERY_TIMEOUT_MS = 10_000
const IDLE_IN_TRANSACTION_TIMEOUT_MS = 5_000
/** Long enough that a lull does not cost the prepared statements of all. */
const IDLE_MS = 60_000
const CLIENT_LIFETIME_S = 1_800
const POOL_SIZE = 20

export interface DatabaseOptions {
  /** A URL, or the parts of one. */
  readonly connection: string | Readonly<pg.ClientConfig>
  readonly logger: Logger
  /** Connections at most. Default 20. */
  readonly poolSize?: number
}

const INT8_OID = 20

/** int8 as a number: our ids, epochs and counts stay below 2^53, which is checked. */
const typeParsers = {
  getTypeParser(oid: number, format?: 'text' | 'binary') {
    if (oid === INT8_OID && format !== 'binary') return parseInt8
    return pg.types.getTypeParser(oid, format)
  },
}

function parseInt8(text: string): number {
  const value = Number(text)
  if (!Number.isSafeInteger(value)) throw new RangeError(`int8 ${text} is beyond 2^53`)
  return value
}

/** A database on one server, for as long as that server lives; a coordinator uses `openPrimary`. */
export function openDatabase({ connection, logger, poolSize }: DatabaseOptions): Database {
  const config = typeof connection === 'string' ? { connectionString: connection } : connection
  const onError = (error: Error) => logger.warn({ err: error }, 'a database connection broke')
  return overPool(
    createPool({ ...config, ...(poolSize === undefined ? {} : { max: poolSize }) }, onError),
  )
}

/** Kysely over something that gives out clients. */
export function overPool(pool: Pick<PostgresPool, 'connect' | 'end'>): Database {
  return new Kysely<Tables>({ dialect: new PostgresDialect({ pool: pool as PostgresPool }) })
}

export interface PoolConfig extends pg.ClientConfig {
  readonly max?: number
  readonly hooks?: ClientHooks
  /** Of PostgreSQL, for each of its sessions. */
  readonly settings?: Readonly<Record<string, string>>
  /** Called with every new client; one for which it rejects is not used. */
  readonly verify?: (client: pg.ClientBase) => Promise<void>
}

export function createPool(
  { settings = {}, verify, ...config }: PoolConfig,
  onError: (error: Error) => void,
): pg.Pool {
  const prepare = async (client: pg.ClientBase) => {
    await verify?.(client)
    const names = Object.entries(settings)
    // One statement, and no startup options: poolers between us and the server refuse those.
    if (names.length > 0)
      await client.query(names.map(([name, to]) => `set ${name} = ${to}`).join(';'))
  }
  const pool = new pg.Pool({
    max: POOL_SIZE,
    idleTimeoutMillis: IDLE_MS,
    ...clientSettings,
    query_timeout: QUERY_TIMEOUT_MS,
    statement_timeout: QUERY_TIMEOUT_MS,
    maxLifetimeSeconds: CLIENT_LIFETIME_S,
    ...config,
    // eslint-disable-next-line @typescript-eslint/no-misused-promises -- the pool waits for it, though its types do not say so
    onConnect: prepare,
    Client: HardenedClient as unknown as typeof pg.Client,
  })
  pool.on('error', onError)
  pool.on('connect', (client) => client.on('error', onError))
  return pool
}

/** What every client of ours has, pooled or not. */
export const clientSettings = {
  types: typeParsers,
  application_name: 'rota',
  connectionTimeoutMillis: CONNECT_TIMEOUT_MS,
  lock_timeout: LOCK_TIMEOUT_MS,
  idle_in_transaction_session_timeout: IDLE_IN_TRANSACTION_TIMEOUT_MS,
  keepAlive: true,
  // D8.
  pipeline: true,
} as const satisfies pg.ClientConfig
