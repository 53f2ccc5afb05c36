/** From what the clocks of a zone show to the instants at which they do. */
import { DAY_S, dayNumber, daysInMonth } from '../civil.ts'
import { ZoneOffsets } from './zone-offsets.ts'

/** All in seconds; `day` counts from 1970-01-01. */
export interface WallTime {
  /** Undefined: of no certain day. */
  readonly day: number | undefined
  readonly time: number
}

const WALL_TIME = /^(?:(\d{4})-(\d\d)-(\d\d)[T ])?(\d\d?):(\d\d)(?::(\d\d))?$/i

/** Reads `02:00`, `2:00:30`, `2026-11-20 02:00`, `2026-11-20T02:00:00`; undefined when it is none of these. */
export function parseWallTime(text: string): WallTime | undefined {
  const match = WALL_TIME.exec(text.trim())
  if (match === null) return undefined
  const [year, month, day, hour, minute, second] = match.slice(1).map((part) => Number(part ?? 0))
  if (hour === undefined || minute === undefined || second === undefined) return undefined
  if (hour > 23 || minute > 59 || second > 59) return undefined
  const time = hour * 3_600 + minute * 60 + second
  if (match[1] === undefined) return { day: undefined, time }
  if (!year || !month || !day || month > 12 || day > daysInMonth(year, month)) return undefined
  return { day: dayNumber(year, month, day), time }
}

/** No two offsets of a zone lie further apart than this. */
const AROUND_S = 26 * 3_600

/**
 * The instants at which the clocks show `wall`, in order: one, or two in a fold. Of a time that a gap leaves out, where it
 * runs instead: the first instant after the gap, and the one with the same distance from midnight.
 */
export function instantsOf(zoneName: string, wall: number): number[] {
  const zone = new ZoneOffsets(zoneName)
  const found: number[] = []
  let instead: number[] = []
  for (let at = wall - AROUND_S; at < wall + AROUND_S; ) {
    const { start, end, offset, offsetBefore } = zone.stretchAt(at)
    const instant = wall - offset
    if (instant >= start && instant < end) found.push(instant)
    if (wall >= start + offsetBefore && wall < start + offset)
      instead = [start, wall - offsetBefore]
    at = end
  }
  return found.length > 0 ? found : instead
}

/** Of a time of no certain day the last instants that are not after `now`, in seconds; empty when there are none. */
export function lastInstantsOf(zoneName: string, { day, time }: WallTime, now: number): number[] {
  if (day !== undefined) return instantsOf(zoneName, day * DAY_S + time)
  const today = Math.floor(now / DAY_S)
  // A zone is at most a day ahead; one may have left out a whole day.
  for (let back = -1; back <= 3; back++) {
    const instants = instantsOf(zoneName, (today - back) * DAY_S + time)
    const past = instants.filter((instant) => instant <= now)
    if (past.length > 0) return past
  }
  return []
}
