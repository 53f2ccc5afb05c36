/**
 * Where the queues begin, so that a claim need not begin further ahead.
 *
 * What was claimed leaves its entries at the front of the index until they can be cleaned up, and beside a transaction that
 * stays open nothing can: each claim would walk over all of them once more. So it begins where the one before found
 * its first row.
 *
 * Q1. What lies before that, an execution that came back to the queue, is seen by a look from the very front: a quarter of
 *     a second later, up to two when such looks take long (pause-after.ts).
 * Q2. Only a queue that gave all that was asked for has a front; one that gave less is looked at from the very front at once.
 * Q3. The order of the queue stays: a front is the lowest priority that the look before has seen, and the earliest time; what
 *     has a lower priority is looked at only when all of that one is gone (Q2).
 */
import type { Clock } from '../../shared/clock.ts'
import type { QueuedExecution } from './match.ts'
import { pauseAfter } from './pause-after.ts'

const LOOK = { leastMs: 250, mostMs: 2_000 }

interface QueueFront {
  readonly priority: number
  readonly since: Date
}

/** Before everything that can be queued. */
export const VERY_FRONT: QueueFront = { priority: -(2 ** 31), since: new Date(0) }

/** Look at the queue of a class: at what has this priority or a higher one, and became available at `since` or later. */
export interface QueueLook extends QueueFront {
  readonly classId: number
}

type Looks = (looks: readonly QueueLook[]) => Promise<QueuedExecution[]>

interface Front extends QueueFront {
  /** When to look from the very front again, on the monotonic clock. */
  readonly untilMs: number
}

export class QueueFronts {
  readonly #clock: Clock
  readonly #fronts = new Map<number, Front>()

  constructor(clock: Clock) {
    this.#clock = clock
  }

  /** The heads of these queues, at most `limit` of each, as `look` finds them. */
  async read(classIds: readonly number[], limit: number, look: Looks): Promise<QueuedExecution[]> {
    const fromFront = await this.#readFromFronts(classIds, limit, look)
    if (fromFront !== undefined) return fromFront
    const beganMs = this.#clock.monotonicMs()
    const found = await look(classIds.map((classId) => ({ classId, ...VERY_FRONT })))
    const nowMs = this.#clock.monotonicMs()
    const untilMs = nowMs + pauseAfter(nowMs - beganMs, LOOK)
    this.#remember(found, { classIds, limit, untilMs })
    return found
  }

  /** Undefined when one of them has no front, or gave less than was asked for (Q2). */
  async #readFromFronts(
    classIds: readonly number[],
    limit: number,
    look: Looks,
  ): Promise<QueuedExecution[] | undefined> {
    const nowMs = this.#clock.monotonicMs()
    const fronts = classIds.map((classId) => this.#fronts.get(classId))
    const untilMs = Math.min(...fronts.map((front) => front?.untilMs ?? Number.NEGATIVE_INFINITY))
    if (nowMs >= untilMs) return undefined
    const looks = classIds.map((classId, index) => {
      const { priority, since } = fronts[index] ?? VERY_FRONT
      return { classId, priority, since }
    })
    const found = await look(looks)
    this.#remember(found, { classIds, limit, untilMs })
    return classIds.every((classId) => this.#fronts.has(classId)) ? found : undefined
  }

  #remember(
    found: readonly QueuedExecution[],
    of: {
      readonly classIds: readonly number[]
      readonly limit: number
      readonly untilMs: number
    },
  ): void {
    for (const classId of of.classIds) {
      const own = found.filter((row) => row.classId === classId)
      if (own.length < of.limit) {
        this.#fronts.delete(classId)
        continue
      }
      const since = new Date(Math.min(...own.map(({ availableAt }) => availableAt.getTime())))
      const priority = Math.min(...own.map((row) => row.priority))
      this.#fronts.set(classId, { priority, since, untilMs: of.untilMs })
    }
  }
}
