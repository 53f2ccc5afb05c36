/**
 * The direct path: what is new goes to a free worker within the transaction that inserts it.
 *
 * N1. Only while nothing was left in the queue that a free worker could take: nothing is overtaken, but for what another
 *     coordinator has queued since the last round.
 * N2. M1 to M4 of the match loop hold here too.
 */
import type { ExecutionId } from '../job/execution.ts'
import type { PlacementNeeds } from '../job/placement.ts'
import type { Db } from '../store/database.ts'
import type { Fleet } from './fleet.ts'
import { matchQueued, type Pair } from './match.ts'
import { type ClaimedExecution, claimQueued, holdSessions } from './match-queries.ts'

/** An execution that is inserted by this transaction. */
export interface NewlyQueued {
  readonly id: ExecutionId
  readonly classId: number
  readonly needs: PlacementNeeds
  readonly priority: number
}

export interface NewClaim {
  readonly count: number
  /** The transaction is over: what was claimed is sent, given back, or in doubt. */
  conclude(outcome: Outcome): Promise<void>
}

/** `unknown`: the answer to the COMMIT was lost. */
type Outcome = 'committed' | 'undone' | 'unknown'

const NOTHING: NewClaim = { count: 0, conclude: async () => {} }

export async function claimNew(
  tx: Db,
  fleet: Fleet,
  request: { readonly queued: readonly NewlyQueued[]; readonly onDoubt: (pairs: Pair[]) => void },
): Promise<NewClaim> {
  const { queued, onDoubt } = request
  const reserved = pairUp(fleet, queued).filter((pair) => fleet.reserve(pair))
  if (reserved.length === 0) return NOTHING
  const sessionIds = [...new Set(reserved.map(({ offer }) => offer.sessionId))]
  let claimed: readonly ClaimedExecution[] = []
  try {
    const live = await holdSessions(tx, sessionIds)
    const held = reserved.filter(({ offer }) => live.has(offer.sessionId))
    claimed = held.length === 0 ? [] : await claimQueued(tx, held)
  } catch (error) {
    // A transaction in which a statement has failed cannot commit.
    for (const pair of reserved) fleet.unreserve(pair)
    throw error
  }
  return {
    count: claimed.length,
    async conclude(outcome) {
      if (outcome === 'unknown') return onDoubt(reserved)
      const ids = new Set(outcome === 'committed' ? claimed.map(({ id }) => id) : [])
      for (const pair of reserved) if (!ids.has(pair.executionId)) fleet.unreserve(pair)
      if (outcome === 'committed') await fleet.dispatch(claimed)
    },
  }
}

/** In the order of their priority; all became available at the same time. */
function pairUp(fleet: Fleet, queued: readonly NewlyQueued[]): Pair[] {
  const offers = fleet.offers().filter(({ freeSlots }) => freeSlots > 0)
  if (offers.length === 0 || queued.length === 0) return []
  const classes = new Map(queued.map(({ classId, needs }) => [classId, { id: classId, needs }]))
  const availableAt = new Date(0)
  return matchQueued(
    queued.map(({ id, classId, priority }) => ({ id, classId, priority, availableAt })),
    [...classes.values()],
    offers,
  )
}
