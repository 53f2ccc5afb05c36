/**
 * The due times that will really run: after calendars, and outside the times in which nothing runs.
 *
 * R1. What runs is a due time of the schedule, and every due time that nothing holds back is there, in order.
 * R2. A stretch that is held back costs the same however many due times it has: it is jumped over.
 */
import type { DayFilter } from './calendar/day-filter.ts'
import { DAY_S } from './civil.ts'
import { type CompiledSchedule, compileSchedule, type DueSearch } from './next-due.ts'
import { ZoneOffsets } from './zone/zone-offsets.ts'

/** A time in which nothing runs, in ms since the Unix epoch: from `fromMs` on, before `untilMs`. */
export interface Hold {
  readonly fromMs: number
  readonly untilMs: number
}

/** What keeps due times from running. */
export interface RunFilter {
  /** By calendars; undefined when the schedule uses none. */
  readonly days: DayFilter | undefined
  /** Freezes and the pause of the job. */
  readonly holds: readonly Hold[]
  /** Of those after `afterMs` that would run, the first `count` are skipped. */
  readonly skip: { readonly count: number; readonly afterMs: number } | undefined
}

export interface RunSearch extends DueSearch {
  readonly filter: RunFilter
  /** Looks no further than so many days at a stretch in which nothing runs. */
  readonly horizonDays?: number
}

/** In days. Who asks when a job runs next does not want to know what comes after five years. */
const HORIZON_DAYS = 5 * 366
/** How far a schedule is looked at before it is said that it never runs, in days: the same date and weekday is back by then. */
export const LOOK_AHEAD_DAYS = 30 * 366

/** The next run; undefined when there is none within the horizon. */
export function nextRun(search: RunSearch): Date | undefined {
  for (const run of runsAfter(search)) return run
  return undefined
}

/** The runs strictly after `search.after`, in order; ends when there is none within the horizon of the one before. */
export function* runsAfter(search: RunSearch): Generator<Date, void> {
  const { after, filter } = search
  const runs = compileRuns(search)
  let left = filter.skip?.count ?? 0
  for (let runMs = runs.next(after.getTime()); runMs !== Infinity; runMs = runs.next(runMs)) {
    if (left > 0 && runMs > (filter.skip?.afterMs ?? Infinity)) left -= 1
    else yield new Date(runMs)
  }
}

/** A schedule as `filter` leaves it, but for its `skip`; Infinity also where nothing runs within the horizon. */
export function compileRuns(search: Omit<RunSearch, 'after'>): CompiledSchedule {
  const { filter, schedule } = search
  const walk = compileSchedule(schedule, search)
  if (filter.days === undefined && filter.holds.length === 0) return walk
  const horizonMs = (search.horizonDays ?? HORIZON_DAYS) * DAY_S * 1_000
  const days = filter.days && {
    filter: filter.days,
    zone: new ZoneOffsets(schedule.timeZone || 'UTC'),
  }
  return {
    next(afterMs) {
      // The first of those that are held back at a stretch.
      let heldMs: number | undefined
      for (let dueMs = walk.next(afterMs); dueMs !== Infinity; ) {
        const limitMs = (heldMs ?? dueMs) + horizonMs
        const freeMs = firstFree(dueMs, { days, holds: filter.holds, limitMs })
        if (freeMs === undefined || dueMs > limitMs) return Infinity
        if (freeMs <= dueMs) return dueMs
        heldMs ??= dueMs
        dueMs = walk.next(freeMs - 1)
      }
      return Infinity
    },
  }
}

interface Obstacles {
  readonly days: { readonly filter: DayFilter; readonly zone: ZoneOffsets } | undefined
  readonly holds: readonly Hold[]
  readonly limitMs: number
}

/** `atMs` itself when nothing holds it back, else a time up to which everything is held back; undefined: beyond the limit. */
function firstFree(atMs: number, { days, holds, limitMs }: Obstacles): number | undefined {
  const hold = holds.find(({ fromMs, untilMs }) => atMs >= fromMs && atMs < untilMs)
  if (hold !== undefined) return hold.untilMs <= limitMs ? hold.untilMs : undefined
  return days === undefined ? atMs : firstAllowed(atMs, days, limitMs)
}

function firstAllowed(
  atMs: number,
  { filter, zone }: NonNullable<Obstacles['days']>,
  limitMs: number,
): number | undefined {
  const at = Math.floor(atMs / 1_000)
  const stretch = zone.stretchAt(at)
  const day = Math.floor((at + stretch.offset) / DAY_S)
  if (filter.isAllowed(day)) return atMs
  const last = Math.floor((limitMs / 1_000 + stretch.offset) / DAY_S)
  const next = filter.nextAllowed(day + 1, last)
  const nextMs = next === undefined ? Infinity : (next * DAY_S - stretch.offset) * 1_000
  // Only within a stretch do days follow each other: a clock that goes back at midnight shows the day before again.
  const freeMs = Math.min(nextMs, stretch.end * 1_000)
  return freeMs <= limitMs ? freeMs : undefined
}
