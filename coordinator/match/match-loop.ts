/**
 * The third step: queued executions get a worker of this coordinator and a new epoch.
 *
 * M1. An assignment is committed before anything is sent (A2).
 * M2. Slots are reserved before the commit, so that two rounds never give the same slot away.
 * M3. A claim holds the leases of its sessions: one that ends at the same time either sees the claim or prevents it.
 * M4. Slots whose claim was not confirmed stay taken until the database has told what became of it: a COMMIT whose
 *     answer was lost may have happened.
 * M5. Which classes have something queued is asked again some time later (pause-after.ts), and whenever those that had are
 *     empty. That question costs as much as a claim, and far more beside dead rows (queue-fronts.ts).
 * M6. Room for more causes a round unless the last one has found the queue empty: then whoever has something new uses it. That is
 *     believed for half a second: a look that finds no slot free cannot look, and knows nothing any more.
 */
import { Ticker } from '../../shared/ticker.ts'
import type { Deps } from '../deps.ts'
import type { WorkerOffer } from '../job/offer.ts'
import type { Fleet } from './fleet.ts'
import { eligibleOffers, matchQueued, type Pair, type PlacementClass } from './match.ts'
import {
  type ClaimedExecution,
  claimQueued,
  holdSessions,
  lockQueued,
  queuedClasses,
  readClaims,
} from './match-queries.ts'
import { beginPairs, type NewPairs } from './pair-new.ts'
import { pauseAfter } from './pause-after.ts'
import { QueueFronts } from './queue-fronts.ts'

/** Executions claimed in one transaction: enough for messages of many assignments each, also to a dozen workers. */
const BATCH = 1_000
const CLASSES = { leastMs: 100, mostMs: 2_000 }
/** Looks at least so often, in ms: another coordinator may have queued something. */
const LOOK_MS = 500

export interface Match {
  readonly loop: Ticker
  /** Gives what one transaction inserts to free workers, if nothing can be waiting for them (pair-new.ts). */
  beginPairs(): NewPairs
  /** Slots that what is new can have at once; none while something waits for them. */
  freeSlots(): number
}

export function createMatch(deps: Deps, fleet: Fleet): Match {
  /** M4. */
  const doubtful: Pair[] = []
  const classes = createQueuedClasses(deps)
  const fronts = new QueueFronts(deps.clock)
  /** How often somebody has said that there is work or room, and what that was when a round last found nothing to do. */
  let saidCount = 0
  let idleAtCount = -1
  let isEmpty = false
  const isQueueEmpty = () => idleAtCount === saidCount
  deps.hints.on('queue', () => {
    saidCount += 1
  })
  deps.hints.on('room', () => {
    if (isEmpty && isQueueEmpty()) return
    saidCount += 1
    loop.wake()
  })
  const loop = new Ticker({
    ...deps,
    name: 'match',
    runOnce: async () => {
      const saidBefore = saidCount
      const round = await runRound(deps, fleet, { classes, doubtful, fronts })
      // What was claimed another coordinator may have queued; and with no slot free nothing was looked for.
      const isKnown = round.claimed === 0 && round.left !== undefined
      idleAtCount = isKnown ? saidBefore : -1
      isEmpty = isKnown && round.left === 0
      return round.claimed > 0 ? 0 : LOOK_MS
    },
  })
  return {
    loop,
    beginPairs: () =>
      beginPairs(fleet, {
        isQueueEmpty,
        onDoubt(pairs) {
          doubtful.push(...pairs)
          loop.wake()
        },
      }),
    freeSlots: () =>
      isQueueEmpty() ? fleet.offers().reduce((sum, offer) => sum + offer.freeSlots, 0) : 0,
  }
}

interface RoundState {
  readonly classes: QueuedClasses
  readonly doubtful: Pair[]
  readonly fronts: QueueFronts
}

interface RoundOutcome {
  readonly claimed: number
  /** Of a round that has found nothing to do: classes with something queued that fits no free slot. Undefined: none was free. */
  readonly left?: number
}

async function runRound(
  deps: Deps,
  fleet: Fleet,
  { classes, doubtful, fronts }: RoundState,
): Promise<RoundOutcome> {
  if (doubtful.length > 0) await resolveDoubt(deps, fleet, doubtful)
  const offers = fleet.offers().filter(({ freeSlots }) => freeSlots > 0)
  if (offers.length === 0) return { claimed: 0 }
  const { queued, isFresh } = await classes.read()
  const eligible = eligibleOffers(queued, offers)
  const claimed =
    eligible.size === 0
      ? []
      : await claim(deps, fleet, {
          offers,
          classes: queued.filter(({ id }) => eligible.has(id)),
          doubtful,
          fronts,
        })
  await fleet.dispatch(claimed)
  if (claimed.length > 0 || isFresh) return { claimed: claimed.length, left: queued.length }
  classes.forget()
  return runRound(deps, fleet, { classes, doubtful, fronts })
}

interface QueuedClasses {
  /** `isFresh`: they were asked for just now. */
  read(): Promise<{ readonly queued: readonly PlacementClass[]; readonly isFresh: boolean }>
  forget(): void
}

function createQueuedClasses({ clock, db }: Deps): QueuedClasses {
  let known: readonly PlacementClass[] = []
  let knownUntilMs = Number.NEGATIVE_INFINITY
  return {
    async read() {
      const nowMs = clock.monotonicMs()
      if (nowMs < knownUntilMs) return { queued: known, isFresh: false }
      known = await queuedClasses(db)
      const endMs = clock.monotonicMs()
      knownUntilMs = endMs + pauseAfter(endMs - nowMs, CLASSES)
      return { queued: known, isFresh: true }
    },
    forget() {
      knownUntilMs = Number.NEGATIVE_INFINITY
    },
  }
}

interface Round {
  readonly offers: readonly WorkerOffer[]
  readonly classes: readonly PlacementClass[]
  /** Gets the pairs of a claim that was not confirmed. */
  readonly doubtful: Pair[]
  readonly fronts: QueueFronts
}

/** Gives back what was not claimed after all, and sends what was. */
async function resolveDoubt(deps: Deps, fleet: Fleet, doubtful: Pair[]): Promise<void> {
  const asked = [...doubtful]
  const claimed = await readClaims(deps.db, asked)
  // The direct path may have added some meanwhile.
  doubtful.splice(0, asked.length)
  const ids = new Set(claimed.map(({ id }) => id))
  for (const pair of asked) if (!ids.has(pair.executionId)) fleet.unreserve(pair)
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
      const freeSlots = round.offers.reduce((sum, offer) => sum + offer.freeSlots, 0)
      const limit = Math.min(BATCH, freeSlots)
      const classIds = round.classes.map(({ id }) => id)
      const queued = await round.fronts.read(classIds, limit, (looks) => {
        return lockQueued(tx, looks, limit)
      })
      // M2. The direct path may have reserved some meanwhile; from here to the reservation nothing is waited for.
      const offers = fleet.offers().filter(({ sessionId }) => live.has(sessionId))
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
