/**
 * How far one output of one attempt has been shipped. Pure: files and streams are the shipper's business.
 *
 * T1. stored <= sent <= written; sent - stored never passes the window.
 * T2. An answer beyond `stored` is progress. One that is not says that something was lost: shipping goes on from there.
 * T3. Without progress the waits grow; the whole row of rewinds is limited by the shipper.
 */
import type { LogBudget, OutputName } from './log-budget.ts'

/** At most this much of a message, in bytes (proto: PushLogsRequest.data). */
export const CHUNK_BYTES_MAX = 64 * 1024
/** At most this much is sent and not answered (proto: PushLogsResponse.offset). */
const WINDOW_BYTES = 1024 * 1024
/** Answers this soon after a rewind are to what was sent before it. */
const REWIND_PAUSE_MS = 500
const REWIND_PAUSE_MAX_MS = 10_000
/** Nothing answered for so long: sent again. */
const ANSWER_TIMEOUT_MS = 5_000

export class LogTail {
  readonly output: OutputName
  readonly #budget: LogBudget
  #written = 0
  #sent = 0
  #stored = 0
  #rewinds = 0
  #pausedUntilMs = 0
  #lastSentMs = 0

  constructor(output: OutputName, budget: LogBudget) {
    this.output = output
    this.#budget = budget
  }

  /** True when all that was seen of the file has been sent. */
  get isCaughtUp(): boolean {
    return this.#sent >= this.#written
  }

  /** True when everything granted is stored; after the budget was settled nothing follows. */
  get isShipped(): boolean {
    return this.#stored >= this.#budget.granted(this.output)
  }

  /** Rewinds in a row without any progress. */
  get rewinds(): number {
    return this.#rewinds
  }

  /** The file was seen to be this large; answers the largest size seen, for outputs are only appended to. */
  grew(toBytes: number): number {
    this.#written = Math.max(this.#written, toBytes)
    return this.#written
  }

  /** What to send next, or undefined when nothing may be sent now. */
  nextChunk(nowMs: number): { readonly offset: number; readonly length: number } | undefined {
    if (nowMs < this.#pausedUntilMs) return undefined
    const wanted = Math.min(
      CHUNK_BYTES_MAX,
      this.#written - this.#sent,
      this.#stored + WINDOW_BYTES - this.#sent,
    )
    if (wanted <= 0) return undefined
    const missing = this.#sent + wanted - this.#budget.granted(this.output)
    if (missing > 0) this.#budget.grant(this.output, missing)
    const length = Math.min(wanted, this.#budget.granted(this.output) - this.#sent)
    return length > 0 ? { offset: this.#sent, length } : undefined
  }

  /** `length` bytes from `offset` went out; ignored when an answer has moved on meanwhile. */
  sent(chunk: { readonly offset: number; readonly length: number }, nowMs: number): void {
    if (chunk.offset !== this.#sent) return
    this.#sent += chunk.length
    this.#lastSentMs = nowMs
  }

  /** The coordinator has stored everything before `offset`. */
  answered(offset: number, nowMs: number): void {
    if (offset > this.#stored) {
      this.#stored = offset
      this.#sent = Math.max(this.#sent, offset)
      this.#written = Math.max(this.#written, offset)
      this.#budget.raise(this.output, offset)
      this.#rewinds = 0
    } else if (this.#sent > offset && nowMs >= this.#pausedUntilMs) {
      this.#stored = offset
      this.#rewind(nowMs)
    }
  }

  /** Sends again what has stayed without any answer. */
  checkOverdue(nowMs: number): void {
    const isOverdue = this.#sent > this.#stored && nowMs - this.#lastSentMs > ANSWER_TIMEOUT_MS
    if (isOverdue && nowMs >= this.#pausedUntilMs) this.#rewind(nowMs)
  }

  /** A new connection: what was not answered on the old one is sent again. */
  reconnected(): void {
    this.#sent = this.#stored
    this.#pausedUntilMs = 0
  }

  /** The coordinator would not take it: it waits, longer each time. */
  refused(nowMs: number): void {
    this.#rewind(nowMs)
  }

  #rewind(nowMs: number): void {
    this.#sent = this.#stored
    this.#lastSentMs = nowMs
    const pauseMs = REWIND_PAUSE_MS * 2 ** Math.min(this.#rewinds, 10)
    this.#pausedUntilMs = nowMs + Math.min(pauseMs, REWIND_PAUSE_MAX_MS)
    this.#rewinds += 1
  }
}
