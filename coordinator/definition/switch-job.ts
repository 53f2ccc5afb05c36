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
import { inTransaction, type JobChange } from './rehearse.ts'
import { activeState, firstDue, saveSchedule } from './save-spec.ts'

export interface SwitchJob {
  readonly name: string
  readonly actor: string
  readonly validateOnly: boolean
}

/** Stops future scheduled runs; what runs or is queued goes on. Pausing twice changes only the reason. */
export async function pauseJob(
  deps: Deps,
  { name, actor, reason, validateOnly }: SwitchJob & { readonly reason: string },
): Promise<JobChange> {
  return inTransaction(deps, validateOnly, async (tx) => {
    const job = await lockWhole(tx, name)
    await setJobState(tx, job.id, { state: 'paused', pauseReason: reason })
    await deleteSchedule(tx, job.id)
    await recordJobEvents(tx, [job.id], { change: 'paused', actor, message: reason })
    return { before: job, after: await requireJob(tx, name) }
  })
}

/** Goes on with the next due time from now; what came due meanwhile is not made up for. */
export async function resumeJob(
  deps: Deps,
  { name, actor, validateOnly }: SwitchJob,
): Promise<JobChange> {
  const change = await inTransaction(deps, validateOnly, async (tx) => {
    const job = await lockWhole(tx, name)
    if (job.state === 'active') return { before: job, after: job }
    const now = await databaseNow(tx)
    const { spec } = Job.fromJSON({ spec: job.spec })
    if (spec === undefined) throw new Error(`job ${name} has no spec`)
    const saved = { ...job, createdAt: job.created_at, spec }
    const dueAt = firstDue(saved, now)
    await setJobState(tx, job.id, { state: activeState(spec, dueAt), pauseReason: '' })
    await saveSchedule(tx, saved, { now, dueAt })
    await recordJobEvents(tx, [job.id], { change: 'resumed', actor, message: '' })
    return { before: job, after: await requireJob(tx, name) }
  })
  deps.hints.give('schedules')
  return change
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
    await setJobState(tx, job.id, { state: 'deleted', pauseReason: '' })
    await deleteSchedule(tx, job.id)
    await replaceDependencies(tx, job.id, [])
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
