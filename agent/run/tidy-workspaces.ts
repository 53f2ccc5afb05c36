/** Removes the folder of an attempt when its result is acknowledged and its output shipped. */
import type { Logger } from '../../shared/logger.ts'
import { AttemptIndex } from '../report/attempt-index.ts'
import { type AttemptRef, attemptKey } from '../report/attempt-ref.ts'
import type { AttemptStore } from '../report/attempt-store.ts'
import { removeWorkspace, workspaceOf } from './workspace.ts'

export class WorkspaceTidier {
  readonly #options: {
    readonly store: AttemptStore
    readonly attemptsDir: string
    readonly logger: Logger
  }
  /** Shipped, but the result is not yet acknowledged. */
  readonly #shipped = new AttemptIndex<AttemptRef>()

  constructor(options: {
    readonly store: AttemptStore
    readonly attemptsDir: string
    readonly logger: Logger
  }) {
    this.#options = options
  }

  async shipped(ref: AttemptRef): Promise<void> {
    if (this.#shipped.get(ref) === undefined) this.#shipped.add(ref)
    await this.#tidy(ref)
  }

  acknowledged(ref: AttemptRef): void {
    // Most handlers never wrote anything.
    if (this.#shipped.get(ref) !== undefined) void this.#tidy(ref)
  }

  async #tidy(ref: AttemptRef): Promise<void> {
    const { attemptsDir, logger, store } = this.#options
    const attempt = store.get(ref)
    // One that is forgotten was acknowledged ten minutes ago.
    const isAcknowledged = attempt === undefined || attempt.acknowledgedAtMs !== undefined
    if (!isAcknowledged || this.#shipped.delete(ref) === undefined) return
    const key = attemptKey(ref)
    try {
      await removeWorkspace(workspaceOf(attemptsDir, key))
    } catch (error) {
      logger.warn({ err: error, attempt: key }, 'the folder of an attempt could not be removed')
    }
  }
}
