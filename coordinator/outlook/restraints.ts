/**
 * What keeps due times of a schedule from running although they come: the one place where calendars and freezes meet what is
 * shown ahead of time.
 */
import type { Schedule } from '../../proto/gen/rota/v1/job.ts'
import { type RunningJob, readUpcomingRuns } from '../calendar/upcoming-runs.ts'
import { readFreezes } from '../freeze/freeze-queries.ts'
import { isInScope } from '../freeze/freeze-scope.ts'
import type { Db } from '../store/database.ts'

export interface Restraints {
  readonly excludeCalendars: readonly string[]
  readonly onlyCalendars: readonly string[]
  /** Names of freezes that hold the job, now or later. */
  readonly freezes: readonly string[]
}

/** A job, as far as something keeps it from running. */
export type RestrainedJob = Omit<RunningJob, 'schedule'>

export interface ReadRestraints {
  /** The due times after a time that will really run, as things are now. */
  runsAfter(job: RestrainedJob, schedule: Schedule, after: Date): Iterable<Date>
  of(job: RestrainedJob, schedule: Schedule | undefined): Restraints
}

/** Two or three statements, however many jobs. */
export async function readRestraints(
  db: Db,
  jobs: readonly { readonly job: RestrainedJob; readonly schedule: Schedule }[],
): Promise<ReadRestraints> {
  const running = jobs.map(({ job, schedule }) => ({ ...job, schedule }))
  const runsOf = await readUpcomingRuns(db, running)
  const freezes = await readFreezes(db)
  return {
    runsAfter: (job, schedule, after) => runsOf({ ...job, schedule }, after),
    of: (job, schedule) => ({
      excludeCalendars: schedule?.excludeCalendars ?? [],
      onlyCalendars: schedule?.onlyCalendars ?? [],
      freezes:
        schedule === undefined
          ? []
          : freezes.filter((freeze) => isInScope(freeze, job)).map(({ name }) => name),
    }),
  }
}
