import { assert } from './assert.ts'
import type { Clock } from './clock.ts'

export interface Rate {
  /** On average. */
  readonly perSecond: number
  /** At once, after a pause. */
  readonly burst: number
}

/** Lets `burst` through at once and `perSecond` on average. Begins full. */
export class TokenBucket {
  readonly #clock: Pick<Clock, 'monotonicMs'>
  readonly #rate: Rate
  #tokens: number
  #filledAtMs: number

  constructor(clock: Pick<Clock, 'monotonicMs'>, rate: Rate) {
    this.#clock = clock
    this.#rate = rate
    this.#tokens = rate.burst
    this.#filledAtMs = clock.monotonicMs()
  }

  /** Answers 0 when `count`, at most the burst, is there, else after how many ms it will be. Takes nothing. */
  look(count = 1): number {
    assert(count <= this.#rate.burst, 'more than the burst is never there')
    this.#fill()
    return this.#tokens >= count ? 0 : this.#msUntil(count)
  }

  /** Takes `count` if it is there; answers like `look`. */
  take(count = 1): number {
    const waitMs = this.look(count)
    if (waitMs === 0) this.#tokens -= count
    return waitMs
  }

  /** Takes `count` whatever is there: answers 0, or in how many ms what was not there is paid back. */
  spend(count = 1): number {
    this.#fill()
    this.#tokens -= count
    return this.#tokens >= 0 ? 0 : this.#msUntil(0)
  }

  #fill(): void {
    const nowMs = this.#clock.monotonicMs()
    const added = ((nowMs - this.#filledAtMs) / 1_000) * this.#rate.perSecond
    this.#tokens = Math.min(this.#rate.burst, this.#tokens + added)
    this.#filledAtMs = nowMs
  }

  #msUntil(count: number): number {
    return Math.ceil(((count - this.#tokens) / this.#rate.perSecond) * 1_000)
  }
}
