/** What follows from a job's definition and must change with it: version, dependencies, next due time. */
import { JobSpec } from '../../proto/gen/rota/v1/job.ts'
import { RotaError } from '../../shared/errors/rota-error.ts'
import { nearNames } from '../../shared/near-names.ts'
import { isoSeconds } from '../../shared/rfc-3339.ts'
import { nextDue } from '../../shared/schedule/next-due.ts'
import { replaceJobCalendars } from '../calendar/calendar-queries.ts'
import { calendarsOf } from '../calendar/known-calendars.ts'
import { type RunningJob, readUpcomingRuns } from '../calendar/upcoming-runs.ts'
import { findCycle } from '../job/dependencies.ts'
import type { JobId } from '../job/execution.ts'
import { someJobNames } from '../query/job-queries.ts'
import type { Db } from '../store/database.ts'
import type { JobState } from '../store/tables.ts'
import {
  deleteSchedule,
  findJobIds,
  lockDependencies,
  putSchedule,
  readDependencyGraph,
  replaceDependencies,
  type SchedulePause,
} from './definition-queries.ts'

export interface SavedJob {
  readonly id: JobId
  readonly uid: string
  readonly name: string
  readonly createdAt: Date
  readonly version: number
  readonly spec: JobSpec
  readonly labels: Readonly<Record<string, string>>
  /** Undefined: it is not paused. */
  readonly pause?: SchedulePause | undefined
  readonly skip?: RunningJob['skip']
}

/** The text of a spec as it is stored. */
export function specText(spec: JobSpec): string {
  return JSON.stringify(JobSpec.toJSON(spec))
}

/** The first due time after `now`; undefined when there is no schedule, or it is over. */
export function firstDue(
  job: Pick<SavedJob, 'uid' | 'createdAt' | 'spec'>,
  now: Date,
): Date | undefined {
  const { schedule } = job.spec
  if (schedule === undefined) return undefined
  return nextDue({ schedule, after: now, seed: job.uid, anchor: job.createdAt })
}

/** A schedule whose last due time has passed has nothing more to do. */
export function activeState(spec: JobSpec, dueAt: Date | undefined): JobState {
  return spec.schedule !== undefined && dueAt === undefined ? 'completed' : 'active'
}

/** The first time after `after` at which the job will really run; undefined when there is none for years. */
export async function firstRun(db: Db, job: SavedJob, after: Date): Promise<Date | undefined> {
  const { schedule } = job.spec
  if (schedule === undefined) return undefined
  const running = { ...job, schedule }
  const runsOf = await readUpcomingRuns(db, [running])
  return runsOf(running, after).next().value ?? undefined
}

/** Moves the schedule's mark to `now`, so that saving or resuming never makes past work. */
export async function saveSchedule(
  db: Db,
  job: SavedJob,
  due: { readonly now: Date; readonly dueAt: Date | undefined },
): Promise<void> {
  const { pause } = job
  const times = [due.dueAt, pause?.until].filter((time) => time !== undefined)
  if (times.length === 0) return deleteSchedule(db, job.id)
  await putSchedule(db, {
    jobId: job.id,
    jobVersion: job.version,
    markedAt: due.now,
    dueAt: new Date(Math.max(due.now.getTime() + 1, Math.min(...times.map(Number)))),
    runAt: due.dueAt && (await firstRun(db, job, due.now)),
    pause,
  })
}

/** What the ledger says of a due time of a paused job. */
export function pauseNote(pause: {
  readonly reason: string
  readonly by: string
  readonly until: Date | undefined
}): string {
  const until = pause.until === undefined ? '' : ` until ${isoSeconds(pause.until)}`
  return [`paused by ${pause.by}${until}`, pause.reason].filter(Boolean).join(': ')
}

/** The calendars that its schedule uses; one that has gone since it was looked for is refused. */
export async function saveCalendars(db: Db, job: SavedJob): Promise<void> {
  const names = calendarsOf(job.spec.schedule)
  if ((await replaceJobCalendars(db, job.id, names)) === names.length) return
  throw new RotaError('CALENDAR_NOT_FOUND', `one of the calendars ${names.join(', ')} was deleted`)
}

/** Replaces the dependencies; refuses unknown jobs and cycles. What depends on nothing closes no cycle, and waits for nobody. */
export async function saveDependencies(db: Db, job: SavedJob): Promise<void> {
  const names = job.spec.dependencies.map((dependency) => dependency.job.replace(/^jobs\//, ''))
  if (names.length === 0) {
    await replaceDependencies(db, job.id, [])
    return
  }
  await lockDependencies(db)
  const ids = await findJobIds(db, names)
  for (const [index, name] of names.entries()) {
    if (!ids.has(name)) await refuseUnknown(db, index, name)
  }
  const graph = new Map(await readDependencyGraph(db, [...ids.values()]))
  graph.set(job.name, names)
  const cycle = findCycle(graph, job.name)
  if (cycle !== undefined) refuseCycle(cycle)
  await replaceDependencies(db, job.id, [...ids.values()])
}

async function refuseUnknown(db: Db, index: number, name: string): Promise<never> {
  const field = `job.spec.dependencies[${index}].job`
  const message = `there is no job ${JSON.stringify(name)}`
  const near = nearNames(name, await someJobNames(db))
  const hint = near.length === 0 ? {} : { hint: `Did you mean ${near.join(' or ')}?` }
  throw new RotaError('JOB_NOT_FOUND', `${field}: ${message}`, {
    ...hint,
    violations: [{ field, reason: 'JOB_NOT_FOUND', message, ...hint }],
  })
}

function refuseCycle(cycle: readonly string[]): never {
  const path = cycle.join(' -> ')
  const field = 'job.spec.dependencies'
  const message = `would form the cycle ${path}`
  throw new RotaError('DEPENDENCY_CYCLE', `${field}: ${message}`, {
    metadata: { path },
    violations: [{ field, reason: 'DEPENDENCY_CYCLE', message }],
  })
}
