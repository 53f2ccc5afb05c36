/**
 * Looks at the loads of all coordinators and says when this one sends agents away.
 *
 * B1. Only after the same coordinators have been there for a while.
 * B2. Only for a difference that has lasted as long.
 * B3. After sending some away it waits as long again, to see what came of it.
 */
import { decideRebalance, type Load, type Transfer } from './decide-rebalance.ts'

export class Rebalancer {
  readonly #settleMs: number
  #members = ''
  #membersSinceMs = 0
  #differsSinceMs: number | undefined
  #sentAtMs = Number.NEGATIVE_INFINITY

  /** `settleMs`: how long "a while" is. */
  constructor(settleMs: number) {
    this.#settleMs = settleMs
  }

  /** What is to be sent away now, at `nowMs` (monotonic). */
  look(nowMs: number, own: Load, others: readonly Load[]): Transfer[] {
    const members = [own, ...others].map(({ id }) => id)
    const key = members.sort().join(' ')
    if (key !== this.#members) {
      this.#members = key
      this.#membersSinceMs = nowMs
    }
    const transfers = decideRebalance(own, others)
    if (transfers.length === 0) this.#differsSinceMs = undefined
    else this.#differsSinceMs ??= nowMs
    if (!this.#isSettled(nowMs)) return []
    this.#differsSinceMs = undefined
    this.#sentAtMs = nowMs
    return transfers
  }

  #isSettled(nowMs: number): boolean {
    if (this.#differsSinceMs === undefined) return false
    const sinceMs = Math.max(this.#membersSinceMs, this.#differsSinceMs, this.#sentAtMs)
    return nowMs - sinceMs >= this.#settleMs
  }
}
