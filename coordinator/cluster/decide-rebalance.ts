/** Pure: which agents a coordinator sends to others, so that all serve about the same number. */

/** A coordinator that takes agents. */
export interface Load {
  readonly id: string
  readonly address: string
  readonly sessionCount: number
}

export interface Transfer {
  readonly address: string
  readonly count: number
}

/** A surplus below this part of the mean stays where it is. */
const HYSTERESIS = 0.1
/** Of the own sessions at most at once; one may always go. */
const SHARE = 0.25

/**
 * What `own` sends away. Every coordinator that sees the same numbers shares the room of the others out in the same way, so
 * that several never fill one of them twice; none goes below the mean, so nothing comes back.
 */
export function decideRebalance(own: Load, others: readonly Load[]): Transfer[] {
  const all = [own, ...others]
  const total = all.reduce((sum, { sessionCount }) => sum + sessionCount, 0)
  const mean = Math.ceil(total / all.length)
  const surplus = own.sessionCount - mean
  if (surplus < Math.max(1, mean * HYSTERESIS)) return []
  const before = all
    .filter(({ id }) => id < own.id)
    .reduce((sum, { sessionCount }) => sum + Math.max(0, sessionCount - mean), 0)
  const count = Math.min(surplus, Math.max(1, Math.floor(own.sessionCount * SHARE)))
  const places = placesIn(others, mean).slice(before, before + count)
  return [...Map.groupBy(places, (address) => address)].map(([address, taken]) => ({
    address,
    count: taken.length,
  }))
}

/** Every place below the mean, the places of the emptiest coordinators first. */
function placesIn(others: readonly Load[], mean: number): string[] {
  const byId = others.toSorted((a, b) => (a.id < b.id ? -1 : 1))
  const lowest = Math.min(...byId.map(({ sessionCount }) => sessionCount))
  const places: string[] = []
  for (let level = lowest; level < mean; level++) {
    for (const { address, sessionCount } of byId) if (sessionCount <= level) places.push(address)
  }
  return places
}
