import { Ticker } from '../../shared/ticker.ts'
import type { Deps } from '../deps.ts'
import type { EndedExecution } from '../job/new-execution.ts'
import type { Db } from '../store/database.ts'
import { lockPastDeadline, nextReleaseMs, releaseDue } from './enqueue-queries.ts'

/** At most so many in one statement; the rest follows at once. */
const BATCH = 500
/** Looks at least so often, in ms: another coordinator may have put something here. */
const LOOK_MS = 1_000

/** Retries and delayed starts come back into the queue when their time has come; those past their deadline end. */
export function createReleaseLoop(
  deps: Deps,
  endExecutions: (tx: Db, ended: readonly EndedExecution[]) => Promise<unknown>,
): Ticker {
  const expireDeadlines = async (): Promise<number> =>
    deps.db.transaction().execute(async (tx) => {
      const late = await lockPastDeadline(tx, BATCH)
      await endExecutions(
        tx,
        late.map((id) => ({
          id,
          state: 'failed' as const,
          reasonCode: 'DEADLINE',
          reasonMessage: 'did not start within its start deadline',
        })),
      )
      return late.length
    })

  return new Ticker({
    ...deps,
    name: 'release',
    runOnce: async () => {
      const released = await releaseDue(deps.db, BATCH)
      if (released.includes('queued')) deps.hints.give('queue')
      if (released.includes('waiting')) deps.hints.give('overlap')
      const expired = await expireDeadlines()
      if (released.length === BATCH || expired === BATCH) return 0
      return Math.max(0, Math.min(LOOK_MS, (await nextReleaseMs(deps.db)) ?? LOOK_MS))
    },
  })
}
