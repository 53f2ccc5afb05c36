import { createHash } from 'node:crypto'
import type { Clock } from './clock.ts'
import type { Random } from './random.ts'

/** Namespace of the ids of scheduled executions (UUIDv5, RFC 9562 section 5.5). */
const OCCURRENCE_NAMESPACE = Buffer.from('2f1ac4b09c4d4c52a6f3c2d0b53f7a11', 'hex')

/** Time-ordered id, UUIDv7 (RFC 9562 section 5.7). */
export function newId(clock: Clock, random: Random): string {
  const bytes = random.bytes(16)
  bytes.writeUIntBE(clock.now().getTime(), 0, 6)
  return format(bytes, 7)
}

/**
 * The id of the execution of one due time. Derived, so that deciding the same due time again, e.g. after the database
 * lost its last commits, gives the same execution.
 */
export function occurrenceExecutionId(jobUid: string, scheduledFor: Date): string {
  const hash = createHash('sha1')
    .update(OCCURRENCE_NAMESPACE)
    .update(`${jobUid}/${scheduledFor.toISOString()}`)
    .digest()
  return format(hash.subarray(0, 16), 5)
}

const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/

/** True for a UUID in its canonical lower-case form. */
export function isUuid(text: string): boolean {
  return UUID.test(text)
}

function format(bytes: Buffer, version: number): string {
  bytes.writeUInt8((bytes.readUInt8(6) & 0x0f) | (version << 4), 6)
  bytes.writeUInt8((bytes.readUInt8(8) & 0x3f) | 0x80, 8)
  const hex = bytes.toString('hex')
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-${hex.slice(12, 16)}-${hex.slice(16, 20)}-${hex.slice(20)}`
}
