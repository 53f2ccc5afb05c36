import type { Duration } from '../proto/gen/google/protobuf/duration.ts'

const UNIT_MS = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000, w: 604_800_000 } as const

/** Reads `90s`, `1h30m`, `250ms`, `2d`; undefined when it is none of these. A bare number is refused: it has no unit. */
export function parseDurationMs(text: string): number | undefined {
  const parts = [...text.trim().matchAll(/(\d+(?:\.\d+)?)(ms|s|m|h|d|w)/gy)]
  const length = parts.reduce((sum, part) => sum + part[0].length, 0)
  if (parts.length === 0 || length !== text.trim().length) return undefined
  return parts.reduce(
    (sum, part) => sum + Number(part[1]) * UNIT_MS[part[2] as keyof typeof UNIT_MS],
    0,
  )
}

/** Shows `1h30m`, `2.5s`, `250ms`: at most two units. */
export function formatDurationMs(durationMs: number): string {
  if (durationMs < 1_000) return `${Math.round(durationMs)}ms`
  if (durationMs < 60_000) return `${Number((durationMs / 1_000).toFixed(1))}s`
  const units = [
    ['d', UNIT_MS.d],
    ['h', UNIT_MS.h],
    ['m', UNIT_MS.m],
    ['s', UNIT_MS.s],
  ] as const
  const first = units.findIndex(([, unitMs]) => durationMs >= unitMs)
  return units
    .slice(first, first + 2)
    .map(([unit, unitMs], index) => {
      const above = index === 0 ? durationMs : durationMs % (units[first]?.[1] ?? durationMs)
      return [Math.floor(above / unitMs), unit] as const
    })
    .filter(([count]) => count > 0)
    .map(([count, unit]) => `${count}${unit}`)
    .join('')
}

/** Shows `1h30m`, `90s`: all of it, so that parseDurationMs reads the same again. */
export function exactDuration(durationMs: number): string {
  if (durationMs % 60_000 !== 0) {
    return durationMs % 1_000 === 0 ? `${durationMs / 1_000}s` : `${durationMs}ms`
  }
  const units = ['d', 'h', 'm'] as const
  let restMs = durationMs
  const parts = units.map((unit) => {
    const count = Math.floor(restMs / UNIT_MS[unit])
    restMs -= count * UNIT_MS[unit]
    return count === 0 ? '' : `${count}${unit}`
  })
  return parts.join('') || '0s'
}

/** Milliseconds of a protobuf Duration; undefined stays undefined. */
export function durationToMs(duration: Duration): number
export function durationToMs(duration: Duration | undefined): number | undefined
export function durationToMs(duration: Duration | undefined): number | undefined {
  if (duration === undefined) return undefined
  return Number(duration.seconds) * 1_000 + duration.nanos / 1_000_000
}

/** A protobuf Duration of `durationMs`. */
export function durationFromMs(durationMs: number): Duration {
  const seconds = Math.trunc(durationMs / 1_000)
  return { seconds: BigInt(seconds), nanos: Math.round((durationMs - seconds * 1_000) * 1_000_000) }
}
