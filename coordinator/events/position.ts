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
}

export function isSamePosition(a: Position | undefined, b: Position | undefined): boolean {
  return a !== undefined && a.id === b?.id && a.transactionId === b.transactionId
}

const KIND = { kind: 'events' }

export function encodeResumeToken({ transactionId, id, happenedAt }: Position): string {
  return encodePageToken([transactionId, id, happenedAt.getTime()], KIND)
}

/** Undefined when it is damaged, or no token of the stream. */
export function decodeResumeToken(token: string): Position | undefined {
  const [transactionId, id, timeMs] = decodePageToken(token, KIND) ?? []
  if (typeof transactionId !== 'string' || !/^\d{1,19}$/.test(transactionId)) return undefined
  if (!isWithin(id, Number.MAX_SAFE_INTEGER) || !isWithin(timeMs, TIME_MS_MAX)) return undefined
  return { transactionId, id, happenedAt: new Date(timeMs) }
}

/** The last time that has four digits for its year. */
const TIME_MS_MAX = Date.parse('9999-12-31T23:59:59.999Z')

/** Tokens are no secret, so anything may stand in one. */
function isWithin(value: unknown, max: number): value is number {
  return typeof value === 'number' && Number.isInteger(value) && value >= 0 && value <= max
}
