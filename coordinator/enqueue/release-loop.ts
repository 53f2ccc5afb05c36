import { Ticker } from '../../shared/ticker.ts'
import type { Deps } from '../deps.ts'
import type { EndedExecution } from '../job/new-execution.ts'
import type { Db } from '../store/database.ts'
import {
  type LateExecution,
  lockPastDeadline,
  nextReleaseMs,
  releaseDue,
} from './enqueue-queries.ts'

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
        late.map((execution) => ({
          id: execution.id,
          state: 'failed' as const,
          reasonCode: 'DEADLINE',
          reasonMessage: describeLate(execution),
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

const WAITED: Readonly<Record<string, string>> = {
  DEPENDENCY: 'it waited for the jobs that it depends on',
  OVERLAP: 'it waited for others of its job',
  SCHEDULED_LATER: 'it waited to be let in',
}

/** What it did instead of starting. */
function describeLate(late: LateExecution): string {
  const why = late.state === 'queued' ? 'no worker took it' : WAITED[late.reason_code]
  const more = late.reason_message === '' ? '' : ` (${late.reason_message})`
  return `should have started by ${late.start_deadline_at.toISOString()}: ${why ?? 'it waited'}${more}`
}
