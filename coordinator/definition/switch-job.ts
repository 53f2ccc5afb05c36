/** Pausing, resuming and deleting jobs. */
import { RotaError } from '../../shared/errors/rota-error.ts'
import { replaceJobCalendars } from '../calendar/calendar-queries.ts'
import type { Deps } from '../deps.ts'
import { recordJobEvents } from '../events/record-event-queries.ts'
import type { ExecutionId } from '../job/execution.ts'
import type { JobRow } from '../query/job-queries.ts'
import type { Db } from '../store/database.ts'
import { etagOf } from './define-job.ts'
import {
  databaseNow,
  deleteSchedule,
  lockDependencies,
  lockJob,
  pauseSchedule,
  readDependents,
  readLiveExecutions,
  replaceDependencies,
  setJobState,
} from './definition-queries.ts'
import { requireJob } from './find-job.ts'
import { markOf } from './recover.ts'
import { inTransaction, type JobChange } from './rehearse.ts'
import {
  activeState,
  firstDue,
  firstRun,
  pauseNote,
  type SavedJob,
  saveSchedule,
} from './save-spec.ts'
import { toSaved } from './saved-job.ts'

export interface SwitchJob {
  readonly name: string
  readonly actor: string
  readonly validateOnly: boolean
}

export interface PauseJob extends SwitchJob {
  readonly reason: string
  /** When it goes on by itself; undefined: when somebody resumes it. */
  readonly until: Date | undefined
}

/** Stops future scheduled runs; what runs or is queued goes on. Pausing twice changes the reason and the end. */
export async function pauseJob(deps: Deps, request: PauseJob): Promise<JobChange> {
  const { name, actor, reason, until, validateOnly } = request
  const change = await inTransaction(deps, validateOnly, async (tx) => {
    const job = await lockWhole(tx, name)
    const now = await databaseNow(tx)
    if (until !== undefined && until <= now) throw hasPassed(until, now)
    const pause = { reason, by: actor, until }
    await setJobState(tx, job.id, { state: 'paused', pause })
    const note = pauseNote(pause)
    const saved = { ...toSaved(job), pause: { until, note } }
    const runAt = await firstRun(tx, saved, now)
    const hasSchedule = await pauseSchedule(tx, job.id, { until, note, runAt })
    if (!hasSchedule) await saveSchedule(tx, saved, { now, dueAt: undefined })
    await recordJobEvents(tx, [job.id], { change: 'paused', actor, message: reason })
    return { before: job, after: await requireJob(tx, name) }
  })
  deps.hints.give('schedules')
  return change
}

function hasPassed(until: Date, now: Date): RotaError {
  const message = `${until.toISOString()} is not after ${now.toISOString()}`
  const violations = [{ field: 'resume_time', reason: 'FIELD_INVALID' as const, message }]
  return new RotaError('FIELD_INVALID', `resume_time: ${message}`, { violations })
}

/** Goes on with the next due time from now; what came due meanwhile is made up for only with `recoverFrom`. */
export async function resumeJob(
  deps: Deps,
  {
    name,
    actor,
    recoverFrom,
    validateOnly,
  }: SwitchJob & { readonly recoverFrom: Date | undefined },
): Promise<JobChange> {
  const change = await inTransaction(deps, validateOnly, async (tx) => {
    const job = await lockWhole(tx, name)
    if (job.state === 'active' && recoverFrom === undefined) return { before: job, after: job }
    const now = await databaseNow(tx)
    const saved = { ...toSaved(job), pause: undefined }
    const mark = await markOf(tx, saved, { now, recoverFrom })
    const dueAt = firstDue(saved, mark)
    await setJobState(tx, job.id, { state: activeState(saved.spec, dueAt) })
    if (recoverFrom === undefined) await endPause(tx, saved, { job, now, dueAt })
    else await saveSchedule(tx, saved, { now: mark, dueAt })
    await recordJobEvents(tx, [job.id], { change: 'resumed', actor, message: '' })
    return { before: job, after: await requireJob(tx, name) }
  })
  deps.hints.give('schedules')
  return change
}

/** The loop still has to record what came due before `now`. */
async function endPause(
  tx: Db,
  saved: SavedJob,
  {
    job,
    now,
    dueAt,
  }: { readonly job: JobRow; readonly now: Date; readonly dueAt?: Date | undefined },
): Promise<void> {
  const note = pauseNote({ reason: job.pause_reason, by: job.paused_by, until: undefined })
  const runAt = dueAt && (await firstRun(tx, saved, now))
  const hasSchedule = await pauseSchedule(tx, job.id, { until: now, note, runAt })
  if (!hasSchedule) await saveSchedule(tx, saved, { now, dueAt })
}

export interface DeleteJob extends SwitchJob {
  readonly etag: string
  /** Cancel what runs, too. */
  readonly force: boolean
  readonly cancel: (id: ExecutionId, reason: string) => Promise<unknown>
}

/** Soft-deletes a job and cancels what has not started; jobs that others depend on stay. Answers the job as it was. */
export async function deleteJob(deps: Deps, request: DeleteJob): Promise<JobRow> {
  const { name, etag, actor, validateOnly } = request
  const job = await inTransaction(deps, validateOnly, async (tx) => {
    const job = await lockWhole(tx, name)
    if (etag !== '' && etag !== etagOf(job)) {
      throw new RotaError('ETAG_MISMATCH', `job ${name} has changed since it was read`)
    }
    await lockDependencies(tx)
    const dependents = await readDependents(tx, job.id)
    if (dependents.length > 0) {
      const message = `job ${name} is a dependency of ${dependents.join(', ')}`
      throw new RotaError('JOB_HAS_DEPENDENTS', message)
    }
    await setJobState(tx, job.id, { state: 'deleted' })
    await deleteSchedule(tx, job.id)
    await replaceDependencies(tx, job.id, [])
    await replaceJobCalendars(tx, job.id, [])
    await recordJobEvents(tx, [job.id], { change: 'deleted', actor, message: '' })
    return job
  })
  if (validateOnly) return job
  const reason = `the job was deleted by ${actor}`
  const ids = await readLiveExecutions(deps.db, job.id, { withRunning: request.force })
  for (const id of ids) await request.cancel(id, reason)
  return job
}

async function lockWhole(tx: Db, name: string): Promise<JobRow> {
  await lockJob(tx, name)
  return requireJob(tx, name)
}
