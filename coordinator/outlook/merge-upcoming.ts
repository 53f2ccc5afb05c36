/**
 * The due times of many schedules as one sequence, in order of time, then job. Pure.
 *
 * M1. What comes out does not depend on the order in which the schedules are given, nor on where a page was cut.
 * M2. The work is one step of one schedule for each time that is taken, and one for each schedule to begin with.
 */
import type { CompiledSchedule } from '../../shared/schedule/next-due.ts'

export interface UpcomingSource {
  readonly job: string
  readonly walk: CompiledSchedule
  /** Everything up to here is decided, in ms since the Unix epoch. */
  readonly markMs: number
}

export interface UpcomingTime<S extends UpcomingSource = UpcomingSource> {
  readonly atMs: number
  readonly source: S
}

export interface UpcomingSpan {
  /** In it. */
  readonly startMs: number
  /** Not in it. */
  readonly endMs: number
  /** Only what comes behind this. */
  readonly after?: { readonly atMs: number; readonly job: string } | undefined
}

/** Where merging stands: what is taken, and how many schedules have more. */
export class UpcomingTimes<S extends UpcomingSource> {
  readonly #endMs: number
  /** A binary heap: each is not behind its two children. */
  readonly #heap: UpcomingTime<S>[] = []

  constructor(sources: Iterable<S>, span: UpcomingSpan) {
    this.#endMs = span.endMs
    for (const source of sources) {
      const atMs = firstOf(source, span)
      if (atMs < span.endMs) this.#push({ atMs, source })
    }
  }

  /** How many schedules have a time that was not taken yet. */
  get openCount(): number {
    return this.#heap.length
  }

  /** The next time, without taking it. */
  get head(): UpcomingTime<S> | undefined {
    return this.#heap[0]
  }

  take(): UpcomingTime<S> | undefined {
    const first = this.#heap[0]
    if (first === undefined) return undefined
    const atMs = first.source.walk.next(first.atMs)
    const last = atMs < this.#endMs ? { atMs, source: first.source } : this.#heap.pop()
    if (last !== undefined && this.#heap.length > 0) this.#sink(last)
    return first
  }

  #push(time: UpcomingTime<S>): void {
    let at = this.#heap.push(time) - 1
    while (at > 0) {
      const parent = (at - 1) >> 1
      const above = this.#heap[parent]
      if (above === undefined || !isBefore(time, above)) break
      this.#heap[at] = above
      at = parent
    }
    this.#heap[at] = time
  }

  /** Puts the time in the place of the first one. */
  #sink(time: UpcomingTime<S>): void {
    const heap = this.#heap
    let at = 0
    for (;;) {
      const [left, right] = [heap[2 * at + 1], heap[2 * at + 2]]
      if (left === undefined) break
      const isRight = right !== undefined && isBefore(right, left)
      const child = isRight ? right : left
      if (!isBefore(child, time)) break
      heap[at] = child
      at = 2 * at + (isRight ? 2 : 1)
    }
    heap[at] = time
  }
}

function firstOf({ job, markMs, walk }: UpcomingSource, { startMs, after }: UpcomingSpan): number {
  const fromMs = Math.max(markMs, startMs - 1)
  if (after === undefined) return walk.next(fromMs)
  const atMs = walk.next(Math.max(fromMs, after.atMs - 1))
  return atMs === after.atMs && job <= after.job ? walk.next(atMs) : atMs
}

function isBefore(a: UpcomingTime, b: UpcomingTime): boolean {
  return a.atMs < b.atMs || (a.atMs === b.atMs && a.source.job < b.source.job)
}
