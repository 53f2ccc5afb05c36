/** Pausing, resuming and deleting jobs. */
import { Job } from '../../proto/gen/rota/v1/job.ts'
import { RotaError } from '../../shared/errors/rota-error.ts'
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
  readDependents,
  readLiveExecutions,
  replaceDependencies,
  setJobState,
} from './definition-queries.ts'
import { requireJob } from './find-job.ts'
import { markOf } from './recover.ts'
import { activeState, firstDue, saveSchedule } from './save-spec.ts'

export interface SwitchJob {
  readonly name: string
  readonly actor: string
}

/** Stops future scheduled runs; what runs or is queued goes on. Pausing twice changes only the reason. */
export async function pauseJob(
  deps: Deps,
  { name, actor, reason }: SwitchJob & { readonly reason: string },
): Promise<JobRow> {
  return deps.db.transaction().execute(async (tx) => {
    const job = await lockWhole(tx, name)
    await setJobState(tx, job.id, { state: 'paused', pauseReason: reason })
    await deleteSchedule(tx, job.id)
    await recordJobEvents(tx, [job.id], { change: 'paused', actor, message: reason })
    return requireJob(tx, name)
  })
}

/** Goes on with the next due time from now; what came due meanwhile is made up for only with `recoverFrom`. */
export async function resumeJob(
  deps: Deps,
  { name, actor, recoverFrom }: SwitchJob & { readonly recoverFrom: Date | undefined },
): Promise<JobRow> {
  const row = await deps.db.transaction().execute(async (tx) => {
    const job = await lockWhole(tx, name)
    if (job.state === 'active' && recoverFrom === undefined) return job
    const now = await databaseNow(tx)
    const { spec } = Job.fromJSON({ spec: job.spec })
    if (spec === undefined) throw new Error(`job ${name} has no spec`)
    const saved = { ...job, createdAt: job.created_at, spec }
    const mark = await markOf(tx, saved, { now, recoverFrom })
    const dueAt = firstDue(saved, mark)
    await setJobState(tx, job.id, { state: activeState(spec, dueAt), pauseReason: '' })
    await saveSchedule(tx, saved, { now: mark, dueAt })
    await recordJobEvents(tx, [job.id], { change: 'resumed', actor, message: '' })
    return requireJob(tx, name)
  })
  deps.hints.give('schedules')
  return row
}

export interface DeleteJob extends SwitchJob {
  readonly etag: string
  /** Cancel what runs, too. */
  readonly force: boolean
  readonly cancel: (id: ExecutionId, reason: string) => Promise<unknown>
}

/** Soft-deletes a job and cancels what has not started; jobs that others depend on stay. */
export async function deleteJob(deps: Deps, request: DeleteJob): Promise<void> {
  const { name, etag, actor } = request
  const job = await deps.db.transaction().execute(async (tx) => {
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
    await setJobState(tx, job.id, { state: 'deleted', pauseReason: '' })
    await deleteSchedule(tx, job.id)
    await replaceDependencies(tx, job.id, [])
    await recordJobEvents(tx, [job.id], { change: 'deleted', actor, message: '' })
    return job
  })
  const reason = `the job was deleted by ${actor}`
  const ids = await readLiveExecutions(deps.db, job.id, { withRunning: request.force })
  for (const id of ids) await request.cancel(id, reason)
}

async function lockWhole(tx: Db, name: string): Promise<JobRow> {
  await lockJob(tx, name)
  return requireJob(tx, name)
}
