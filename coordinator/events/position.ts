/**
 * Where a reader of the events is, and the token that says so to a client. Events are ordered by the transaction that
 * wrote them, then by id. Pure.
 */
import { decodePageToken, encodePageToken } from '../query/page-token.ts'

/** Behind this event. */
export interface Position {
  /** Of the transaction that wrote it: 64 bits, as text. */
  readonly transactionId: string
  /** 0: there was no event yet, and the position is before all of this transaction and later ones. */
  readonly id: number
  /** A database that went back may give the same ids again, but not at the same millisecond. */
  readonly happenedAt: Date
  /** Of several events in one row: only so many of them are before. Undefined: all. */
  readonly place?: number | undefined
}

export function isSamePosition(a: Position | undefined, b: Position | undefined): boolean {
  if (a === undefined || b === undefined) return false
  return a.id === b.id && a.transactionId === b.transactionId && a.place === b.place
}

const KIND = { kind: 'events' }

export function encodeResumeToken({ transactionId, id, happenedAt, place }: Position): string {
  const keys = [transactionId, id, happenedAt.getTime()]
  return encodePageToken(place === undefined ? keys : [...keys, place], KIND)
}

/** Undefined when it is damaged, or no token of the stream. */
export function decodeResumeToken(token: string): Position | undefined {
  const [transactionId, id, timeMs, place] = decodePageToken(token, KIND) ?? []
  if (typeof transactionId !== 'string' || !/^\d{1,19}$/.test(transactionId)) return undefined
  if (!isWithin(id, Number.MAX_SAFE_INTEGER) || !isWithin(timeMs, TIME_MS_MAX)) return undefined
  const position = { transactionId, id, happenedAt: new Date(timeMs) }
  if (place === undefined) return position
  return isWithin(place, PLACE_MAX) ? { ...position, place } : undefined
}

/** What an integer of the database holds. */
const PLACE_MAX = 2 ** 31 - 1
/** The last time that has four digits for its year. */
const TIME_MS_MAX = Date.parse('9999-12-31T23:59:59.999Z')

/** Tokens are no secret, so anything may stand in one. */
function isWithin(value: unknown, max: number): value is number {
  return typeof value === 'number' && Number.isInteger(value) && value >= 0 && value <= max
}
