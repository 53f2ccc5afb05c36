/**
 * Runs the due times of a past range.
 *
 * R1. All of a backfill is one transaction, and happens once for a request that carries an id.
 * R2. It holds the gate of its job, so that of two over one range the later sees what the earlier has made.
 * R3. What the schedule has not decided yet is left to it. The ledger keeps its decisions.
 */
import type { JobSpec, Schedule } from '../../proto/gen/rota/v1/job.ts'
import { RotaError, refuseViolations } from '../../shared/errors/rota-error.ts'
import { newId } from '../../shared/ids.ts'
import type { DueRange } from '../../shared/schedule/due-times.ts'
import { requireJob } from '../definition/find-job.ts'
import { once, type RequestKey } from '../definition/request-key.ts'
import type { Deps } from '../deps.ts'
import type { ExecutionId } from '../job/execution.ts'
import type { NewExecution } from '../job/new-execution.ts'
import type { JobRow } from '../query/job-queries.ts'
import type { Db } from '../store/database.ts'
import { specOf } from '../store/job-specs.ts'
import {
  type BackfillRun,
  insertBackfill,
  insertBackfillRuns,
  readBackfill,
  readRuns,
  readUndecided,
} from './backfill-queries.ts'
import type { Enqueue } from './enqueue.ts'
import { lockGates } from './overlap-queries.ts'
import {
  type BackfillPlan,
  type BackfillRequest,
  checkBackfill,
  DUE_TIMES_MAX,
  planBackfill,
} from './plan-backfill.ts'

export interface Backfill extends BackfillRequest {
  readonly job: string
  readonly withSucceeded: boolean
  readonly actor: string
  readonly request: RequestKey | undefined
  readonly validateOnly: boolean
}

export interface BackfillOutcome extends BackfillPlan {
  /** One for each due time; none when only validating. */
  readonly executions: readonly ExecutionId[]
}

export type BackfillJob = (backfill: Backfill) => Promise<BackfillOutcome>

/** Executions in one statement. */
const CHUNK = 1_000

export function createBackfillJob(deps: Deps, enqueue: Enqueue): BackfillJob {
  return async (backfill) => {
    const job = await requireJob(deps.db, backfill.job)
    const ref = { jobId: job.id, jobVersion: job.version }
    const { spec } = specOf(await deps.specs.load(deps.db, [ref]), ref)
    const outcome = await deps.db.transaction().execute(async (tx) => {
      await lockGates(tx, [job.id])
      const range = { job, ...(await readRange(tx, backfill, { job, spec })) }
      if (backfill.validateOnly) return { ...(await plan(tx, backfill, range)), executions: [] }
      const id = newId(deps.clock, deps.random)
      const { resource, isNew } = await once(tx, backfill.request, id)
      if (!isNew) return readAgain(tx, resource)
      const planned = await plan(tx, backfill, range)
      const executions = await store({ deps, tx, enqueue }, backfill, { id, ...range, planned })
      return { ...planned, executions }
    })
    deps.hints.give('overlap')
    deps.hints.give('executions')
    return outcome
  }
}

interface JobRange extends DueRange {
  readonly job: JobRow
  readonly schedule: Schedule
}

/** Throws when the job has no schedule, or the range makes no sense. */
async function readRange(
  tx: Db,
  backfill: Backfill,
  { job, spec }: { readonly job: JobRow; readonly spec: JobSpec },
): Promise<Omit<JobRange, 'job'>> {
  const { schedule } = spec
  if (schedule === undefined) {
    throw new RotaError('JOB_WITHOUT_SCHEDULE', `job ${job.name} has no schedule, so no due times`)
  }
  const { now, due_at: dueAt } = await readUndecided(tx, job.id)
  refuseViolations(checkBackfill(backfill, { createdAt: job.created_at, now }))
  const { startTime: start, endTime } = backfill
  if (start === undefined || endTime === undefined) throw new Error('a checked range has both ends')
  // R3.
  const end = dueAt !== null && dueAt < endTime ? dueAt : endTime
  return { schedule, start, end }
}

async function plan(tx: Db, backfill: Backfill, range: JobRange): Promise<BackfillPlan> {
  const { job, schedule } = range
  const runs = await readRuns(tx, job.id, range)
  const timesOf = (isLive: boolean) =>
    new Set(runs.filter((run) => run.is_live === isLive).map((run) => run.scheduled_for.getTime()))
  const context = { seed: job.uid, anchor: job.created_at }
  const known = { succeeded: timesOf(false), live: timesOf(true) }
  const planned = planBackfill(schedule, context, { ...range, ...backfill, known })
  if (planned !== undefined) return planned
  const message = `the range holds more than ${DUE_TIMES_MAX} due times`
  throw new RotaError('BACKFILL_TOO_LARGE', `end_time: ${message}`, {
    violations: [{ field: 'end_time', reason: 'BACKFILL_TOO_LARGE', message }],
  })
}

async function store(
  { deps, tx, enqueue }: { readonly deps: Deps; readonly tx: Db; readonly enqueue: Enqueue },
  backfill: Backfill,
  made: JobRange & { readonly id: string; readonly planned: BackfillPlan },
): Promise<ExecutionId[]> {
  const { id, job, planned } = made
  await insertBackfill(tx, {
    id,
    jobId: job.id,
    jobVersion: job.version,
    range: { start: made.start, end: backfill.endTime ?? made.end },
    maxParallel: backfill.maxParallel || 1,
    succeededCount: planned.succeededCount,
    liveCount: planned.liveCount,
    requestedBy: backfill.actor,
  })
  const runs = planned.dueTimes.map((scheduledFor): BackfillRun => {
    return { scheduledFor, executionId: newId(deps.clock, deps.random) as ExecutionId }
  })
  for (let from = 0; from < runs.length; from += CHUNK) {
    const chunk = runs.slice(from, from + CHUNK)
    await insertBackfillRuns(tx, { id, jobId: job.id }, chunk)
    await enqueue(
      tx,
      chunk.map((run) => toNewExecution(run, job, { backfillId: id, requestedBy: backfill.actor })),
    )
  }
  return runs.map(({ executionId }) => executionId)
}

function toNewExecution(
  { executionId, scheduledFor }: BackfillRun,
  job: JobRow,
  asked: { readonly backfillId: string; readonly requestedBy: string },
): NewExecution {
  return {
    id: executionId,
    jobId: job.id,
    jobVersion: job.version,
    trigger: 'backfill',
    scheduledFor,
    availableAt: undefined,
    // What it depends on has completed in its own time, or never will.
    waitsForDependencies: false,
    parameters: {},
    pinnedWorker: undefined,
    ...asked,
  }
}

/** The request came before: what was made then. */
async function readAgain(tx: Db, id: string): Promise<BackfillOutcome> {
  const stored = await readBackfill(tx, id)
  if (stored === undefined) throw new Error(`backfill ${id} is younger than its request`)
  return {
    dueTimes: stored.runs.map(({ scheduledFor }) => scheduledFor),
    executions: stored.runs.map(({ executionId }) => executionId),
    succeededCount: stored.succeeded_count,
    liveCount: stored.live_count,
  }
}
