/** Says once that a server that answers cannot do its work, e.g. for want of room, and once that it is over. */
import type { Clock } from '../../shared/clock.ts'
import type { Logger } from '../../shared/logger.ts'
import { sqlStateOf } from './database-errors.ts'

/** Without trouble for this long it is over, in ms. */
const QUIET_MS = 10_000

export class TroubleLog {
  readonly #clock: Clock
  readonly #logger: Logger
  #lastAtMs: number | undefined

  constructor(clock: Clock, logger: Logger) {
    this.#clock = clock
    this.#logger = logger
  }

  /** A statement has failed, and it was the server's fault. */
  note(error: unknown): void {
    const isNew = this.#lastAtMs === undefined
    this.#lastAtMs = this.#clock.monotonicMs()
    if (!isNew) return
    const why = error instanceof Error ? error.message : String(error)
    this.#logger.warn({ why, state: sqlStateOf(error) }, 'PostgreSQL refuses statements')
  }

  /** To be called now and then. */
  look(): void {
    if (this.#lastAtMs === undefined || this.#clock.monotonicMs() - this.#lastAtMs < QUIET_MS)
      return
    this.#lastAtMs = undefined
    this.#logger.info('PostgreSQL takes statements again')
  }
}
