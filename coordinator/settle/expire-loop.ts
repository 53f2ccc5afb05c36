/** Leases that have ended: what their workers had in hand is lost and goes on elsewhere. */
import { Ticker } from '../../shared/ticker.ts'
import type { Deps } from '../deps.ts'
import { recordWorkerEvents } from '../events/record-event-queries.ts'
import type { SessionId } from '../job/execution.ts'
import { endLeases, observeLeases, recordLastHeard } from './lease-queries.ts'
import { createLeaseWatch, type LeaseTimes } from './lease-watch.ts'
import type { EndedAttempt, Settle } from './settle.ts'

const LOOK_MS = 500

export interface ExpireOptions {
  readonly times: LeaseTimes
  readonly settle: Settle
  /** Told after the commit. */
  readonly onLost: (
    sessionIds: readonly SessionId[],
    ended: readonly EndedAttempt[],
  ) => Promise<void>
}

export function createExpireLoop(deps: Deps, options: ExpireOptions): Ticker {
  const watch = createLeaseWatch(options.times, LOOK_MS)
  return new Ticker({
    ...deps,
    name: 'expire',
    retryMs: LOOK_MS,
    runOnce: async () => {
      const askedMs = deps.clock.monotonicMs()
      const leases = await observeLeases(deps.db)
      const over = new Set(watch.observe(leases, deps.clock.monotonicMs(), askedMs))
      const ending = leases.filter(({ sessionId }) => over.has(sessionId))
      if (ending.length > 0) await expire(deps, options, ending)
      return watch.nextLookMs(deps.clock.monotonicMs())
    },
  })
}

async function expire(
  deps: Deps,
  { settle, onLost }: ExpireOptions,
  ending: Parameters<typeof endLeases>[1],
): Promise<void> {
  const { sessionIds, ended } = await deps.db.transaction().execute(async (tx) => {
    const leases = await endLeases(tx, ending)
    const sessionIds = leases.map(({ sessionId }) => sessionId)
    const message = 'the lease of its worker ended without a report'
    const ended = await settle.settleLost(tx, { sessionIds, message })
    await recordLastHeard(tx, leases)
    await recordWorkerEvents(
      tx,
      leases.map(({ workerId }) => workerId),
      { change: 'lost', actor: '', message: 'its lease ended' },
    )
    return { sessionIds, ended }
  })
  if (sessionIds.length === 0) return
  deps.logger.warn({ sessions: sessionIds, lost: ended.length }, 'leases ended')
  deps.hints.give('queue')
  await onLost(sessionIds, ended)
}
