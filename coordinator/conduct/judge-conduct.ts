/** What agents may not do, how much each weighs, and when it is too much. Pure. */
import type { Rate } from '../../shared/token-bucket.ts'

/**
 * `protocol`: broke the rules of a stream, which ended it. `flood`: more than any honest agent sends, for long.
 * `foreign`: spoke of an attempt of another worker. `impossible`: an epoch that cannot be yet, an offset that no output
 * has. `impostor`: two agents speak in turns as this worker. `unknown`: an attempt that nobody has a record of; so are
 * those that were refused or never accepted, and those that a failover lost. `stale`: an attempt that was this worker's
 * and is over; every lost connection and every failover makes some.
 */
export type Offence =
  | 'protocol'
  | 'flood'
  | 'foreign'
  | 'impossible'
  | 'impostor'
  | 'unknown'
  | 'stale'

/**
 * What each takes from the patience with a worker. Only malice or a broken agent commits those that weigh much; the weight
 * of the others leaves room for all that the longest outage of the largest honest agent can make, many times over.
 */
export const WEIGHTS: Readonly<Record<Offence, number>> = {
  flood: 20,
  protocol: 5,
  impostor: 2,
  foreign: 1,
  impossible: 1,
  unknown: 0.001,
  stale: 0.0001,
}

/** Twenty in a row, and one every 30 s: a few mistakes are forgiven for ever, a habit is not. */
export const PATIENCE: Rate = { perSecond: 1 / 30, burst: 20 }

/** Stale ones are the noise of honest races: they are counted apart, and not as refused. */
export function isRefused(offence: Offence): boolean {
  return offence !== 'stale'
}

const QUARANTINE_MS = 10_000
const QUARANTINE_MS_MAX = 600_000
/** A worker that was quarantined this often in a row needs a person. */
const QUARANTINES_MAX = 3

/** The length of the `count`th quarantine in a row, in ms. */
export function quarantineMs(count: number): number {
  return Math.min(QUARANTINE_MS_MAX, QUARANTINE_MS * 2 ** (count - 1))
}

/** The next one after so long without any, in ms, is the first in a row again. */
export const FORGIVEN_AFTER_MS = 3_600_000

export function isHopeless(quarantines: number): boolean {
  return quarantines >= QUARANTINES_MAX
}

/** The evidence, for people: what was seen since when. */
export function describeOffences(
  counts: Readonly<Partial<Record<Offence, number>>>,
  detail: string,
): string {
  const listed = Object.entries(counts)
    .filter(([, count]) => count > 0)
    .map(([offence, count]) => `${count} ${offence}`)
  return `refused messages of its agent: ${listed.join(', ')}; the last one: ${detail}`
}
