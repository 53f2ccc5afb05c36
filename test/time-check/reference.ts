/** Every due instant of a window, by looking at each moment of it: the meaning of the policies, written down once more. */
import type { KnownPattern } from './known-pattern.ts'
import type { WallWindow } from './wall-window.ts'

export interface Policies {
  readonly gap: 'run_after' | 'skip' | 'shift'
  readonly fold: 'first' | 'last' | 'both'
}

export interface Range {
  /** Not included. */
  readonly after: number
  /** Included. */
  readonly until: number
}

export interface Expectation {
  readonly window: WallWindow
  readonly pattern: KnownPattern
  readonly policies: Policies
}

export function dueInstants({ window, pattern, policies }: Expectation, range: Range): number[] {
  const matches = matcher(pattern)
  const due = new Set<number>()
  for (const { at, wall, isFirst, isLast } of window.moments) {
    if (!matches(wall)) continue
    const isWanted =
      pattern.isInterval ||
      policies.fold === 'both' ||
      (policies.fold === 'first' ? isFirst : isLast)
    if (isWanted) due.add(at)
  }
  const isGapLost = pattern.isInterval || policies.gap === 'skip'
  for (const { wall, resumesAt, shiftedTo } of isGapLost ? [] : window.missing) {
    if (matches(wall)) due.add(policies.gap === 'shift' ? shiftedTo : resumesAt)
  }
  return [...due].filter((at) => at > range.after && at <= range.until).sort((a, b) => a - b)
}

function matcher(pattern: KnownPattern): (wall: number) => boolean {
  let lastDay = Number.NaN
  let isDate = false
  return (wall) => {
    const day = Math.floor(wall / 86_400)
    if (day !== lastDay) {
      const date = new Date(day * 86_400_000)
      const [year, month] = [date.getUTCFullYear(), date.getUTCMonth() + 1]
      isDate = pattern.matchesDate({ year, month, day: date.getUTCDate() })
      lastDay = day
    }
    return isDate && pattern.matchesTime(wall - day * 86_400)
  }
}
