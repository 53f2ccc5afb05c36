/** The due times of jobs that will really run, as things are now: after calendars, freezes, pauses and skips. */
import type { Schedule } from '../../proto/gen/rota/v1/job.ts'
import { type RunFilter, runsAfter } from '../../shared/schedule/next-run.ts'
import { type FreezeWindow, readFreezes } from '../freeze/freeze-queries.ts'
import { isInScope } from '../freeze/freeze-scope.ts'
import type { Db } from '../store/database.ts'
import { calendarsOf, createKnownCalendars, dayFilterOf } from './known-calendars.ts'

/** A job as far as it matters when it runs; one that is not stored yet may have a blank name and uid. */
export interface RunningJob {
  readonly name: string
  readonly uid: string
  readonly createdAt: Date
  readonly labels: Readonly<Record<string, string>>
  readonly schedule: Schedule
  /** Undefined: it is not paused. `until` undefined: for good. */
  readonly pause?: { readonly until: Date | undefined } | undefined
  /** Of the runs after `after` the first `count` are skipped. */
  readonly skip?: { readonly count: number; readonly after: Date } | undefined
}

/** The runs of a job strictly after a time, in order; ends when there is none for years. Throws for an unknown calendar. */
export type RunsOf = (job: RunningJob, after: Date) => Generator<Date, void>

/** One or two statements, however many jobs. */
export async function readUpcomingRuns(db: Db, jobs: readonly RunningJob[]): Promise<RunsOf> {
  const names = jobs.flatMap(({ schedule }) => calendarsOf(schedule))
  const calendars = names.length === 0 ? new Map() : await createKnownCalendars().load(db, names)
  const freezes = await readFreezes(db)
  return (job, after) => {
    const { createdAt, schedule, uid } = job
    const days = dayFilterOf(schedule, calendars)
    const filter = { days, holds: holdsOf(job, freezes), skip: skipOf(job) }
    return runsAfter({ schedule, after, filter, seed: uid, anchor: createdAt })
  }
}

function holdsOf(job: RunningJob, freezes: readonly FreezeWindow[]): RunFilter['holds'] {
  const { pause } = job
  const paused =
    pause === undefined ? [] : [{ fromMs: -Infinity, untilMs: pause.until?.getTime() ?? Infinity }]
  const frozen = freezes
    .filter((freeze) => isInScope(freeze, job))
    .map(({ starts_at, ends_at }) => ({
      fromMs: starts_at.getTime(),
      untilMs: ends_at.getTime(),
    }))
  return [...paused, ...frozen]
}

function skipOf({ skip }: RunningJob): RunFilter['skip'] {
  return skip && { count: skip.count, afterMs: skip.after.getTime() }
}
