/** One line of the journal per step of an attempt, guarded by a checksum. */
import { crc32 } from 'node:zlib'

interface RecordOf {
  readonly execution: string
  /** A number that JSON could not hold exactly for ever, so a text. */
  readonly epoch: string
}

/** Protobuf messages are base64 of their encoding: the contract is what keeps them readable for later releases. */
export type JournalRecord =
  | (RecordOf & { readonly type: 'accepted'; readonly assignment: string })
  | (RecordOf & {
      readonly type: 'started'
      readonly pid: number
      readonly startTicks: string
      readonly bootId: string
    })
  /** The output reached its cap: this much of each stream is kept, for good. */
  | (RecordOf & {
      readonly type: 'capped'
      readonly stdoutBytes: number
      readonly stderrBytes: number
    })
  | (RecordOf & {
      readonly type: 'finished'
      readonly finished: string
      readonly stdoutBytes: number
      readonly stderrBytes: number
    })
  | (RecordOf & { readonly type: 'acknowledged'; readonly atMs: number })

/** `<crc32> <json>\n` */
export function encodeRecord(record: JournalRecord): string {
  const json = JSON.stringify(record)
  return `${checksum(json)} ${json}\n`
}

/** Undefined for a line that is not what was written. */
export function decodeRecord(line: string): JournalRecord | undefined {
  const json = line.slice(9)
  if (line.slice(0, 9) !== `${checksum(json)} `) return undefined
  // Only encodeRecord writes lines with a right checksum.
  return JSON.parse(json) as JournalRecord
}

function checksum(text: string): string {
  return crc32(text).toString(16).padStart(8, '0')
}
