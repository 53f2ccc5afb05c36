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

export interface JournalContent {
  readonly records: readonly JournalRecord[]
  /** Lines inside the file that are not what was written. */
  readonly damaged: number
  /** Bytes up to the end of the last whole line; what follows is a torn write. */
  readonly length: number
}

/** Reads what a journal file holds. A line that a crash cut short is left out, a damaged one is counted. */
export function decodeJournal(bytes: Buffer): JournalContent {
  const length = bytes.lastIndexOf(0x0a) + 1
  const lines = bytes.toString('utf8', 0, length).split('\n').slice(0, -1)
  const records = lines.map(decodeLine).filter((record) => record !== undefined)
  return { records, damaged: lines.length - records.length, length }
}

function decodeLine(line: string): JournalRecord | undefined {
  const json = line.slice(9)
  if (line.slice(0, 8) !== checksum(json)) return undefined
  // Only encodeRecord writes lines with a right checksum.
  return JSON.parse(json) as JournalRecord
}

function checksum(text: string): string {
  return crc32(text).toString(16).padStart(8, '0')
}
