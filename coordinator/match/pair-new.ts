/**
 * The direct path: what is new gets a free worker within the transaction that inserts it.
 *
 * N1. Only while nothing was left in the queue that a free worker could take: nothing is overtaken, but for what another
 *     coordinator has queued since the last round.
 * N2. M1 to M4 of the match loop hold here too.
 */
import type { ExecutionId } from '../job/execution.ts'
import type { PlacementNeeds } from '../job/placement.ts'
import type { Fleet } from './fleet.ts'
import { matchQueued, type Pair } from './match.ts'
import type { ClaimedExecution } from './match-queries.ts'

/** An execution that this transaction is about to insert. */
export interface NewlyQueued {
  readonly id: ExecutionId
  readonly classId: number
  readonly needs: PlacementNeeds
  readonly priority: number
}

/** The pairs of one transaction. */
export interface NewPairs {
  /** Those that get a worker if its session still lives when they are inserted, and which. */
  pair(queued: readonly NewlyQueued[]): ReadonlyMap<ExecutionId, Pair['offer']>
  /** The transaction is over: what it has assigned is sent, the other slots are free again, or in doubt. */
  conclude(outcome: Outcome, assigned: readonly ClaimedExecution[]): Promise<void>
}

/** `unknown`: the answer to the COMMIT was lost. */
type Outcome = 'committed' | 'undone' | 'unknown'

export interface NewPairsOptions {
  /** N1. */
  readonly isQueueEmpty: () => boolean
  readonly onDoubt: (pairs: readonly Pair[]) => void
}

export function beginPairs(fleet: Fleet, { isQueueEmpty, onDoubt }: NewPairsOptions): NewPairs {
  const reserved: Pair[] = []
  return {
    pair(queued) {
      if (!isQueueEmpty()) return NOBODY
      const pairs = pairUp(fleet, queued).filter((pair) => fleet.reserve(pair))
      reserved.push(...pairs)
      return new Map(pairs.map(({ executionId, offer }) => [executionId, offer]))
    },
    async conclude(outcome, assigned) {
      if (outcome === 'unknown') return onDoubt(reserved)
      const ids = new Set(outcome === 'committed' ? assigned.map(({ id }) => id) : [])
      for (const pair of reserved) if (!ids.has(pair.executionId)) fleet.unreserve(pair)
      if (outcome === 'committed') await fleet.dispatch(assigned)
    },
  }
}

const NOBODY: ReadonlyMap<ExecutionId, Pair['offer']> = new Map()

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
