/**
 * How long the coordinators may believe this agent's work alive, counted here from the moment the renewal that was
 * answered was SENT: the coordinators' own count begins later, so it ends later.
 *
 * E1. `onEnding` is called once per lost lease, `marginMs` before it ends. A renewal in time prevents it.
 * E2. The lease belongs to the agent, not to a connection: a new session in time goes on with it.
 */
import type { Clock, Timer } from '../../shared/clock.ts'

/** Time to end attempts that must not outlive the lease, in ms; a third of a very short lease. */
const MARGIN_MS = 2_000

export class Lease {
  readonly #clock: Clock
  readonly #onEnding: (marginMs: number) => void
  #endsAtMs = Number.NEGATIVE_INFINITY
  #timer: Timer | undefined

  constructor(clock: Clock, onEnding: (marginMs: number) => void) {
    this.#clock = clock
    this.#onEnding = onEnding
  }

  /** The renewal that was sent at `sentAtMs` (monotonic) has been answered. */
  renew(sentAtMs: number, lengthMs: number): void {
    if (sentAtMs + lengthMs <= this.#endsAtMs) return
    this.#endsAtMs = sentAtMs + lengthMs
    const marginMs = Math.min(MARGIN_MS, lengthMs / 3)
    this.#timer?.cancel()
    const delayMs = this.#endsAtMs - marginMs - this.#clock.monotonicMs()
    this.#timer = this.#clock.after(delayMs, () => this.#onEnding(marginMs))
  }

  close(): void {
    this.#timer?.cancel()
  }
}
