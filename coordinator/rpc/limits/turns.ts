import type { Clock } from '../../../shared/clock.ts'
import { RotaError } from '../../../shared/errors/rota-error.ts'

/**
 * Connections that each kind of work may use at once; of those that are the flow's, together with the lanes of its batchers,
 * fewer than its pool has, so that the loops that renew leases never wait behind a crowd. What waits here waits in its order
 * and for nobody's timeout, as it would in the pool.
 */
export const AT_ONCE = { calls: 10, gatheredCalls: 1_000, hellos: 2, logs: 2 } as const

export interface TurnsOptions {
  readonly atOnce: number
  /** Who would wait longer is told to come again, in ms; left out: everybody waits. */
  readonly waitMs?: number
}

/** Lets some at a time do what they want, the others after them in their order. */
export class Turns {
  readonly #clock: Clock
  readonly #options: TurnsOptions
  readonly #waiting = new Set<() => void>()
  #inside = 0

  constructor(clock: Clock, options: TurnsOptions) {
    this.#clock = clock
    this.#options = options
  }

  /** Those who wait for their turn. */
  get waiting(): number {
    return this.#waiting.size
  }

  /** Throws OVERLOADED when the turn does not come in time. */
  async take<T>(work: () => Promise<T>): Promise<T> {
    if (this.#inside < this.#options.atOnce) this.#inside += 1
    else await this.#wait()
    try {
      return await work()
    } finally {
      this.#pass()
    }
  }

  /** Resolves inside: the place is handed over. */
  async #wait(): Promise<void> {
    const { waitMs } = this.#options
    await new Promise<void>((resolve, reject) => {
      const giveUp = () => {
        this.#waiting.delete(enter)
        const message = 'more calls wait than can be answered in time'
        reject(new RotaError('OVERLOADED', message, { retryAfterMs: waitMs ?? 0 }))
      }
      const timer = waitMs === undefined ? undefined : this.#clock.after(waitMs, giveUp)
      const enter = () => {
        timer?.cancel()
        resolve()
      }
      this.#waiting.add(enter)
    })
  }

  #pass(): void {
    const [next] = this.#waiting
    if (next === undefined) {
      this.#inside -= 1
      return
    }
    this.#waiting.delete(next)
    next()
  }
}
