/**
 * How fast a crowd is decided: what is due together and finds a free worker is assigned as it is stored; what comes faster than
 * workers become free is queued, and costs half as much again.
 *
 * P1. A round decides as many as there are free slots for, and waits a moment for so many.
 * P2. Where none become free, whatever the reason, nothing waits: a wait in vain is not tried again for some rounds.
 */
import { type Clock, sleep } from '../../shared/clock.ts'

/** Waits for room no longer than this in one round, and looks so often, in ms. */
const WAIT_MS = 60
const LOOK_MS = 10
/** Rounds that do not wait after a wait in vain. */
const VAIN_ROUNDS = 10

interface Crowd {
  readonly freeSlots: () => number
  /** Schedules of one transaction at most, and transactions of a round. */
  readonly batch: number
  readonly lanes: number
}

/** Answers how many each transaction of the next round decides at most. */
export function createCrowdPace(
  clock: Clock,
  { batch, freeSlots, lanes }: Crowd,
): () => Promise<number> {
  let roundsLeft = 0
  return async () => {
    if (roundsLeft > 0) {
      roundsLeft -= 1
      return batch
    }
    for (let waitedMs = 0; freeSlots() < batch && waitedMs < WAIT_MS; waitedMs += LOOK_MS) {
      await sleep(clock, LOOK_MS)
    }
    const free = freeSlots()
    if (free >= batch / 2) return Math.min(batch, Math.ceil(free / lanes))
    roundsLeft = VAIN_ROUNDS
    return batch
  }
}
