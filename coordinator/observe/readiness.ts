import type { Deps } from '../deps.ts'
import { ping } from '../query/stats-queries.ts'

export interface DatabaseCheck {
  readonly isReady: boolean
  readonly message: string
  readonly latencyMs: number
}

/** Asks the database; never throws, and answers within the limits of the pool. */
export async function checkDatabase(
  deps: Pick<Deps, 'db' | 'clock' | 'logger'>,
): Promise<DatabaseCheck> {
  const startMs = deps.clock.monotonicMs()
  try {
    await ping(deps.db)
    return { isReady: true, message: '', latencyMs: deps.clock.monotonicMs() - startMs }
  } catch (error) {
    deps.logger.warn({ err: error }, 'the database does not answer')
    const latencyMs = deps.clock.monotonicMs() - startMs
    return { isReady: false, message: 'the database does not answer', latencyMs }
  }
}
