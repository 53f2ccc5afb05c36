/** The due times of jobs that will really run, as things are now: after calendars, freezes, pauses and skips. */
import type { Schedule } from '../../proto/gen/rota/v1/job.ts'
import type { CompiledSchedule } from '../../shared/schedule/next-due.ts'
import {
  compileRuns,
  type Hold,
  type RunFilter,
  runsAfter,
} from '../../shared/schedule/next-run.ts'
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
  const filterOf = await readFilters(db, jobs)
  return (job, after) => {
    const { createdAt, schedule, uid } = job
    return runsAfter({ schedule, after, filter: filterOf(job), seed: uid, anchor: createdAt })
  }
}

/** The same as a walk that begins anywhere behind `mark`, up to which everything is decided. */
export type WalkOf = (job: RunningJob, mark: Date) => CompiledSchedule

/** One or two statements, however many jobs. */
export async function readRunWalks(db: Db, jobs: readonly RunningJob[]): Promise<WalkOf> {
  const filterOf = await readFilters(db, jobs)
  return (job, mark) => {
    const { createdAt: anchor, schedule, uid: seed } = job
    const filter = filterOf(job)
    const search = { schedule, seed, anchor }
    const skipped = skippedHold({ ...search, filter, after: mark })
    return compileRuns({ ...search, filter: { ...filter, holds: [...filter.holds, ...skipped] } })
  }
}

async function readFilters(
  db: Db,
  jobs: readonly RunningJob[],
): Promise<(job: RunningJob) => RunFilter> {
  const names = jobs.flatMap(({ schedule }) => calendarsOf(schedule))
  const calendars = names.length === 0 ? new Map() : await createKnownCalendars().load(db, names)
  const freezes = await readFreezes(db)
  return (job) => {
    const days = dayFilterOf(job.schedule, calendars)
    return { days, holds: holdsOf(job, freezes), skip: skipOf(job) }
  }
}

/** From the first to the last run that is skipped: none between them runs. */
function skippedHold(search: Parameters<typeof runsAfter>[0]): Hold[] {
  const { count = 0, afterMs = 0 } = search.filter.skip ?? {}
  if (count === 0) return []
  const after = new Date(Math.max(search.after.getTime(), afterMs))
  let untilMs = afterMs
  let left = count
  for (const run of runsAfter({
    ...search,
    after,
    filter: { ...search.filter, skip: undefined },
  })) {
    untilMs = run.getTime() + 1
    left -= 1
    if (left === 0) break
  }
  return [{ fromMs: after.getTime() + 1, untilMs }]
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
