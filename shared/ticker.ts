/**
 * Calls `runOnce` again and again: after the delay that it asked for, or earlier when woken.
 *
 * T1. Never two runs at once.
 * T2. A wake-up during a run causes one more run after it.
 * T3. A failing run is logged and tried again after `retryMs`; the loop never ends by itself. That the database is away is
 *     said once for all loops, by who watches it.
 * T4. After `stop` resolves nothing runs.
 */
import type { Clock, Timer } from './clock.ts'
import { RotaError } from './errors/rota-error.ts'
import type { Logger } from './logger.ts'
import type { Service } from './service.ts'

export interface TickerOptions {
  readonly name: string
  readonly clock: Clock
  readonly logger: Logger
  /** One round; answers after how many ms the next one is wanted, 0 for at once. */
  readonly runOnce: () => Promise<number>
  /** Wait after a failed round, in ms. Default 500. */
  readonly retryMs?: number
}

const RETRY_MS = 500

export class Ticker implements Service {
  readonly #options: TickerOptions
  #timer: Timer | undefined
  #running: Promise<void> | undefined
  #isStarted = false
  #isWoken = false

  constructor(options: TickerOptions) {
    this.#options = options
  }

  async start(): Promise<void> {
    if (this.#isStarted) return
    this.#isStarted = true
    this.wake()
  }

  /** Asks for a round now. Cheap, and safe from anywhere. */
  wake(): void {
    if (!this.#isStarted) return
    this.#isWoken = true
    if (this.#running === undefined) this.#schedule(0)
  }

  async stop(): Promise<void> {
    this.#isStarted = false
    this.#timer?.cancel()
    await this.#running
  }

  #schedule(delayMs: number): void {
    this.#timer?.cancel()
    this.#timer = this.#options.clock.after(delayMs, () => {
      this.#running = this.#round()
    })
  }

  async #round(): Promise<void> {
    this.#isWoken = false
    const delayMs = await this.#attempt()
    this.#running = undefined
    if (this.#isStarted) this.#schedule(this.#isWoken ? 0 : delayMs)
  }

  async #attempt(): Promise<number> {
    try {
      return await this.#options.runOnce()
    } catch (error) {
      const isAway = error instanceof RotaError && error.reason === 'DATABASE_UNAVAILABLE'
      this.#options.logger[isAway ? 'debug' : 'error'](
        { err: error, loop: this.#options.name },
        'a round failed; it is tried again',
      )
      return this.#options.retryMs ?? RETRY_MS
    }
  }
}
