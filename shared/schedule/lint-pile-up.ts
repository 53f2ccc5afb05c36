/** Many schedules together: the minute in which far more of them are due than in others. */
import type { Schedule } from '../../proto/gen/rota/v1/job.ts'
import { compileTexts } from './compile-texts.ts'
import { compileSchedule } from './next-due.ts'

export interface PileUp {
  /** The begin of the minute. */
  readonly at: Date
  /** Indices of the schedules that are due in it. */
  readonly members: readonly number[]
}

const MINUTE_MS = 60_000
const MINUTES = 24 * 60
/** Fewer in one minute are no pile. */
const MEMBERS_MIN = 10
/** As many times the mean of the minutes in which anything is due. */
const ABOVE_MEAN = 2

/** The fullest minute of the next day; undefined when it is no pile. Schedules must be right; undefined ones are passed over. */
export function findPileUp(
  schedules: readonly (Schedule | undefined)[],
  now: Date,
): PileUp | undefined {
  const fromMs = Math.ceil(now.getTime() / MINUTE_MS) * MINUTE_MS
  const minutes = Array.from({ length: MINUTES }, (): number[] => [])
  for (const [index, schedule] of schedules.entries()) {
    if (schedule !== undefined) addMinutes(minutes, { index, schedule, fromMs, now })
  }
  const counts = minutes.map(({ length }) => length)
  const most = Math.max(...counts)
  const used = counts.filter((count) => count > 0)
  const mean = used.reduce((sum, count) => sum + count, 0) / Math.max(1, used.length)
  const fullest = counts.indexOf(most)
  // A few files, or many jobs that are all due every minute, are none.
  if (most < MEMBERS_MIN || (used.length > 1 && most < ABOVE_MEAN * mean)) return undefined
  return { at: new Date(fromMs + fullest * MINUTE_MS), members: minutes[fullest] ?? [] }
}

interface Member {
  readonly index: number
  readonly schedule: Schedule
  readonly fromMs: number
  readonly now: Date
}

/** One look per minute at most, however often it is due. */
function addMinutes(minutes: number[][], { index, schedule, fromMs, now }: Member): void {
  const walk = compileSchedule(compileTexts(schedule, now), { seed: `${index}`, anchor: now })
  let atMs = walk.next(fromMs - 1)
  while (atMs < fromMs + MINUTES * MINUTE_MS) {
    const minute = Math.floor((atMs - fromMs) / MINUTE_MS)
    minutes[minute]?.push(index)
    atMs = walk.next(fromMs + (minute + 1) * MINUTE_MS - 1)
  }
}
