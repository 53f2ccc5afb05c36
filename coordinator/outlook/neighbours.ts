/** How many other jobs are due in the same minutes. */
import type { Deps } from '../deps.ts'
import { type ActiveSchedule, readSchedules } from './active-schedules.ts'

const MINUTE_MS = 60_000

export interface Neighbours {
  /** Other jobs with a due time in the minute of the time. */
  readonly count: number
  /** There may be more: not all schedules were looked at. */
  readonly isTruncated: boolean
}

/** For each of the times, in their order, those of all jobs but `job`. */
export async function countNeighbours(
  deps: Deps,
  job: string,
  times: readonly Date[],
): Promise<Neighbours[]> {
  const minutes = times.map((time) => Math.floor(time.getTime() / MINUTE_MS) * MINUTE_MS)
  if (minutes.length === 0) return []
  const { completeUntilMs, schedules } = await readSchedules(deps, {
    choice: { exceptJob: job },
    endMs: Math.max(...minutes) + MINUTE_MS,
    isEnough: () => false,
  })
  const counts = new Map<number, number>()
  for (const minute of new Set(minutes)) {
    counts.set(minute, schedules.filter((schedule) => isDueIn(schedule, minute)).length)
    // Ten thousand schedules are some ten milliseconds: others have their turn in between.
    await new Promise((resolve) => setImmediate(resolve))
  }
  return minutes.map((minute) => ({
    count: counts.get(minute) ?? 0,
    isTruncated: minute + MINUTE_MS > completeUntilMs,
  }))
}

function isDueIn({ markMs, walk }: ActiveSchedule, minuteMs: number): boolean {
  return walk.next(Math.max(markMs, minuteMs - 1)) < minuteMs + MINUTE_MS
}
