/**
 * Lets results wait a moment for each other: those of short attempts share one sync of the journal, one report and one
 * transaction of the coordinator, where each would cost as much as all of them.
 *
 * R1. A result waits only while more attempts are about to end than results are waiting: those that have not started yet,
 *     and those that started a moment ago. Beside anything else it goes at once, and so half of the slots are told of while
 *     the other half is busy.
 * R2. None waits longer than WAIT_MS.
 * R3. Only what may wait is asked to: the end of a process that its warden has written down, or of what may be run again
 *     anyway.
 */
import type { Clock, Timer } from '../../shared/clock.ts'

/** As long as results gather while a report is unanswered, in ms. */
const WAIT_MS = 50
/** What runs for longer is not expected to end soon, in ms. */
const SHORT_MS = 50

export class ResultGathering {
  readonly #clock: Clock
  /** Attempts that have begun and not started. */
  readonly #begun = new Set<string>()
  /** When attempts that run were started, on the monotonic clock, oldest first. */
  readonly #started = new Map<string, number>()
  #waiting: (() => void)[] = []
  #timer: Timer | undefined

  constructor(clock: Clock) {
    this.#clock = clock
  }

  /** An attempt is to be started. */
  begin(key: string): void {
    this.#begun.add(key)
  }

  start(key: string): void {
    if (this.#begun.delete(key)) this.#started.set(key, this.#clock.monotonicMs())
  }

  /** Nothing of the attempt is waited for any more. */
  end(key: string): void {
    this.#begun.delete(key)
    this.#started.delete(key)
  }

  /** Resolves when the result of an attempt that has ended is to be written down and told. */
  gather(): Promise<void> {
    return new Promise((resolve) => {
      this.#waiting.push(resolve)
      if (this.#waiting.length >= this.#soon()) this.#release()
      else this.#timer ??= this.#clock.after(WAIT_MS, () => this.#release())
    })
  }

  /** How many attempts are about to end. */
  #soon(): number {
    const sinceMs = this.#clock.monotonicMs() - SHORT_MS
    for (const [key, startedMs] of this.#started) {
      if (startedMs >= sinceMs) break
      this.#started.delete(key)
    }
    return this.#begun.size + this.#started.size
  }

  #release(): void {
    this.#timer?.cancel()
    this.#timer = undefined
    for (const resolve of this.#waiting.splice(0)) resolve()
  }
}
