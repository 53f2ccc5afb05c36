/** What is due next: the runs of a window page by page, and how dense they are. */
import type { Deps } from '../deps.ts'
import type { JobId } from '../job/execution.ts'
import {
  type ActiveSchedule,
  type ActiveSchedules,
  type Position,
  readSchedules,
} from './active-schedules.ts'
import { type DensityBucket, type DensityWindow, measureDensity } from './density.ts'
import { type UpcomingSpan, type UpcomingTime, UpcomingTimes } from './merge-upcoming.ts'
import { readExpectedDurations, type ScheduleChoice } from './outlook-queries.ts'

export interface UpcomingPage {
  readonly runs: readonly UpcomingRun[]
  readonly hasMore: boolean
  readonly completeUntilMs: number
  readonly leftCount: number
}

export interface UpcomingRun {
  readonly job: string
  readonly atMs: number
  readonly slots: number
  /** Undefined: the job has no successful execution to learn from. */
  readonly expectedMs: number | undefined
}

export interface UpcomingListing extends UpcomingSpan {
  readonly choice: ScheduleChoice
  readonly limit: number
}

export async function listUpcoming(deps: Deps, listing: UpcomingListing): Promise<UpcomingPage> {
  const { choice, endMs, limit } = listing
  const take = (schedules: readonly ActiveSchedule[]) => takeTimes(schedules, listing, limit + 1)
  const { schedules, leftCount, completeUntilMs } = await readSchedules(deps, {
    ...{ choice, endMs },
    // Nothing that was not read comes before the last of the page.
    isEnough: (read, last) => isUpTo(take(read)[limit], last),
  })
  const times = take(schedules)
  const page = times.slice(0, limit)
  const durations = await readExpectedDurations(deps.db, jobsOf(page))
  const runs = page.map(({ atMs, source: { job, jobId, slots } }) => {
    return { job, atMs, slots, expectedMs: durations.get(jobId) }
  })
  return { runs, hasMore: times.length > limit, leftCount, completeUntilMs }
}

function isUpTo(time: UpcomingTime | undefined, { atMs, job }: Position): boolean {
  return time !== undefined && (time.atMs < atMs || (time.atMs === atMs && time.source.job <= job))
}

function takeTimes(
  schedules: readonly ActiveSchedule[],
  span: UpcomingSpan,
  count: number,
): UpcomingTime<ActiveSchedule>[] {
  const times = new UpcomingTimes(schedules, span)
  const taken: UpcomingTime<ActiveSchedule>[] = []
  while (taken.length < count) {
    const time = times.take()
    if (time === undefined) break
    taken.push(time)
  }
  return taken
}

export interface Density {
  readonly buckets: readonly DensityBucket[]
  readonly jobCount: number
  readonly unknownDurationJobCount: number
  readonly countedUntilMs: number
  readonly truncatedCount: number
}

export interface DensityListing extends DensityWindow {
  readonly choice: ScheduleChoice
}

/** Due times that one answer counts: a tenth of a second of work. */
const COUNTED_MAX = 100_000
/** Jobs whose durations one answer looks up, those with most runs first. */
const LEARNED_FROM_MAX = 2_000
/** So many due times are counted before others have their turn. */
const TURN = 5_000

export async function readDensity(deps: Deps, listing: DensityListing): Promise<Density> {
  const { choice, endMs } = listing
  const read = await readSchedules(deps, { choice, endMs, isEnough: () => false })
  const counted = await countTimes(read, listing)
  const jobs = jobsByRuns(counted.times)
  const durations = await readExpectedDurations(deps.db, jobs.slice(0, LEARNED_FROM_MAX))
  const runs = counted.times.map(({ atMs, source: { jobId, slots } }) => {
    return { atMs, slots, durationMs: durations.get(jobId) }
  })
  return {
    buckets: measureDensity(listing, runs),
    jobCount: jobs.length,
    unknownDurationJobCount: jobs.length - durations.size,
    countedUntilMs: Math.min(counted.untilMs, read.completeUntilMs),
    truncatedCount: counted.openCount + read.leftCount,
  }
}

interface CountedTimes {
  readonly times: readonly UpcomingTime<ActiveSchedule>[]
  /** All before this are in it. */
  readonly untilMs: number
  /** Schedules that have more. */
  readonly openCount: number
}

async function countTimes(
  { schedules }: ActiveSchedules,
  span: DensityListing,
): Promise<CountedTimes> {
  const upcoming = new UpcomingTimes(schedules, span)
  const times: UpcomingTime<ActiveSchedule>[] = []
  while (times.length < COUNTED_MAX) {
    const time = upcoming.take()
    if (time === undefined) break
    times.push(time)
    if (times.length % TURN === 0) await new Promise((resolve) => setImmediate(resolve))
  }
  return { times, untilMs: upcoming.head?.atMs ?? span.endMs, openCount: upcoming.openCount }
}

function jobsOf(times: readonly UpcomingTime<ActiveSchedule>[]): JobId[] {
  return [...new Set(times.map(({ source }) => source.jobId))]
}

/** Those with most runs first. */
function jobsByRuns(times: readonly UpcomingTime<ActiveSchedule>[]): JobId[] {
  const counts = new Map<JobId, number>()
  for (const { source } of times) counts.set(source.jobId, (counts.get(source.jobId) ?? 0) + 1)
  return [...counts].sort(([, a], [, b]) => b - a).map(([jobId]) => jobId)
}
