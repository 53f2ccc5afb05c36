/** Instants as the clocks of a zone show them. */
import { DAY_S } from '../civil.ts'
import { formatDay } from '../describe/day-text.ts'
import { clockTime } from '../describe/words.ts'

/** `2026-11-20 02:30`: of a wall-clock time in seconds. */
export function wallText(wall: number): string {
  const day = Math.floor(wall / DAY_S)
  return `${formatDay(day)} ${wallClock(wall)}`
}

/** `02:30`, with seconds when there are any. */
export function wallClock(wall: number): string {
  const time = wall - Math.floor(wall / DAY_S) * DAY_S
  return clockTime(Math.floor(time / 3_600), Math.floor(time / 60) % 60, time % 60)
}

/** RFC 3339 with the offset of the zone; both in seconds. */
export function localTime(instant: number, offset: number): string {
  const wall = instant + offset
  const day = Math.floor(wall / DAY_S)
  const time = wall - day * DAY_S
  const clock = clockTime(Math.floor(time / 3_600), Math.floor(time / 60) % 60)
  const second = `${time % 60}`.padStart(2, '0')
  return `${formatDay(day)}T${clock}:${second}${offsetText(offset)}`
}

/** `+01:00`; offsets of long ago have seconds. */
function offsetText(offset: number): string {
  const size = Math.abs(offset)
  const text = clockTime(Math.floor(size / 3_600), Math.floor(size / 60) % 60, size % 60)
  return `${offset < 0 ? '-' : '+'}${text}`
}
