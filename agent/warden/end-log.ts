/**
 * How attempts ended, in one file for all of them: known even when no agent was there to be told.
 *
 *   {"key":"...","end":{...}}   it has ended
 *   {"key":"..."}               its agent has that in the journal
 *                               (an empty line: room)
 *
 * F1. A line that is not whole is no JSON, and counts as none. A durable one is on the disk when `write` resolves.
 * F2. Room for its end is taken before an attempt begins: a disk that attempts fill up cannot keep their ends from being
 *     written.
 * F3. When nothing in the file matters any more it begins anew; when most of it does not, what does is copied.
 */
import {
  closeSync,
  constants,
  fdatasync,
  fsync,
  fsyncSync,
  openSync,
  readFileSync,
  renameSync,
  rmSync,
  writeSync,
} from 'node:fs'
import { dirname } from 'node:path'
import { promisify } from 'node:util'
import type { ProcessEnd } from './messages.ts'

/** Of one end: a reason of 1,000 characters is the longest text in it, and no character takes more than 6 bytes. */
const ROOM_BYTES = 8 * 1024
const REASON_LENGTH_MAX = 1_000
/** Room is taken in such pieces. */
const PIECE_BYTES = 64 * 1024
/** A file with more in it is copied when only a part of it matters. */
const LONG_BYTES = 256 * 1024
const COPY_FACTOR = 4
const FLAGS = constants.O_RDWR | constants.O_CREAT | (constants.O_NOFOLLOW ?? 0)
const ROOM = '\n'

interface Line {
  readonly key: string
  /** Undefined: the agent has it. */
  readonly end?: ProcessEnd
}

interface KeptLine {
  readonly text: string
  readonly isDurable: boolean
}

export interface WrittenEnd {
  readonly key: string
  readonly end: ProcessEnd
  readonly isDurable: boolean
}

/** For the one warden of a data folder. */
export class EndLog {
  readonly #file: string
  #handle: number
  /** Up to the end of the last line. */
  #usedBytes: number
  /** With the room behind it. */
  #sizeBytes: number
  /** Attempts that have room and have not ended. */
  readonly #reserved = new Set<string>()
  readonly #kept = new Map<string, KeptLine>()
  #keptBytes = 0
  /** Syncs that are under way. */
  #syncs = 0
  /** True once the name of the file is on the disk too. */
  #isPlaced = false

  private constructor(file: string, handle: number, bytes: Buffer) {
    this.#file = file
    this.#handle = handle
    this.#sizeBytes = bytes.length
    this.#usedBytes = lengthWithoutRoom(bytes)
    for (const [key, end] of endsIn(bytes.toString())) this.#keep({ key, end, isDurable: true })
  }

  /** Opens or makes the file; what a warden before has written goes on to count. */
  static open(file: string): EndLog {
    const handle = openSync(file, FLAGS, 0o600)
    return new EndLog(file, handle, readFileSync(handle))
  }

  close(): void {
    closeSync(this.#handle)
  }

  /** What is written and not forgotten. */
  ends(): ReadonlyMap<string, ProcessEnd> {
    return endsIn([...this.#kept.values()].map(({ text }) => text).join(''))
  }

  /** Takes the room for an end (F2). Throws when there is none. */
  reserve(key: string): void {
    if (this.#usedBytes > Math.max(LONG_BYTES, this.#keptBytes * COPY_FACTOR)) this.#copy()
    this.#grow((this.#reserved.size + 1) * ROOM_BYTES)
    this.#reserved.add(key)
  }

  /** Writes an end; a durable one is synced. Rejects when that fails, which only one without room should. */
  async write(written: WrittenEnd): Promise<void> {
    this.#reserved.delete(written.key)
    const { text } = this.#keep({ ...written, end: shortened(written.end) })
    this.#append(text)
    if (written.isDurable) await this.#sync()
  }

  /** The agent has it. Nothing is lost when that cannot be written: it is only told once more. */
  forget(key: string): void {
    const line = this.#kept.get(key)
    if (line === undefined) return
    this.#kept.delete(key)
    this.#keptBytes -= Buffer.byteLength(line.text)
    try {
      if (this.#kept.size === 0) this.#beginAnew()
      else this.#append(lineOf({ key }))
    } catch {
      // A full disk, or none.
    }
  }

  #keep({ end, isDurable, key }: WrittenEnd): KeptLine {
    const line = { text: lineOf({ key, end }), isDurable }
    this.#kept.set(key, line)
    this.#keptBytes += Buffer.byteLength(line.text)
    return line
  }

  #append(text: string): void {
    const bytes = Buffer.from(text)
    this.#grow(this.#reserved.size * ROOM_BYTES + bytes.length)
    writeAll(this.#handle, bytes, this.#usedBytes)
    this.#usedBytes += bytes.length
  }

  /** Makes room for so many bytes behind what is used. Throws when there is none. */
  #grow(bytes: number): void {
    const missing = this.#usedBytes + bytes - this.#sizeBytes
    if (missing <= 0) return
    const room = Buffer.alloc(Math.max(missing, PIECE_BYTES), ROOM)
    writeAll(this.#handle, room, this.#sizeBytes)
    this.#sizeBytes += room.length
  }

  #beginAnew(): void {
    writeAll(this.#handle, Buffer.alloc(this.#usedBytes, ROOM), 0)
    this.#usedBytes = 0
  }

  /** A failed try leaves the file as it is. A file that is being synced is copied another time. */
  #copy(): void {
    if (this.#syncs > 0) return
    const draft = `${this.#file}.new`
    const kept = [...this.#kept.values()]
    const bytes = Buffer.from(kept.map(({ text }) => text).join(''))
    const room = Buffer.alloc((this.#reserved.size + 1) * ROOM_BYTES + PIECE_BYTES, ROOM)
    let handle: number | undefined
    try {
      rmSync(draft, { force: true })
      handle = openSync(draft, FLAGS, 0o600)
      writeAll(handle, Buffer.concat([bytes, room]), 0)
      if (kept.some(({ isDurable }) => isDurable)) fsyncSync(handle)
      renameSync(draft, this.#file)
    } catch {
      if (handle !== undefined) closeSync(handle)
      rmSync(draft, { force: true })
      return
    }
    closeSync(this.#handle)
    this.#handle = handle
    this.#usedBytes = bytes.length
    this.#sizeBytes = bytes.length + room.length
    this.#isPlaced = false
  }

  async #sync(): Promise<void> {
    this.#syncs += 1
    try {
      await promisify(fdatasync)(this.#handle)
      if (!this.#isPlaced) await syncFolder(dirname(this.#file))
      this.#isPlaced = true
    } finally {
      this.#syncs -= 1
    }
  }
}

/** By key; what is written in the file and not forgotten. None when there is no file. */
export function readEnds(file: string): ReadonlyMap<string, ProcessEnd> {
  try {
    return endsIn(readFileSync(file, 'utf8'))
  } catch {
    return new Map()
  }
}

function endsIn(text: string): Map<string, ProcessEnd> {
  const ends = new Map<string, ProcessEnd>()
  for (const line of text.split('\n')) {
    const { end, key } = readLine(line) ?? {}
    if (key === undefined) continue
    if (end === undefined) ends.delete(key)
    else ends.set(key, end)
  }
  return ends
}

/** Undefined for room and for what is not whole. */
function readLine(line: string): Line | undefined {
  if (line === '') return undefined
  try {
    // Only EndLog writes it, and F1.
    return JSON.parse(line) as Line
  } catch {
    return undefined
  }
}

/** Up to the end of the last line, which may have been torn off. */
function lengthWithoutRoom(bytes: Buffer): number {
  let length = bytes.length
  while (length > 0 && bytes[length - 1] === ROOM.charCodeAt(0)) length -= 1
  return length === 0 ? 0 : length + 1
}

function lineOf(line: Line): string {
  return `${JSON.stringify(line)}\n`
}

function shortened(end: ProcessEnd): ProcessEnd {
  const { cause, exit } = end
  return {
    ...end,
    exit: 'message' in exit ? { ...exit, message: shortText(exit.message) } : exit,
    cause:
      cause !== undefined && 'reason' in cause
        ? { ...cause, reason: shortText(cause.reason) }
        : cause,
  }
}

function shortText(text: string): string {
  return text.slice(0, REASON_LENGTH_MAX).toWellFormed()
}

/** A full disk takes a part, and says so only when it is asked for the rest. */
function writeAll(handle: number, bytes: Buffer, position: number): void {
  for (let done = 0; done < bytes.length; ) {
    done += writeSync(handle, bytes, done, bytes.length - done, position + done)
  }
}

async function syncFolder(folder: string): Promise<void> {
  const handle = openSync(folder, 'r')
  try {
    await promisify(fsync)(handle)
  } finally {
    closeSync(handle)
  }
}
