import { type Clock, sleep } from '../../../shared/clock.ts'
import { type Rate, TokenBucket } from '../../../shared/token-bucket.ts'

/** What one message of an agent weighs. */
export interface MessageCost {
  readonly bytes: number
  /** Of a report: attempts that it speaks of. */
  readonly entries: number
}

/** How much one stream of an agent may say. */
export interface StreamRates {
  readonly messages: Rate
  readonly bytes: Rate
  readonly entries: Rate
}

const MIB = 1024 * 1024

/**
 * Of a control stream. An honest agent that runs 1,000 short executions per second sends at most 3,000 entries, in fewer
 * messages as soon as reports wait for their acknowledgement, of which there are at most 32.
 */
export const CONTROL_RATES: StreamRates = {
  messages: { perSecond: 4_000, burst: 10_000 },
  bytes: { perSecond: 16 * MIB, burst: 64 * MIB },
  entries: { perSecond: 20_000, burst: 60_000 },
}

/** Of a stream of output: 100 MB/s is more than is ever kept, and a chunk per write of a chatty job is normal. */
export const LOG_RATES: StreamRates = {
  messages: { perSecond: 2_000, burst: 10_000 },
  bytes: { perSecond: 100 * MIB, burst: 256 * MIB },
  entries: { perSecond: 2_000, burst: 10_000 },
}

/** Pauses shorter than this are saved up, in ms: timers are not finer. */
const PAUSE_MS_MIN = 5
/** Who would send faster than that all this time is no agent, in ms: honest ones wait for answers. */
export const FLOOD_MS = 10_000

/**
 * Slows down who reads a stream to what its sender may say: what is not read waits at the sender. A sender that pushes on
 * and on is a flood; but bytes alone make none, for an honest agent may have much output to hand over after an outage.
 */
export class StreamPace {
  readonly #clock: Clock
  readonly #rates: StreamRates
  readonly #buckets: Readonly<Record<keyof StreamRates, TokenBucket>>
  /** Since when it has been slowed down, and never rested until half of its burst was there again. */
  #pushingSinceMs: number | undefined

  constructor(clock: Clock, rates: StreamRates) {
    this.#clock = clock
    this.#rates = rates
    this.#buckets = {
      messages: new TokenBucket(clock, rates.messages),
      bytes: new TokenBucket(clock, rates.bytes),
      entries: new TokenBucket(clock, rates.entries),
    }
  }

  /** Waits until the next message may be read; true when it has been a flood for too long. */
  async pause({ bytes, entries }: MessageCost, signal: AbortSignal): Promise<boolean> {
    if (this.#hasRested()) this.#pushingSinceMs = undefined
    const { messages, entries: attempts } = this.#buckets
    const pushMs = Math.max(messages.spend(), attempts.spend(entries))
    const nowMs = this.#clock.monotonicMs()
    if (pushMs > 0) this.#pushingSinceMs ??= nowMs
    const waitMs = Math.max(pushMs, this.#buckets.bytes.spend(bytes))
    if (waitMs >= PAUSE_MS_MIN) await sleep(this.#clock, waitMs, signal)
    return nowMs - (this.#pushingSinceMs ?? nowMs) > FLOOD_MS
  }

  #hasRested(): boolean {
    const { messages, entries } = this.#buckets
    return (
      messages.look(this.#rates.messages.burst / 2) === 0 &&
      entries.look(this.#rates.entries.burst / 2) === 0
    )
  }
}
