/** The output files of one attempt and how far they are shipped. */
import { constants, lstatSync } from 'node:fs'
import { type FileHandle, open } from 'node:fs/promises'
import type { RotaError } from '../../shared/errors/rota-error.ts'
import type { AttemptRef } from './attempt-ref.ts'
import { LogBudget, type LogShare, type OutputName } from './log-budget.ts'
import { LogTail } from './log-tail.ts'

/** In a row without progress; with the pauses of log-tail.ts about ten minutes. */
const REWINDS_MAX = 60

export interface LogSource extends AttemptRef {
  readonly files: Readonly<Record<OutputName, string>>
  readonly capBytes: number
  /** Fixed before the agent started again. */
  readonly share: LogShare | undefined
  /** True when the attempt ended before the agent started again. */
  readonly hasEnded: boolean
}

export interface LogChunk {
  readonly output: OutputName
  readonly offset: number
  readonly data: Buffer
}

/** What the end of an attempt says of its output, in bytes. */
export interface SettledLog {
  readonly share: LogShare
  readonly keptBytes: number
  readonly droppedBytes: number
}

export class FollowedLog {
  readonly source: LogSource
  readonly #budget: LogBudget
  readonly #tails: Readonly<Record<OutputName, LogTail>>
  #isSettled: boolean
  #isLost = false
  #refusal: string | undefined

  constructor(source: LogSource) {
    this.source = source
    this.#isSettled = source.hasEnded
    this.#budget = new LogBudget(source.capBytes, source.share)
    this.#tails = {
      stdout: new LogTail('stdout', this.#budget),
      stderr: new LogTail('stderr', this.#budget),
    }
    this.#tails.stdout.grew(source.share?.stdoutBytes ?? 0)
    this.#tails.stderr.grew(source.share?.stderrBytes ?? 0)
  }

  /** The final share, once a running attempt has reached its cap. */
  get cappedShare(): LogShare | undefined {
    return this.#budget.isSpent && !this.#isSettled ? this.#budget.share : undefined
  }

  /** The attempt has ended and nothing is left to ship. */
  get isDone(): boolean {
    const { stdout, stderr } = this.#tails
    const isShipped = stdout.isShipped && stderr.isShipped
    return this.#isSettled && (isShipped || this.givenUp !== undefined)
  }

  /** Why the rest of the output cannot be shipped, if so. */
  get givenUp(): string | undefined {
    if (this.#isLost) return 'somebody removed its files'
    if (this.#refusal !== undefined) return this.#refusal
    const rewinds = Math.max(this.#tails.stdout.rewinds, this.#tails.stderr.rewinds)
    return rewinds > REWINDS_MAX ? 'the coordinator does not take it' : undefined
  }

  /** Looks how far the files have grown, where that could matter. */
  measure(): void {
    if (this.#isSettled || this.#budget.isSpent) return
    for (const tail of this.#list()) if (tail.isCaughtUp) this.#measure(tail)
  }

  /** The attempt has ended: fixes what is kept. */
  settle(): SettledLog {
    const stdoutBytes = this.#measure(this.#tails.stdout)
    const stderrBytes = this.#measure(this.#tails.stderr)
    const share = this.#budget.settle({ stdoutBytes, stderrBytes })
    this.#isSettled = true
    const keptBytes = share.stdoutBytes + share.stderrBytes
    return { share, keptBytes, droppedBytes: stdoutBytes + stderrBytes - keptBytes }
  }

  /** The next piece of one output, or undefined when nothing may be sent now. */
  async nextChunk(output: OutputName, nowMs: number): Promise<LogChunk | undefined> {
    const tail = this.#tails[output]
    const chunk = this.givenUp === undefined ? tail.nextChunk(nowMs) : undefined
    if (chunk === undefined) return undefined
    const data = await readAt(this.source.files[output], chunk)
    if (data !== undefined) return { output, offset: chunk.offset, data }
    this.#isLost = true
    return undefined
  }

  sent(chunk: LogChunk, nowMs: number): void {
    this.#tails[chunk.output].sent({ offset: chunk.offset, length: chunk.data.length }, nowMs)
  }

  answered(output: OutputName, offset: number, nowMs: number): void {
    this.#tails[output].answered(offset, nowMs)
  }

  /** The coordinator ended the stream over a piece of this output. */
  refused(output: OutputName, error: RotaError, nowMs: number): void {
    if (error.reason === 'PROTOCOL_VIOLATION') this.#refusal = error.message
    else this.#tails[output].refused(nowMs)
  }

  checkOverdue(nowMs: number): void {
    for (const tail of this.#list()) tail.checkOverdue(nowMs)
  }

  reconnected(): void {
    for (const tail of this.#list()) tail.reconnected()
  }

  #list(): readonly LogTail[] {
    return [this.#tails.stdout, this.#tails.stderr]
  }

  /** Bytes written. */
  #measure(tail: LogTail): number {
    return tail.grew(sizeOf(this.source.files[tail.output]))
  }
}

/** In bytes; a file that is not there has none. Asked at once: a trip through the thread pool takes ten times as long. */
function sizeOf(file: string): number {
  try {
    // A link that the job may have put in its place could lead to a disk that hangs.
    return lstatSync(file, { throwIfNoEntry: false })?.size ?? 0
  } catch {
    return 0
  }
}

/** Undefined when the file is gone or shorter than it was. */
async function readAt(
  file: string,
  { offset, length }: { readonly offset: number; readonly length: number },
): Promise<Buffer | undefined> {
  let handle: FileHandle | undefined
  try {
    // The job may have put a link or a pipe in its place: neither followed nor waited for.
    handle = await open(file, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK)
    const { bytesRead, buffer } = await handle.read(Buffer.allocUnsafe(length), 0, length, offset)
    return bytesRead === 0 ? undefined : buffer.subarray(0, bytesRead)
  } catch {
    return undefined
  } finally {
    await handle?.close()
  }
}
