/**
 * From wall-clock times to instants, across every change of a zone's offset. All numbers are whole seconds.
 *
 * W1. The answer depends on `after` alone, never on where a walk began: however a walk is cut, it meets the same instants.
 * W2. A pattern whose minute or hour begins with `*` is an interval in elapsed time, as in Vixie cron: each instant whose
 *     wall-clock time matches is due, in both passes of a fold, and a gap holds none. No policy changes that.
 * W3. Any other pattern is a wall-clock time. What a gap swallowed runs as the gap policy says, what a fold repeats as the
 *     fold policy says. Several due times that fall on one instant are one.
 * W4. The search ends: 400 years without a due time are taken for never.
 */
import type { Stretch, ZoneOffsets } from './zone/zone-offsets.ts'

export type GapPolicy = 'run_after' | 'skip' | 'shift'
export type FoldPolicy = 'first' | 'last' | 'both'

export interface DstRule {
  readonly gap: GapPolicy
  readonly fold: FoldPolicy
}

/** What Vixie cron does with times of day (cron(8), "daylight saving time"). */
export const DEFAULT_DST: DstRule = { gap: 'run_after', fold: 'first' }

/** How an interval in elapsed time sees it (W2). */
const ELAPSED: DstRule = { gap: 'skip', fold: 'both' }

export interface WallRule {
  /** Minute or hour begins with `*`. */
  readonly isInterval: boolean
  /** Nothing is due before this wall-clock time. */
  readonly start: number
  /** The first wall-clock time strictly after the given one; Infinity for none. */
  readonly nextWall: (after: number) => number
}

/** No two offsets of a zone lie further apart than this. */
const OFFSETS_APART_MAX = 26 * 3_600
const SEARCH_S = 400 * 366 * 86_400

export interface InstantSearch {
  readonly rule: WallRule
  readonly zone: ZoneOffsets
  readonly dst: DstRule
}

/** The first instant strictly after `after` at which the rule is due; Infinity for none. */
export function nextInstant({ rule, zone, dst: chosen }: InstantSearch, asked: number): number {
  // A rule may begin centuries later: that is no search.
  const after = Math.max(asked, rule.start - OFFSETS_APART_MAX)
  const dst = rule.isInterval ? ELAPSED : chosen
  const walk = new WallWalk(rule)
  let stretch = zone.stretchAt(after)
  for (;;) {
    const found = dueWithin(stretch, { walk, dst, after })
    if (found < stretch.end) return found
    if (stretch.end > after + SEARCH_S) return Infinity
    const next = zone.stretchAt(stretch.end)
    // Nothing is due for long: skip the changes between, except one that repeats what was due just now.
    const near = walk.next(lastWall(stretch)) - OFFSETS_APART_MAX
    if (near > after + SEARCH_S) return Infinity
    const canSkip = near >= next.end && next.offset >= next.offsetBefore
    stretch = canSkip ? zone.stretchAt(near) : next
  }
}

interface Search {
  readonly walk: WallWalk
  readonly dst: DstRule
  readonly after: number
}

/** The first due instant of the stretch after `after`; Infinity, or one that is not in the stretch, for none. */
function dueWithin(stretch: Stretch, search: Search): number {
  const fromGap = gapInstant(stretch, search)
  const { walk, dst, after } = search
  const from = Math.max(after, stretch.start - 1) + stretch.offset
  // The second pass of a fold begins with times that have been there before.
  const isRepeated = dst.fold === 'first' && stretch.offset < stretch.offsetBefore
  const fresh = isRepeated ? stretch.start + stretch.offsetBefore - 1 : -Infinity
  const wall = walk.next(Math.max(from, fresh))
  // The first pass ends with times that will be there again.
  const willRepeat = dst.fold === 'last' && stretch.offsetAfter < stretch.offset
  const isLeftForLater = willRepeat && wall >= stretch.end + stretch.offsetAfter
  return Math.min(fromGap, isLeftForLater ? Infinity : wall - stretch.offset)
}

/** Where a due time runs that the gap before the stretch swallowed; Infinity for none after `after`. */
function gapInstant(stretch: Stretch, { walk, dst, after }: Search): number {
  const { start, offset, offsetBefore } = stretch
  const isOver = after >= start + offset - offsetBefore
  if (dst.gap === 'skip' || offset <= offsetBefore || isOver) return Infinity
  if (dst.gap === 'run_after') {
    if (start <= after) return Infinity
    return walk.next(start + offsetBefore - 1) < start + offset ? start : Infinity
  }
  // The clock of before goes on through the gap: the distance from midnight stays the same in elapsed time.
  const wall = walk.next(Math.max(after, start - 1) + offsetBefore)
  return wall < start + offset ? wall - offsetBefore : Infinity
}

function lastWall({ end, offset }: Stretch): number {
  return end + offset - 1
}

/** Asks the rule once for each stretch of wall-clock time in which nothing is due. */
class WallWalk {
  readonly #rule: WallRule
  #from = Infinity
  #next = -Infinity

  constructor(rule: WallRule) {
    this.#rule = rule
  }

  next(after: number): number {
    if (after >= this.#from && after < this.#next) return this.#next
    this.#from = after
    this.#next = this.#rule.nextWall(after)
    return this.#next
  }
}
