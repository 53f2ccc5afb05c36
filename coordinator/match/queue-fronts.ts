/**
 * Where the queues begin, so that a claim need not begin further ahead.
 *
 * What was claimed leaves its entries at the front of the index until they can be cleaned up, and beside a transaction that
 * stays open nothing can: each claim would walk over all of them once more. So it begins where the one before found
 * its first row.
 *
 * Q1. What lies before that, an execution that came back to the queue or one of a lower priority, is seen by a look from the
 *     very front: after LOOK_MS, or later when such looks take long, so that they take a twentieth of the time; but
 *     after LOOK_MAX_MS at the latest.
 * Q2. Only a queue that gave all that was asked for has a front; one that gave less is looked at from the very front at once.
 */
import type { Clock } from '../../shared/clock.ts'
import type { QueuedExecution } from './match.ts'

const LOOK_MS = 250
const LOOK_MAX_MS = 2_000
const LOOK_PART = 20

/** Before everything that can be queued. */
const VERY_FRONT = new Date(0)

/** Look at the queue of a class, from what became available at `since` on. */
export interface QueueLook {
  readonly classId: number
  readonly since: Date
}

type Looks = (looks: readonly QueueLook[]) => Promise<QueuedExecution[]>

interface Front {
  readonly since: Date
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
    const found = await look(classIds.map((classId) => ({ classId, since: VERY_FRONT })))
    const nowMs = this.#clock.monotonicMs()
    const waitMs = Math.min(LOOK_MAX_MS, Math.max(LOOK_MS, LOOK_PART * (nowMs - beganMs)))
    this.#remember(found, { classIds, limit, untilMs: nowMs + waitMs })
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
      return { classId, since: fronts[index]?.since ?? VERY_FRONT }
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
      const sinceMs = Math.min(...own.map(({ availableAt }) => availableAt.getTime()))
      this.#fronts.set(classId, { since: new Date(sinceMs), untilMs: of.untilMs })
    }
  }
}
