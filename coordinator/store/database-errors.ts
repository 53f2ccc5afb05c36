/** What an error of PostgreSQL, of its driver or of the connection to it means. */
import { RotaError } from '../../shared/errors/rota-error.ts'

/**
 * SQLSTATEs that say "not now": connection, resources, operator intervention, read-only after a promotion; a deadlock,
 * a lock or a statement that took too long.
 */
const UNAVAILABLE_STATES = /^(08|53|57P|25006|58|40|55P03|57014)/
/** Of these the ones that say that the server is away, refuses every write, or has no room. */
const TROUBLE_STATES = /^(08|53|57P|25006|58)/
const UNAVAILABLE_CODES = new Set([
  'EAI_AGAIN',
  'ECONNREFUSED',
  'ECONNRESET',
  'EHOSTUNREACH',
  'ENETUNREACH',
  'ENOENT',
  'ENOTFOUND',
  'EPIPE',
  'ETIMEDOUT',
])
const UNAVAILABLE_MESSAGES =
  /Connection terminated|Query read timeout|timeout exceeded when trying to connect|is not queryable/
/** The answer of a client whose query timed out; it must not be used again. */
export const READ_TIMEOUT = 'Query read timeout'

/** True when the statement may work later: PostgreSQL is away, restarting, or has no room. */
export function isDatabaseUnavailable(error: unknown): boolean {
  if (error instanceof RotaError) return error.reason === 'DATABASE_UNAVAILABLE'
  return isBroken(error) || UNAVAILABLE_STATES.test(sqlStateOf(error) ?? '')
}

/** True when what failed has certainly changed nothing. */
export function isUndone(error: unknown): boolean {
  return !isDatabaseUnavailable(error)
}

/** True when the fault is the server's or the network's, not the statement's. */
export function isServerTrouble(error: unknown): boolean {
  return isBroken(error) || TROUBLE_STATES.test(sqlStateOf(error) ?? '')
}

/** True when the server said itself that the statement has failed; else nobody knows what became of it. */
export function isAnswered(error: unknown): boolean {
  const state = sqlStateOf(error)
  return state !== undefined && !/^(08|57P)/.test(state)
}

/** SQLSTATEs of a connection that is refused for what it says: password, user, database, permission. */
const REFUSED_STATES = /^(28|3D|42501)/

/** True when there is no way in: nobody answers, or the user, password or database is wrong. */
export function isDatabaseRefusal(error: unknown): boolean {
  return isDatabaseUnavailable(error) || REFUSED_STATES.test(sqlStateOf(error) ?? '')
}

/** True when `constraint` refused a row. */
export function isUniqueViolation(error: unknown, constraint: string): boolean {
  return (
    error instanceof Error &&
    Reflect.get(error, 'code') === '23505' &&
    Reflect.get(error, 'constraint') === constraint
  )
}

/** The five characters that PostgreSQL gives an error; undefined when it did not come from a server. */
export function sqlStateOf(error: unknown): string | undefined {
  const code: unknown = error instanceof Error ? Reflect.get(error, 'code') : undefined
  const isState =
    typeof code === 'string' &&
    /^[0-9A-Z]{5}$/.test(code) &&
    Reflect.has(error as Error, 'severity')
  return isState ? code : undefined
}

function isBroken(error: unknown): boolean {
  if (!(error instanceof Error)) return false
  const code: unknown = Reflect.get(error, 'code')
  return (
    (typeof code === 'string' && UNAVAILABLE_CODES.has(code)) ||
    UNAVAILABLE_MESSAGES.test(error.message)
  )
}

/** What leaves the store when PostgreSQL is away; `isUnknown`: a change was under way, and may have been stored. */
export function unavailable(
  error: unknown,
  { isUnknown }: { readonly isUnknown: boolean },
): RotaError {
  if (!isUnknown) {
    return new RotaError('DATABASE_UNAVAILABLE', 'the database does not answer', { cause: error })
  }
  return new RotaError('DATABASE_UNAVAILABLE', 'the database went away before it answered', {
    hint: 'The change may have been stored, or not. Repeat it with the same request_id: then it is done once.',
    cause: error,
  })
}
