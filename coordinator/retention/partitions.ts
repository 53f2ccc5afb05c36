/** Which daily partitions there should be. Pure. */

const DAY_MS = 86_400_000
/** Days made ahead: a coordinator that cannot make any for a week has other troubles. */
const DAYS_AHEAD = 7

export interface DayPartition {
  readonly name: string
  /** ISO times, UTC. */
  readonly from: string
  readonly to: string
}

/** The partitions from today on that a table needs. */
export function wantedPartitions(table: string, now: Date): DayPartition[] {
  const today = Math.floor(now.getTime() / DAY_MS) * DAY_MS
  return Array.from({ length: DAYS_AHEAD + 1 }, (_, day) => {
    const from = new Date(today + day * DAY_MS)
    const to = new Date(today + (day + 1) * DAY_MS)
    return { name: partitionName(table, from), from: from.toISOString(), to: to.toISOString() }
  })
}

/** Those of `existing` whose whole day is older than `keepMs`. */
export function expiredPartitions(
  table: string,
  existing: readonly string[],
  { now, keepMs }: { readonly now: Date; readonly keepMs: number },
): string[] {
  const oldestKept = partitionName(table, new Date(now.getTime() - keepMs))
  return existing.filter((name) => name.startsWith(`${table}_2`) && name < oldestKept)
}

function partitionName(table: string, day: Date): string {
  return `${table}_${day.toISOString().slice(0, 10).replaceAll('-', '')}`
}
