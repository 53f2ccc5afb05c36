/**
 * From wall-clock times to instants.
 *
 * W1. The answer depends on `after` alone, never on where a walk began: however a walk is cut, it meets the same instants.
 * W2. A wall-clock time in a gap runs at the first instant after the gap, once for all of them; one that comes twice runs
 *     the first time. That is what Vixie cron does (cron(8), "daylight saving time").
 * W3. A rule that names every hour follows elapsed time instead: nothing is moved out of a gap, both passes of a fold run.
 */

export interface WallClockRule {
  readonly timeZone: string
  readonly isEveryHour: boolean
  /** The first wall-clock time strictly after the given one; both in ms as if the zone were UTC. Undefined: none. */
  readonly nextWallMs: (afterWallMs: number) => number | undefined
}

/** A stretch of time with one offset from UTC. `endMs` is the first instant that is not in it. */
interface Segment {
  readonly startMs: number
  readonly endMs: number
  readonly offsetMs: number
  /** Of the stretch before; the same offset when there is none. */
  readonly previousOffsetMs: number
}

/** No offset is further from UTC than this. */
const OFFSET_MS_MAX = 26 * 3_600_000

/** The first instant strictly after `after` at which the rule is due. */
export function nextInstant(rule: WallClockRule, after: Date): Date | undefined {
  let segment = segmentAt(after.getTime(), rule.timeZone)
  let fromWallMs = after.getTime() + segment.offsetMs
  for (;;) {
    const wallMs = rule.nextWallMs(Math.max(fromWallMs, repeatedUntilMs(rule, segment) - 1))
    if (wallMs === undefined) return undefined
    if (wallMs - segment.offsetMs < segment.endMs) return new Date(wallMs - segment.offsetMs)
    const next = segmentAt(segment.endMs, rule.timeZone)
    if (isMovedToStart(rule, next)) return new Date(next.startMs)
    // Nothing is due for long: skip the changes of offset between, except one that repeats what was due just now.
    const nearMs = wallMs - OFFSET_MS_MAX
    const canSkip = nearMs >= next.endMs && next.offsetMs >= next.previousOffsetMs
    segment = canSkip ? segmentAt(nearMs, rule.timeZone) : next
    fromWallMs = segment.startMs + segment.offsetMs - 1
  }
}

/** Wall-clock times of the segment below this have been there before and are not due again (W2). */
function repeatedUntilMs(rule: WallClockRule, segment: Segment): number {
  if (rule.isEveryHour || segment.offsetMs >= segment.previousOffsetMs) return -Infinity
  return segment.startMs + segment.previousOffsetMs
}

/** True when the segment begins after a gap which swallowed a due time (W2). */
function isMovedToStart(rule: WallClockRule, segment: Segment): boolean {
  if (rule.isEveryHour || segment.offsetMs <= segment.previousOffsetMs) return false
  const wallMs = rule.nextWallMs(segment.startMs + segment.previousOffsetMs - 1)
  return wallMs !== undefined && wallMs < segment.startMs + segment.offsetMs
}

function segmentAt(atMs: number, timeZone: string): Segment {
  const at = Temporal.Instant.fromEpochMilliseconds(atMs).toZonedDateTimeISO(timeZone)
  const offsetMs = at.offsetNanoseconds / 1_000_000
  const next = at.getTimeZoneTransition('next')
  const start = at.add({ nanoseconds: 1 }).getTimeZoneTransition('previous')
  const before = start?.subtract({ nanoseconds: 1 })
  return {
    startMs: start?.epochMilliseconds ?? -Infinity,
    endMs: next?.epochMilliseconds ?? Infinity,
    offsetMs,
    previousOffsetMs: before === undefined ? offsetMs : before.offsetNanoseconds / 1_000_000,
  }
}
