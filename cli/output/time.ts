import { formatDurationMs } from '../../shared/duration.ts'
import { isoSeconds } from '../../shared/rfc-3339.ts'

/** `3m ago`, `in 2h5m`, `now`: one glance is enough in a table. */
export function relativeTime(time: Date, now: Date): string {
  const distanceMs = time.getTime() - now.getTime()
  const seconds = Math.round(Math.abs(distanceMs) / 1_000)
  if (seconds === 0) return 'now'
  const distance = formatDurationMs(coarse(seconds) * 1_000)
  return distanceMs > 0 ? `in ${distance}` : `${distance} ago`
}

/** `2026-11-20T10:15:00Z (3m ago)`: may be pasted into a filter. */
export function exactTime(time: Date, now: Date): string {
  return `${isoSeconds(time)} (${relativeTime(time, now)})`
}

/** `10:15:02`, in the zone of the terminal. */
export function timeOfDay(time: Date): string {
  return time.toTimeString().slice(0, 8)
}

/** Seconds matter within ten minutes, minutes within a day, hours within four. */
function coarse(seconds: number): number {
  const stepSeconds = seconds < 600 ? 1 : seconds < 86_400 ? 60 : seconds < 345_600 ? 3_600 : 86_400
  return Math.floor(seconds / stepSeconds) * stepSeconds
}
