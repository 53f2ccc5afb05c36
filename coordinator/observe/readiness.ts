import type { Deps } from '../deps.ts'
import { ping } from '../query/stats-queries.ts'

export interface DatabaseCheck {
  readonly isReady: boolean
  readonly message: string
  readonly latencyMs: number
}

/** An answer serves all who ask within this time, in ms: probes need no credentials, and must not cost a query each. */
const FRESH_MS = 250

/** Asks the database, for all at once who want to know; never throws, and answers within the limits of the pool. */
export function createDatabaseCheck(
  deps: Pick<Deps, 'db' | 'clock' | 'logger'>,
): () => Promise<DatabaseCheck> {
  let last: { readonly check: Promise<DatabaseCheck>; readonly startMs: number } | undefined
  return async () => {
    const nowMs = deps.clock.monotonicMs()
    if (last === undefined || nowMs - last.startMs >= FRESH_MS) {
      last = { check: check(deps), startMs: nowMs }
    }
    return last.check
  }
}

async function check(deps: Pick<Deps, 'db' | 'clock' | 'logger'>): Promise<DatabaseCheck> {
  const startMs = deps.clock.monotonicMs()
  try {
    await ping(deps.db)
    return { isReady: true, message: '', latencyMs: deps.clock.monotonicMs() - startMs }
  } catch (error) {
    deps.logger.debug({ err: error }, 'the database does not answer')
    const latencyMs = deps.clock.monotonicMs() - startMs
    return { isReady: false, message: 'the database does not answer', latencyMs }
  }
}
