/**
 * The third step: queued executions get a worker of this coordinator and a new epoch.
 *
 * M1. An assignment is committed before anything is sent (A2).
 * M2. Slots are reserved before the commit, so that two rounds never give the same slot away.
 * M3. A claim holds the leases of its sessions: one that ends at the same time either sees the claim or prevents it.
 * M4. Slots whose claim was not confirmed stay taken until the database has told what became of it: a COMMIT whose
 *     answer was lost may have happened.
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
  readClaims,
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
  /** M4. */
  const doubtful: Pair[] = []
  return new Ticker({
    ...deps,
    name: 'match',
    runOnce: async () => {
      if (doubtful.length > 0) await resolveDoubt(deps, fleet, doubtful)
      const offers = fleet.offers().filter(({ freeSlots }) => freeSlots > 0)
      if (offers.length === 0) return LOOK_MS
      const classes = await queuedClasses(deps.db)
      const eligible = eligibleOffers(classes, offers)
      if (eligible.size === 0) return LOOK_MS
      const claimed = await claim(deps, fleet, {
        offers,
        classes: classes.filter(({ id }) => eligible.has(id)),
        doubtful,
      })
      await fleet.dispatch(claimed)
      return claimed.length === 0 ? LOOK_MS : 0
    },
  })
}

interface Round {
  readonly offers: readonly WorkerOffer[]
  readonly classes: readonly PlacementClass[]
  /** Gets the pairs of a claim that was not confirmed. */
  readonly doubtful: Pair[]
}

/** Gives back what was not claimed after all, and sends what was. */
async function resolveDoubt(deps: Deps, fleet: Fleet, doubtful: Pair[]): Promise<void> {
  const claimed = await readClaims(deps.db, doubtful)
  const ids = new Set(claimed.map(({ id }) => id))
  for (const pair of doubtful.splice(0)) if (!ids.has(pair.executionId)) fleet.unreserve(pair)
  await fleet.dispatch(claimed)
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
    round.doubtful.push(...reserved)
    throw error
  }
}
