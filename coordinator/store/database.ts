/**
 * The pool and Kysely over it, hardened against what the driver does by default
 * (evidence: node-postgres #2973, #3399; kysely before 0.29.8).
 *
 * D1. No query waits for ever: connect, query, lock and idle-in-transaction are bounded on both sides.
 * D2. A client whose query timed out is destroyed, never pooled again: its next answer would be the old one.
 * D3. A backend that dies while nobody listens is logged, it never ends the process.
 * D4. COMMIT of an aborted transaction is an error (kysely >= 0.29.8 checks the command tag).
 * D5. A statement that begins with a comment is prepared under its text, so hot statements are planned once.
 */
import { Kysely, PostgresDialect, type Transaction } from 'kysely'
import pg from 'pg'
import type { Logger } from '../../shared/logger.ts'
import type { Tables } from './tables.ts'

export type Database = Kysely<Tables>
/** What a query takes: the database itself, or the transaction that a step opened. */
export type Db = Kysely<Tables> | Transaction<Tables>

const CONNECT_TIMEOUT_MS = 2_000
const QUERY_TIMEOUT_MS = 10_000
const LOCK_TIMEOUT_MS = 2_000
const IDLE_IN_TRANSACTION_TIMEOUT_MS = 5_000
const CLIENT_LIFETIME_S = 1_800

export interface DatabaseOptions {
  /** A URL, or the parts of one. */
  readonly connection: string | Readonly<pg.ClientConfig>
  readonly logger: Logger
  /** Connections at most. Default 10. */
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

export function openDatabase(options: DatabaseOptions): Database {
  const { connection, logger } = options
  const pool = new pg.Pool({
    ...(typeof connection === 'string' ? { connectionString: connection } : connection),
    Client: HardenedClient,
    types: typeParsers,
    application_name: 'rota',
    max: options.poolSize ?? 10,
    connectionTimeoutMillis: CONNECT_TIMEOUT_MS,
    query_timeout: QUERY_TIMEOUT_MS,
    statement_timeout: QUERY_TIMEOUT_MS,
    lock_timeout: LOCK_TIMEOUT_MS,
    idle_in_transaction_session_timeout: IDLE_IN_TRANSACTION_TIMEOUT_MS,
    keepAlive: true,
    maxLifetimeSeconds: CLIENT_LIFETIME_S,
  })
  const onError = (error: Error) => logger.warn({ err: error }, 'a database connection broke')
  pool.on('error', onError)
  pool.on('connect', (client) => client.on('error', onError))
  return new Kysely<Tables>({ dialect: new PostgresDialect({ pool }) })
}

/** `/* claimQueued *\/ ...`: the name under which a statement is prepared. */
const STATEMENT_NAME = /^\s*\/\* (\w+) \*\//

class HardenedClient extends pg.Client {
  readonly #names = new Map<string, string | undefined>()

  // eslint-disable-next-line @typescript-eslint/no-explicit-any -- the overloads of pg meet in one untyped function
  override query(...args: any[]): any {
    const [text, values] = args
    const name = typeof text === 'string' && Array.isArray(values) ? this.#nameOf(text) : undefined
    const result: unknown =
      name === undefined
        ? super.query(...(args as [string]))
        : super.query(...([{ name, text }, ...args.slice(1)] as unknown as [string]))
    if (result instanceof Promise) return result.catch((error: unknown) => this.#onFailure(error))
    return result
  }

  #nameOf(text: string): string | undefined {
    if (!text.includes('/*')) return undefined
    if (!this.#names.has(text)) this.#names.set(text, STATEMENT_NAME.exec(text)?.[1])
    return this.#names.get(text)
  }

  #onFailure(error: unknown): never {
    if (error instanceof Error && error.message === 'Query read timeout') {
      const { connection } = this as unknown as { connection: { stream: { destroy(): void } } }
      connection.stream.destroy()
      // The pool looks at this before the destroyed socket has said that it is closed.
      Reflect.set(this, '_queryable', false)
    }
    throw error
  }
}

/**
 * SQLSTATEs that say "not now": connection, resources, operator intervention, read-only after a promotion; a deadlock,
 * a lock or a statement that took too long.
 */
const UNAVAILABLE_STATES = /^(08|53|57P|25006|58|40|55P03|57014)/
const UNAVAILABLE_CODES = new Set([
  'ECONNREFUSED',
  'ECONNRESET',
  'ENOENT',
  'ETIMEDOUT',
  'EPIPE',
  'ENOTFOUND',
])
const UNAVAILABLE_MESSAGES =
  /Connection terminated|Query read timeout|timeout exceeded when trying to connect|is not queryable/

/** True when the statement may work later: PostgreSQL is away, restarting, or has no room. */
export function isDatabaseUnavailable(error: unknown): boolean {
  if (!(error instanceof Error)) return false
  const code: unknown = Reflect.get(error, 'code')
  if (typeof code === 'string' && (UNAVAILABLE_CODES.has(code) || UNAVAILABLE_STATES.test(code)))
    return true
  return UNAVAILABLE_MESSAGES.test(error.message)
}

/** SQLSTATEs of a connection that is refused for what it says: password, user, database, permission. */
const REFUSED_STATES = /^(28|3D|42501)/

/** True when there is no way in: nobody answers, or the user, password or database is wrong. */
export function isDatabaseRefusal(error: unknown): boolean {
  if (isDatabaseUnavailable(error)) return true
  const code: unknown = error instanceof Error ? Reflect.get(error, 'code') : undefined
  return typeof code === 'string' && REFUSED_STATES.test(code)
}

/** True when `constraint` refused a row. */
export function isUniqueViolation(error: unknown, constraint: string): boolean {
  return (
    error instanceof Error &&
    Reflect.get(error, 'code') === '23505' &&
    Reflect.get(error, 'constraint') === constraint
  )
}
