/** What the clocks of a zone show, instant by instant: asked of Intl, of which the product knows nothing. */

export interface Moment {
  /** Seconds since the Unix epoch. */
  readonly at: number
  /** What the clock shows, as if it were UTC. */
  readonly wall: number
  /** No instant before, or none after, shows the same. */
  readonly isFirst: boolean
  readonly isLast: boolean
}

/** A time that no clock showed. */
export interface Missing {
  readonly wall: number
  /** The first instant after the gap. */
  readonly resumesAt: number
  /** When the clock of before the gap would have shown it. */
  readonly shiftedTo: number
}

export interface WallWindow {
  readonly zone: string
  readonly moments: readonly Moment[]
  readonly missing: readonly Missing[]
}

export interface WindowWish {
  readonly zone: string
  readonly from: number
  readonly to: number
  /** Distance of the moments in seconds. */
  readonly step: number
}

export function readWindow({ zone, from, to, step }: WindowWish): WallWindow {
  const clock = wallClock(zone)
  const shown: { at: number; wall: number }[] = []
  for (let at = Math.ceil(from / step) * step; at <= to; at += step) {
    shown.push({ at, wall: clock(at) })
  }
  const first = new Map<number, number>()
  const last = new Map<number, number>()
  for (const { at, wall } of shown) {
    if (!first.has(wall)) first.set(wall, at)
    last.set(wall, at)
  }
  const moments = shown.map(({ at, wall }) => ({
    at,
    wall,
    isFirst: first.get(wall) === at,
    isLast: last.get(wall) === at,
  }))
  return { zone, moments, missing: findMissing(moments, first, step) }
}

function findMissing(
  moments: readonly Moment[],
  shown: ReadonlyMap<number, number>,
  step: number,
): Missing[] {
  const missing: Missing[] = []
  for (const [index, next] of moments.entries()) {
    const before = moments[index - 1]
    if (before === undefined) continue
    for (let wall = before.wall + step; wall < next.wall; wall += step) {
      if (shown.has(wall)) continue
      missing.push({ wall, resumesAt: next.at, shiftedTo: before.at + (wall - before.wall) })
    }
  }
  return missing
}

function wallClock(zone: string): (at: number) => number {
  const format = new Intl.DateTimeFormat('en-US-u-ca-iso8601', {
    timeZone: zone,
    hourCycle: 'h23',
    year: 'numeric',
    month: '2-digit',
    day: '2-digit',
    hour: '2-digit',
    minute: '2-digit',
    second: '2-digit',
  })
  const order = format
    .formatToParts(0)
    .filter(({ type }) => type !== 'literal')
    .map(({ type }) => type)
  const place = (type: string) => order.indexOf(type as (typeof order)[number])
  const [y, m, d] = [place('year'), place('month'), place('day')]
  const [h, min, s] = [place('hour'), place('minute'), place('second')]
  return (at) => {
    const parts = (format.format(at * 1_000).match(/\d+/g) ?? []).map(Number)
    const part = (index: number) => parts[index] ?? Number.NaN
    return Date.UTC(part(y), part(m) - 1, part(d), part(h), part(min), part(s)) / 1_000
  }
}
