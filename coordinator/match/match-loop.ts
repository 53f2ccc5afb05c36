/**
 * The third step: queued executions get a worker of this coordinator and a new epoch.
 *
 * M1. An assignment is committed before anything is sent (A2).
 * M2. Slots are reserved before the commit, so that two rounds never give the same slot away.
 * M3. A claim holds the leases of its sessions: one that ends at the same time either sees the claim or prevents it.
 */
import { Ticker } from '../../shared/ticker.ts'
import type { Deps } from '../deps.ts'
import type { WorkerOffer } from '../job/offer.ts'
import { eligibleOffers, matchQueued, type Pair, type PlacementClass } from './match.ts'
import {
  type ClaimedExecution,
  claimQueued,
  holdSessions,
  lockQueued,
  queuedClasses,
} from './match-queries.ts'

/** Executions claimed in one transaction. */
const BATCH = 500
/** Looks at least so often, in ms: another coordinator may have queued something. */
const LOOK_MS = 500

/** The connected workers, as the dispatch step knows them. */
export interface Fleet {
  offers(): WorkerOffer[]
  /** Takes the slots of a pair; `false` when the session is gone. */
  reserve(pair: Pair): boolean
  /** Gives reserved slots back that were not claimed. */
  unreserve(pair: Pair): void
  /** Sends what was claimed and committed. */
  dispatch(claimed: readonly ClaimedExecution[]): Promise<void>
}

export function createMatchLoop(deps: Deps, fleet: Fleet): Ticker {
  return new Ticker({
    ...deps,
    name: 'match',
    runOnce: async () => {
      const offers = fleet.offers().filter(({ freeSlots }) => freeSlots > 0)
      if (offers.length === 0) return LOOK_MS
      const classes = await queuedClasses(deps.db)
      const eligible = eligibleOffers(classes, offers)
      if (eligible.size === 0) return LOOK_MS
      const claimed = await claim(deps, fleet, {
        offers,
        classes: classes.filter(({ id }) => eligible.has(id)),
      })
      await fleet.dispatch(claimed)
      return claimed.length === 0 ? LOOK_MS : 0
    },
  })
}

interface Round {
  readonly offers: readonly WorkerOffer[]
  readonly classes: readonly PlacementClass[]
}

async function claim(deps: Deps, fleet: Fleet, round: Round): Promise<ClaimedExecution[]> {
  let reserved: Pair[] = []
  try {
    const claimed = await deps.db.transaction().execute(async (tx) => {
      const live = await holdSessions(
        tx,
        round.offers.map(({ sessionId }) => sessionId),
      )
      const offers = round.offers.filter(({ sessionId }) => live.has(sessionId))
      const freeSlots = offers.reduce((sum, offer) => sum + offer.freeSlots, 0)
      const queued = await lockQueued(
        tx,
        round.classes.map(({ id }) => id),
        Math.min(BATCH, freeSlots),
      )
      const pairs = matchQueued(queued, round.classes, offers).slice(0, BATCH)
      reserved = pairs.filter((pair) => fleet.reserve(pair))
      return reserved.length === 0 ? [] : claimQueued(tx, reserved)
    })
    const ids = new Set(claimed.map(({ id }) => id))
    for (const pair of reserved) if (!ids.has(pair.executionId)) fleet.unreserve(pair)
    return claimed
  } catch (error) {
    for (const pair of reserved) fleet.unreserve(pair)
    throw error
  }
}
