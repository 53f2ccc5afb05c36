/**
 * Jobs whose schedules are over become completed.
 *
 * C1. Not in the transaction that decides the last due time: of a crowd of one-shots, changing the jobs would cost as much as
 *     deciding about them, while their executions wait. What is due goes first, but a batch is completed at each look.
 * C2. Between the two the job may have got another schedule, or been paused or deleted: it is completed only when it is
 *     active without one, under the lock that every change of a job takes.
 */
import { Ticker } from '../../shared/ticker.ts'
import type { Deps } from '../deps.ts'
import { recordJobEvents } from '../events/record-event-queries.ts'
import { completeJobs, lockActiveJobs, nextDueMs, takeEndedSchedules } from './schedule-queries.ts'

/** Jobs in one transaction. */
const BATCH = 500
/** Looks at least so often, in ms. */
const LOOK_MS = 1_000

export function createCompleteLoop(deps: Deps): Ticker {
  return new Ticker({
    ...deps,
    name: 'complete',
    runOnce: async () => {
      const taken = await completeBatch(deps)
      if (taken < BATCH) return LOOK_MS
      const waitMs = (await nextDueMs(deps.db)) ?? LOOK_MS
      return waitMs > 0 ? 0 : LOOK_MS
    },
  })
}

/** Answers how many were taken out of the outbox. */
async function completeBatch({ db }: Deps): Promise<number> {
  return db.transaction().execute(async (tx) => {
    const ended = await takeEndedSchedules(tx, BATCH)
    if (ended.length === 0) return 0
    const active = await lockActiveJobs(tx, ended)
    const completed = active.length === 0 ? [] : await completeJobs(tx, active)
    if (completed.length > 0) {
      await recordJobEvents(tx, completed, { change: 'completed', actor: '', message: '' })
    }
    return ended.length
  })
}
