/** What the checks have looked at, and what they have found, by the numbers of failure-model.md. */
import type { World } from '../world/world.ts'

export interface Violation {
  readonly invariant: number
  readonly message: string
  readonly executionId: string | undefined
  readonly atMs: number
}

export class Findings {
  readonly violations: Violation[] = []
  readonly counts = new Map<number, number>()
  readonly #world: World

  constructor(world: World) {
    this.#world = world
  }

  /** One thing was looked at. */
  count(invariant: number, times = 1): void {
    this.counts.set(invariant, (this.counts.get(invariant) ?? 0) + times)
  }

  /** Counts a look, and is a violation when the thing is not so. */
  check(
    invariant: number,
    isSo: boolean,
    broken: { readonly why: () => string; readonly executionId?: string | undefined },
  ): void {
    this.count(invariant)
    if (!isSo) this.broken(invariant, broken.why(), broken.executionId)
  }

  broken(invariant: number, message: string, executionId?: string): void {
    const atMs = this.#world.nowMs
    this.#world.note(
      'CHECK',
      () => `INVARIANT ${invariant} BROKEN: ${message} ${executionId ?? ''}`,
    )
    this.violations.push({ invariant, message, executionId, atMs })
  }
}
