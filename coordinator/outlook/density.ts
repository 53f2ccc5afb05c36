/** How many runs are due in each part of a window, and how many slots they are expected to take. Pure. */

const SECOND_MS = 1_000
const MINUTE_MS = 60_000
const HOUR_MS = 3_600_000
const DAY_MS = 86_400_000

/** Lengths that a person reads at a glance. */
const ROUND_MS = [
  ...[1, 2, 5, 10, 15, 30].map((seconds) => seconds * SECOND_MS),
  ...[1, 2, 5, 10, 15, 30].map((minutes) => minutes * MINUTE_MS),
  ...[1, 2, 3, 6, 12].map((hours) => hours * HOUR_MS),
  ...[1, 2, 7].map((days) => days * DAY_MS),
  14 * DAY_MS,
] as const

/** As many as are chosen for a window; the last one may be begun beside them. */
const CHOSEN_MAX = 48

/** The shortest round length with which the window has at most 48 buckets. */
export function chooseBucketMs(windowMs: number): number {
  const round = ROUND_MS.find((bucketMs) => windowMs <= bucketMs * CHOSEN_MAX)
  return round ?? Math.ceil(windowMs / CHOSEN_MAX / DAY_MS) * DAY_MS
}

export interface DensityWindow {
  readonly startMs: number
  readonly endMs: number
  readonly bucketMs: number
}

export interface DensityBucket {
  readonly startMs: number
  readonly runs: number
  /** Mean over the bucket of the slots that are in use by runs that are due in the window. */
  readonly expectedSlots: number
}

export interface ExpectedRun {
  readonly atMs: number
  readonly slots: number
  /** Undefined: nothing is known; the run is counted, its slots are not. */
  readonly durationMs: number | undefined
}

/** Buckets begin at whole multiples of their length, so that the first and the last one may reach out of the window. */
export function countBuckets({ startMs, endMs, bucketMs }: DensityWindow): number {
  return Math.max(1, Math.ceil(endMs / bucketMs) - Math.floor(startMs / bucketMs))
}

export function measureDensity(
  window: DensityWindow,
  runs: Iterable<ExpectedRun>,
): DensityBucket[] {
  const { bucketMs } = window
  const count = countBuckets(window)
  const firstMs = Math.floor(window.startMs / bucketMs) * bucketMs
  const due = new Array<number>(count).fill(0)
  const busyMs = new Array<number>(count + 1).fill(0)
  /** Slots that are busy from the begin of this bucket on for all of it: differences, summed up at the end. */
  const whole = new Array<number>(count + 1).fill(0)
  for (const { atMs, slots, durationMs = 0 } of runs) {
    const first = Math.floor((atMs - firstMs) / bucketMs)
    add(due, first, 1)
    const endMs = Math.min(atMs + durationMs, firstMs + count * bucketMs)
    const last = Math.floor((endMs - firstMs) / bucketMs)
    if (first === last) {
      add(busyMs, first, slots * (endMs - atMs))
      continue
    }
    add(busyMs, first, slots * (firstMs + (first + 1) * bucketMs - atMs))
    add(busyMs, last, slots * (endMs - (firstMs + last * bucketMs)))
    add(whole, first + 1, slots)
    add(whole, last, -slots)
  }
  let slotsThrough = 0
  return due.map((runsDue, index) => {
    slotsThrough += whole[index] ?? 0
    return {
      startMs: firstMs + index * bucketMs,
      runs: runsDue,
      expectedSlots: slotsThrough + (busyMs[index] ?? 0) / bucketMs,
    }
  })
}

function add(values: number[], index: number, amount: number): void {
  values[index] = (values[index] ?? 0) + amount
}
