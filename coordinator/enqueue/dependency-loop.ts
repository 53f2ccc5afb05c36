/**
 * Releases what waits for other jobs.
 *
 * P1. A completion is looked at in a transaction of its own after it was committed, so of two dependencies that complete
 *     at once the later look sees both.
 * P2. Looks at one dependent never overlap (its activity row is locked), so it is released once.
 * P3. What a release has used lies at or before the dependency mark and is not used again.
 */
import { newId } from '../../shared/ids.ts'
import { Ticker } from '../../shared/ticker.ts'
import type { Deps } from '../deps.ts'
import { type DependencyVerdict, dependencyVerdict } from '../job/dependencies.ts'
import type { ExecutionId, JobId } from '../job/execution.ts'
import type { EndedExecution } from '../job/new-execution.ts'
import type { Db } from '../store/database.ts'
import { specOf } from '../store/job-specs.ts'
import {
  advanceDependencyMark,
  type DependencyActivity,
  type DependentJob,
  describeWaiting,
  lockDependentJob,
  lockWaitingForDependencies,
  readDependencyActivities,
  releaseWaiting,
  takeDependencyChecks,
} from './dependency-queries.ts'
import type { Enqueue } from './enqueue.ts'

const BATCH = 100
const LOOK_MS = 1_000

export interface DependencySteps {
  readonly enqueue: Enqueue
  readonly endExecutions: (tx: Db, ended: readonly EndedExecution[]) => Promise<unknown>
}

export function createDependencyLoop(deps: Deps, steps: DependencySteps): Ticker {
  return new Ticker({
    ...deps,
    name: 'dependencies',
    runOnce: async () => {
      const taken = await deps.db.transaction().execute(async (tx) => {
        const jobIds = await takeDependencyChecks(tx, BATCH)
        for (const jobId of jobIds) await checkDependent(deps, steps, { tx, jobId })
        return jobIds.length
      })
      if (taken === 0) return LOOK_MS
      deps.hints.give('queue')
      return 0
    },
  })
}

interface Look {
  readonly tx: Db
  readonly jobId: JobId
}

async function checkDependent(deps: Deps, steps: DependencySteps, look: Look): Promise<void> {
  const { tx, jobId } = look
  // Executions before activity, as settling and cancelling lock them.
  const waiting = await lockWaitingForDependencies(tx, jobId)
  const job = await lockDependentJob(tx, jobId)
  if (job === undefined) return
  const { now, activities } = await readDependencyActivities(tx, jobId)
  const ref = { jobId, jobVersion: job.version }
  const { spec } = specOf(await deps.specs.load(tx, [ref]), ref)
  const verdict = dependencyVerdict({
    dependencies: spec.dependencies,
    activities: new Map(activities.map((activity) => [activity.name, toActivity(activity)])),
    mark: job.dependency_mark,
    now,
  })
  const newest = newestCompletion(activities)
  if (spec.schedule === undefined) {
    // P3: a second look at the same completions must not run it again, however fresh they still are.
    if (verdict.kind !== 'ready' || newest <= job.dependency_mark) return
    await steps.enqueue(tx, [newDependent(deps, job)])
    await advanceDependencyMark(tx, jobId, newest)
    return
  }
  await applyToWaiting(steps, { tx, verdict, waiting })
  const isUsed = verdict.kind !== 'waiting' && waiting.length > 0
  if (isUsed) await advanceDependencyMark(tx, jobId, newest)
}

interface WaitingLook {
  readonly tx: Db
  readonly verdict: DependencyVerdict
  readonly waiting: readonly ExecutionId[]
}

async function applyToWaiting(steps: DependencySteps, look: WaitingLook): Promise<void> {
  const { tx, verdict, waiting } = look
  if (waiting.length === 0) return
  switch (verdict.kind) {
    case 'ready':
      return releaseWaiting(tx, waiting)
    case 'waiting':
      return describeWaiting(tx, waiting, `waits for ${verdict.on.join(', ')}`)
    case 'failed':
      await steps.endExecutions(
        tx,
        waiting.map((id) => ({
          id,
          state: 'failed',
          reasonCode: 'DEPENDENCY_FAILED',
          reasonMessage: `its dependency ${verdict.on} failed`,
        })),
      )
  }
}

function newDependent(deps: Deps, job: DependentJob) {
  return {
    id: newId(deps.clock, deps.random) as ExecutionId,
    jobId: job.id,
    jobVersion: job.version,
    trigger: 'dependency' as const,
    scheduledFor: undefined,
    availableAt: undefined,
    waitsForDependencies: false,
    parameters: {},
    pinnedWorker: undefined,
    requestedBy: 'dependency',
  }
}

function toActivity(row: DependencyActivity) {
  return {
    ...(row.last_succeeded_at === null ? {} : { lastSucceededAt: row.last_succeeded_at }),
    ...(row.last_failed_at === null ? {} : { lastFailedAt: row.last_failed_at }),
  }
}

function newestCompletion(activities: readonly DependencyActivity[]): Date {
  const times = activities.flatMap((row) => [row.last_succeeded_at, row.last_failed_at])
  return new Date(Math.max(0, ...times.map((time) => time?.getTime() ?? 0)))
}
