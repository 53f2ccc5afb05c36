/**
 * An append-only file of what the agent promised and what became of it.
 *
 * J1. `append` of durable records resolves after they are on the disk; all that waits shares one sync.
 * J2. A crash loses at most records whose append has not resolved; a torn line is cut off at the next start.
 * J3. When the file is mostly dead it is replaced by its living records: written beside, synced, renamed.
 * J4. A full disk gives up the reserve beside the journal before it fails an append.
 */
import { type FileHandle, open, rename, rm, stat, writeFile } from 'node:fs/promises'
import { dirname } from 'node:path'
import type { Logger } from '../../shared/logger.ts'
import { decodeRecord, encodeRecord, type JournalRecord } from './journal-records.ts'

/** Not replaced below this size, in bytes. */
const COMPACT_FLOOR_BYTES = 512 * 1024
/** Replaced when it grew to so many times its living part. */
const COMPACT_FACTOR = 4
/** What is given up on a full disk: room for the results of what runs. */
const RESERVE_BYTES = 1024 * 1024
const PIECE_BYTES = 64 * 1024

export interface JournalOptions {
  readonly file: string
  readonly logger: Logger
  /** The records that still matter, for J3. */
  readonly living: () => readonly JournalRecord[]
}

interface Waiting {
  readonly lines: string
  readonly isDurable: boolean
  readonly resolve: () => void
  readonly reject: (error: unknown) => void
}

export class Journal {
  readonly #options: JournalOptions
  #handle: FileHandle
  #sizeBytes: number
  #livingBytes: number
  #waiting: Waiting[] = []
  #writing: Promise<void> | undefined

  private constructor(options: JournalOptions, handle: FileHandle, sizeBytes: number) {
    this.#options = options
    this.#handle = handle
    this.#sizeBytes = sizeBytes
    this.#livingBytes = 0
  }

  /** Opens or creates the file and reads it; cuts off what a crash left half written. */
  static async open(
    options: JournalOptions,
  ): Promise<{ readonly journal: Journal; readonly records: readonly JournalRecord[] }> {
    const handle = await open(options.file, 'a+', 0o600)
    const records: JournalRecord[] = []
    let damaged = 0
    const lengthBytes = await readLines(handle, (line) => {
      const record = decodeRecord(line)
      if (record === undefined) damaged += 1
      else records.push(record)
    })
    if (damaged > 0) options.logger.error({ damaged }, 'damaged lines of the journal are left out')
    await handle.truncate(lengthBytes)
    await createReserve(reserveFile(options.file))
    return { journal: new Journal(options, handle, lengthBytes), records }
  }

  /** Adds records; durable ones are on the disk when this resolves (J1). Rejects when they cannot be written. */
  append(records: readonly JournalRecord[], isDurable: boolean): Promise<void> {
    return new Promise((resolve, reject) => {
      const lines = records.map(encodeRecord).join('')
      this.#waiting.push({ lines, isDurable, resolve, reject })
      this.#writing ??= this.#writeAll()
    })
  }

  async close(): Promise<void> {
    await this.#writing
    await this.#handle.close()
  }

  async #writeAll(): Promise<void> {
    // What is appended in the same turn goes into the first batch.
    await Promise.resolve()
    while (this.#waiting.length > 0) {
      const batch = this.#waiting
      this.#waiting = []
      try {
        await this.#writeBatch(batch)
        for (const { resolve } of batch) resolve()
      } catch (error) {
        for (const { reject } of batch) reject(error)
      }
    }
    this.#writing = undefined
  }

  async #writeBatch(batch: readonly Waiting[]): Promise<void> {
    const bytes = Buffer.from(batch.map(({ lines }) => lines).join(''))
    await this.#writeBytes(bytes)
    if (batch.some(({ isDurable }) => isDurable)) await this.#handle.datasync()
    if (
      this.#sizeBytes > COMPACT_FLOOR_BYTES &&
      this.#sizeBytes > this.#livingBytes * COMPACT_FACTOR
    ) {
      await this.#compact()
    }
  }

  /** All of `bytes` or nothing: a part that was written is cut off again. */
  async #writeBytes(bytes: Buffer): Promise<void> {
    try {
      await this.#handle.appendFile(bytes)
    } catch (error) {
      await this.#handle.truncate(this.#sizeBytes)
      if (!isDiskFull(error) || !(await giveUpReserve(reserveFile(this.#options.file)))) throw error
      this.#options.logger.warn('the disk is full; the reserve of the journal is given up')
      await this.#handle.appendFile(bytes)
    }
    this.#sizeBytes += bytes.length
  }

  /** A failed try leaves the file as it is, and waits until it grew again. */
  async #compact(): Promise<void> {
    const { file, living, logger } = this.#options
    const bytes = Buffer.from(living().map(encodeRecord).join(''))
    this.#livingBytes = bytes.length
    if (this.#sizeBytes <= bytes.length * COMPACT_FACTOR) return
    try {
      const handle = await writeNew(`${file}.new`, bytes)
      await rename(`${file}.new`, file)
      await this.#handle.close()
      this.#handle = handle
      await syncFolder(dirname(file))
      logger.debug({ beforeBytes: this.#sizeBytes, afterBytes: bytes.length }, 'journal compacted')
      this.#sizeBytes = bytes.length
    } catch (error) {
      this.#livingBytes = this.#sizeBytes
      await rm(`${file}.new`, { force: true })
      logger.error({ err: error }, 'the journal could not be compacted')
    }
  }
}

/** A synced file that holds `bytes`, open for more. */
async function writeNew(file: string, bytes: Buffer): Promise<FileHandle> {
  await rm(file, { force: true })
  const handle = await open(file, 'a', 0o600)
  try {
    await handle.appendFile(bytes)
    await handle.sync()
    return handle
  } catch (error) {
    await handle.close()
    throw error
  }
}

function reserveFile(file: string): string {
  return `${file}.reserve`
}

/** A full disk at the start is no reason not to start: then there is no reserve. */
async function createReserve(file: string): Promise<void> {
  try {
    if ((await stat(file)).size === RESERVE_BYTES) return
  } catch {
    // There is none yet.
  }
  await writeFile(file, Buffer.alloc(RESERVE_BYTES), { mode: 0o600 }).catch(() => {
    return rm(file, { force: true })
  })
}

/** Calls `onLine` for each whole line; answers where the last one ends. In pieces, for a journal can be long. */
async function readLines(handle: FileHandle, onLine: (line: string) => void): Promise<number> {
  const piece = Buffer.alloc(PIECE_BYTES)
  let rest = Buffer.alloc(0)
  for (let position = 0; ; ) {
    const { bytesRead } = await handle.read(piece, 0, PIECE_BYTES, position)
    position += bytesRead
    if (bytesRead === 0) return position - rest.length
    const bytes = Buffer.concat([rest, piece.subarray(0, bytesRead)])
    let start = 0
    for (let end = bytes.indexOf(0x0a); end !== -1; end = bytes.indexOf(0x0a, start)) {
      onLine(bytes.toString('utf8', start, end))
      start = end + 1
    }
    rest = bytes.subarray(start)
  }
}

/** False when it was given up before. */
async function giveUpReserve(file: string): Promise<boolean> {
  return rm(file).then(
    () => true,
    () => false,
  )
}

function isDiskFull(error: unknown): boolean {
  return (
    error instanceof Error &&
    'code' in error &&
    (error.code === 'ENOSPC' || error.code === 'EDQUOT')
  )
}

async function syncFolder(folder: string): Promise<void> {
  const handle = await open(folder, 'r')
  try {
    await handle.sync()
  } finally {
    await handle.close()
  }
}
