/** Who gets what: queued executions and free slots in, pairs out. Pure. */
import type { ExecutionId } from '../job/execution.ts'
import type { WorkerOffer } from '../job/offer.ts'
import { type PlacementNeeds, rejections } from '../job/placement.ts'
import { compareHealth } from '../job/worker-health.ts'

export interface QueuedExecution {
  readonly id: ExecutionId
  readonly classId: number
  readonly priority: number
  readonly availableAt: Date
}

export interface PlacementClass {
  readonly id: number
  readonly needs: PlacementNeeds
}

export interface Pair {
  readonly executionId: ExecutionId
  readonly offer: WorkerOffer
  readonly slots: number
}

/**
 * Loads that differ by less than such a part of a worker's slots count as the same, so that what comes together goes together: one
 * message, one report and one transaction for some, not for each. Workers of few slots are compared slot by slot.
 */
const LOAD_STEPS = 64

/** For each class the offers that fit it; classes that fit nobody are left out. */
export function eligibleOffers(
  classes: readonly PlacementClass[],
  offers: readonly WorkerOffer[],
): ReadonlyMap<number, readonly WorkerOffer[]> {
  const fitting = classes.map(
    ({ id, needs }) =>
      [
        id,
        offers.filter(
          (offer) => offer.freeSlots >= needs.slots && rejections(needs, offer).length === 0,
        ),
      ] as const,
  )
  return new Map(fitting.filter(([, found]) => found.length > 0))
}

/**
 * Pairs in the order of the queue: highest priority first, then the longest available, then by id. Each goes to the
 * fitting worker of the best health, of these with the fewest consecutive failures, then the least loaded. A degraded
 * worker gets one only.
 */
export function matchQueued(
  queued: readonly QueuedExecution[],
  classes: readonly PlacementClass[],
  offers: readonly WorkerOffer[],
): Pair[] {
  const eligible = eligibleOffers(classes, offers)
  const slotsOf = new Map(classes.map(({ id, needs }) => [id, needs.slots]))
  const free = new Map(offers.map((offer) => [offer, offer.freeSlots]))
  const pairs: Pair[] = []
  for (const execution of [...queued].sort(byQueueOrder)) {
    const slots = slotsOf.get(execution.classId) ?? 1
    const offer = bestOffer(eligible.get(execution.classId) ?? [], free, slots)
    if (offer === undefined) continue
    free.set(offer, offer.health === 'degraded' ? 0 : (free.get(offer) ?? 0) - slots)
    pairs.push({ executionId: execution.id, offer, slots })
  }
  return pairs
}

function byQueueOrder(a: QueuedExecution, b: QueuedExecution): number {
  return (
    b.priority - a.priority ||
    a.availableAt.getTime() - b.availableAt.getTime() ||
    (a.id < b.id ? -1 : 1)
  )
}

function bestOffer(
  offers: readonly WorkerOffer[],
  free: ReadonlyMap<WorkerOffer, number>,
  slots: number,
): WorkerOffer | undefined {
  let best: WorkerOffer | undefined
  for (const offer of offers) {
    if ((free.get(offer) ?? 0) < slots) continue
    if (best === undefined || isBetter(offer, best, free)) best = offer
  }
  return best
}

function isBetter(a: WorkerOffer, b: WorkerOffer, free: ReadonlyMap<WorkerOffer, number>): boolean {
  if (a.health !== b.health) return compareHealth(a.health, b.health) < 0
  if (a.consecutiveFailures !== b.consecutiveFailures) {
    return a.consecutiveFailures < b.consecutiveFailures
  }
  const usedA = usedSteps(a, free)
  const usedB = usedSteps(b, free)
  if (usedA !== usedB) return usedA < usedB
  return a.loadRatio < b.loadRatio
}

function usedSteps(offer: WorkerOffer, free: ReadonlyMap<WorkerOffer, number>): number {
  return Math.floor((1 - (free.get(offer) ?? 0) / offer.slots) * LOAD_STEPS)
}
