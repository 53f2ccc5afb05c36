/**
 * Schedules of the cluster, ready to be walked, as many as one answer may look at.
 *
 * A1. They are read in the order of their next due time, then of their names, so that what comes up to the next time of the
 *     last one that was read is complete, however many there are.
 *     What calendars, freezes and requests to skip hold back comes later than that, or never.
 * A2. One that cannot be read is left out and logged: it keeps nobody from seeing the others.
 */
import { Schedule } from '../../proto/gen/rota/v1/job.ts'
import { type RunningJob, readRunWalks } from '../calendar/upcoming-runs.ts'
import type { Deps } from '../deps.ts'
import type { JobId } from '../job/execution.ts'
import type { UpcomingSource } from './merge-upcoming.ts'
import {
  type ActiveScheduleRow,
  countActiveSchedules,
  readActiveSchedules,
  type ScheduleChoice,
} from './outlook-queries.ts'

export interface ActiveSchedule extends UpcomingSource {
  readonly jobId: JobId
  readonly slots: number
}

export interface ActiveSchedules {
  readonly schedules: readonly ActiveSchedule[]
  /** Whatever is due before this, in ms since the Unix epoch, is due by one of them. */
  readonly completeUntilMs: number
  /** Those that are due in the window and were not read. */
  readonly leftCount: number
}

/** A due time of a job. */
export interface Position {
  readonly atMs: number
  readonly job: string
}

export interface Wanted {
  readonly choice: ScheduleChoice
  readonly endMs: number
  /** True when no more need to be read: it is asked each time that some were. */
  readonly isEnough: (schedules: readonly ActiveSchedule[], last: Position) => boolean
}

/** At a few microseconds of walking and some tens of reading each. */
export const SCHEDULES_MAX = 10_000
const CHUNK = 1_000

export async function readSchedules(deps: Deps, wanted: Wanted): Promise<ActiveSchedules> {
  const endAt = new Date(wanted.endMs)
  const schedules: ActiveSchedule[] = []
  let after: ActiveScheduleRow | undefined
  for (let read = 0; ; ) {
    const range = { choice: wanted.choice, endAt, after }
    if (read >= SCHEDULES_MAX) {
      const leftCount = await countActiveSchedules(deps.db, range)
      const completeUntilMs = leftCount === 0 ? wanted.endMs : dueMs(after)
      return { schedules, completeUntilMs, leftCount }
    }
    const rows = await readActiveSchedules(deps.db, { ...range, limit: CHUNK })
    read += rows.length
    after = rows.at(-1) ?? after
    schedules.push(...(await readyAll(deps, rows)))
    if (rows.length < CHUNK) return { schedules, completeUntilMs: wanted.endMs, leftCount: 0 }
    if (wanted.isEnough(schedules, { atMs: dueMs(after), job: after?.name ?? '' })) {
      return { schedules, completeUntilMs: dueMs(after), leftCount: 0 }
    }
  }
}

/** With what calendars, freezes and requests to skip leave of them: one or two statements. */
async function readyAll(deps: Deps, rows: readonly ActiveScheduleRow[]): Promise<ActiveSchedule[]> {
  const read = rows.flatMap((row) => attempt(deps, row, () => ({ row, job: toRunningJob(row) })))
  const jobs = read.map(({ job }) => job)
  const walkOf = jobs.length === 0 ? undefined : await readRunWalks(deps.db, jobs)
  return read.flatMap(({ job, row }) =>
    attempt(deps, row, () => ({
      job: row.name,
      jobId: row.job_id,
      slots: row.slots || 1,
      walk: walkOf?.(job, row.marked_at) ?? NEVER,
      markMs: row.marked_at.getTime(),
    })),
  )
}

const NEVER = { next: () => Number.POSITIVE_INFINITY }

function toRunningJob(row: ActiveScheduleRow): RunningJob {
  const { created_at: createdAt, labels, name, skip_after, skip_left, uid } = row
  const skip = skip_after === null ? undefined : { count: skip_left, after: skip_after }
  return { name, uid, createdAt, labels, skip, schedule: Schedule.fromJSON(row.schedule) }
}

/** Nothing when it fails (A2). */
function attempt<T>({ logger }: Deps, { name }: ActiveScheduleRow, read: () => T): T[] {
  try {
    return [read()]
  } catch (error) {
    logger.error({ err: error, job: name }, 'a schedule cannot be read; it is left out (A2)')
    return []
  }
}

function dueMs(row: ActiveScheduleRow | undefined): number {
  return row?.due_at.getTime() ?? Number.NEGATIVE_INFINITY
}
