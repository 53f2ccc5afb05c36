/**
 * How long the coordinators may believe this agent's work alive, counted here from the moment the renewal that was
 * answered was SENT: the coordinators' own count begins later, so it ends later.
 *
 * E1. `onEnding` is called once per lost lease, `marginMs` before it ends. A renewal in time prevents it.
 * E2. The lease belongs to the agent, not to a connection: a new session in time goes on with it.
 * E3. It is counted on a clock that goes on while the host is suspended.
 */
import type { Clock, Timer } from '../../shared/clock.ts'
import type { LeaseTimes } from '../warden/messages.ts'

/** Time to end attempts that must not outlive the lease, in ms; a third of a very short lease. */
const MARGIN_MS = 2_000
/** How far ahead the end is timed: timers do not count suspend (E3). */
const LOOK_MS = 1_000

export interface LeaseOptions {
  readonly clock: Clock
  /** Counts suspend too; `Clock.monotonicMs` where nothing is ever suspended. */
  readonly readBootMs: () => number
  readonly onRenewed: (times: LeaseTimes) => void
  readonly onEnding: (marginMs: number) => void
}

export class Lease {
  readonly #options: LeaseOptions
  #endsAtMs = Number.NEGATIVE_INFINITY
  #marginMs = 0
  #timer: Timer | undefined

  constructor(options: LeaseOptions) {
    this.#options = options
  }

  /** Now, on the clock of the lease. */
  nowMs(): number {
    return this.#options.readBootMs()
  }

  /** The renewal that was sent at `sentAtMs`, on the clock of the lease, has been answered. */
  renew(sentAtMs: number, lengthMs: number): void {
    if (sentAtMs + lengthMs <= this.#endsAtMs) return
    this.#endsAtMs = sentAtMs + lengthMs
    this.#marginMs = Math.min(MARGIN_MS, lengthMs / 3)
    const killAtMs = this.#endsAtMs
    this.#options.onRenewed({ termAtMs: killAtMs - this.#marginMs, killAtMs })
    this.#look()
  }

  close(): void {
    this.#timer?.cancel()
  }

  #look(): void {
    const { clock, onEnding } = this.#options
    this.#timer?.cancel()
    const leftMs = this.#endsAtMs - this.#marginMs - this.nowMs()
    if (leftMs <= 0) onEnding(this.#marginMs)
    else this.#timer = clock.after(Math.min(leftMs, LOOK_MS), () => this.#look())
  }
}
