/**
 * The first step: due times become decisions in the ledger, and some of them executions.
 *
 * S1. Decision, occurrence and execution are one transaction.
 * S2. A due time is decided once: its ledger row is unique, and its execution's id is derived from it.
 * S3. The database's clock alone says what is due; marks only move forward.
 * S4. A schedule that cannot be decided is logged and put off; it never stops the others, whatever is wrong with its row: when
 *     a transaction fails, its schedules are decided one by one.
 */
import { occurrenceExecutionId } from '../../shared/ids.ts'
import { Ticker } from '../../shared/ticker.ts'
import type { Deps } from '../deps.ts'
import type { ExecutionId, JobId } from '../job/execution.ts'
import type { NewExecution } from '../job/new-execution.ts'
import type { Db } from '../store/database.ts'
import { isDatabaseUnavailable } from '../store/database-errors.ts'
import { type JobVersionRef, specOf } from '../store/job-specs.ts'
import { createCrowdPace } from './crowd-pace.ts'
import { type DueDecision, decideDue } from './decide-due.ts'
import {
  type CircumstancesOf,
  createReadCircumstances,
  type DueJob,
  type ReadCircumstances,
} from './read-circumstances.ts'
import {
  advanceSchedules,
  countSkips,
  type DueSchedule,
  endPauses,
  endSchedules,
  insertOccurrences,
  lockDueSchedules,
  nextDueMs,
  occurrenceKey,
  recordLastDue,
  type ScheduleMark,
} from './schedule-queries.ts'

/**
 * Schedules in one transaction, and due times decided of each; the rest follows at once. Of many that are due in the same
 * second the last one waits for few commits; and their product keeps the longest round, after an outage, below a second.
 */
const BATCH = 500
const DECISIONS_MAX = 20
/**
 * Transactions at a time while more is due than one takes: the coordinator plans for the one while PostgreSQL works for the
 * other. They share nothing, as if they were of two coordinators.
 */
const LANES = 2
/** Looks at least so often, in ms: another coordinator may have saved a schedule. */
const LOOK_MS = 1_000
/** A schedule that cannot be decided is looked at again after this, in ms. */
const PUT_OFF_MS = 60_000

/** From the enqueue step: a transaction that enqueues, and what follows it. */
type StoreNew = <T>(work: (tx: Db, enqueue: Enqueue) => Promise<T>) => Promise<T>
type Enqueue = (requests: readonly NewExecution[]) => Promise<unknown>

/** What the schedule step needs of those behind it. */
export interface AfterSchedule {
  readonly storeNew: StoreNew
  /** Slots that what is new can have at once. */
  readonly freeSlots: () => number
}

interface ScheduleSteps {
  readonly storeNew: StoreNew
  readonly read: ReadCircumstances
}

export function createScheduleLoop(deps: Deps, { storeNew, freeSlots }: AfterSchedule): Ticker {
  let isCrowded = false
  const steps = { storeNew, read: createReadCircumstances(deps) }
  const pace = createCrowdPace(deps.clock, { freeSlots, batch: BATCH, lanes: LANES })
  return new Ticker({
    ...deps,
    name: 'schedule',
    runOnce: async () => {
      const limit = isCrowded ? await pace() : BATCH
      const lanes = Array.from({ length: isCrowded ? LANES : 1 }, async () =>
        decideBatch(deps, steps, limit),
      )
      isCrowded = (await allOf(lanes)).includes(limit)
      if (isCrowded) return 0
      const waitMs = (await nextDueMs(deps.db)) ?? LOOK_MS
      return Math.max(0, Math.min(LOOK_MS, waitMs))
    },
  })
}

/** As Promise.all, but nothing goes on behind the one that fails. */
async function allOf<T>(work: readonly Promise<T>[]): Promise<T[]> {
  await Promise.allSettled(work)
  return Promise.all(work)
}

/** At most `limit` due schedules; answers how many there were. */
async function decideBatch(deps: Deps, steps: ScheduleSteps, limit: number): Promise<number> {
  try {
    return await decideDueSchedules(deps, steps, { limit })
  } catch (error) {
    if (isDatabaseUnavailable(error)) throw error
    deps.logger.warn({ err: error }, 'due schedules cannot be decided together; one by one (S4)')
    return decideOneByOne(deps, steps, limit)
  }
}

/** The same, each in a transaction of its own. */
async function decideOneByOne(deps: Deps, steps: ScheduleSteps, most: number): Promise<number> {
  for (let decided = 0; decided < most; decided++) {
    let row: DueSchedule | undefined
    const onLocked = (rows: readonly DueSchedule[]) => {
      row = rows[0]
    }
    try {
      const count = await decideDueSchedules(deps, steps, { limit: 1, onLocked })
      if (count === 0) return decided
    } catch (error) {
      if (row === undefined || isDatabaseUnavailable(error)) throw error
      await advanceSchedules(deps.db, [putOff(deps, row, { error })])
    }
  }
  return most
}

/** Says so in the log; the mark stays. */
function putOff(
  { logger }: Deps,
  row: DueSchedule,
  { error, job }: { readonly error: unknown; readonly job?: string },
): ScheduleMark {
  const what = { err: error, jobId: row.job_id, ...(job === undefined ? {} : { job }) }
  logger.error(what, 'a schedule cannot be decided; put off (S4)')
  const dueAt = new Date(row.now.getTime() + PUT_OFF_MS)
  return { jobId: row.job_id, markedAt: row.marked_at, dueAt, runAt: null }
}

interface DueBatch {
  readonly limit: number
  readonly onLocked?: (rows: readonly DueSchedule[]) => void
}

/** One transaction over at most `limit` due schedules; answers how many there were. */
async function decideDueSchedules(
  deps: Deps,
  { read, storeNew }: ScheduleSteps,
  { limit, onLocked }: DueBatch,
): Promise<number> {
  const { count, hasEnds } = await storeNew(async (tx, enqueue) => {
    const due = await lockDueSchedules(tx, limit)
    if (due.length === 0) return { count: 0, hasEnds: false }
    onLocked?.(due)
    const specs = await deps.specs.load(tx, due.map(toRef))
    const jobs = due.map((row) => ({ row, stored: specOf(specs, toRef(row)) }))
    const aroundOf = await read(tx, jobs)
    const plans = jobs.map((job) => planSchedule(deps, job, aroundOf))
    await apply(tx, enqueue, plans)
    return { count: due.length, hasEnds: plans.some(isOver) }
  })
  if (hasEnds && count < limit) deps.hints.give('endings')
  return count
}

interface SchedulePlan extends DueJob {
  readonly decisions: readonly DueDecision[]
  readonly mark: Date
  /** Undefined: it is never due again. */
  readonly nextDueAt: Date | undefined
  readonly nextRunAt: Date | undefined
  readonly skipLeft: number
}

function planSchedule(deps: Deps, job: DueJob, aroundOf: CircumstancesOf): SchedulePlan {
  const { row, stored } = job
  const { schedule } = stored.spec
  const nothing = { decisions: [], nextDueAt: undefined, nextRunAt: undefined, skipLeft: 0 }
  if (schedule === undefined) return { ...job, ...nothing, mark: row.now }
  try {
    const decided = decideDue({
      schedule,
      seed: stored.jobUid,
      anchor: stored.createdAt,
      mark: row.marked_at,
      now: row.now,
      limit: DECISIONS_MAX,
      around: aroundOf(job),
    })
    return { ...job, ...decided }
  } catch (error) {
    const { dueAt, markedAt } = putOff(deps, row, { error, job: stored.jobName })
    return { ...job, ...nothing, mark: markedAt, nextDueAt: dueAt, skipLeft: row.skip_left }
  }
}

async function apply(tx: Db, enqueue: Enqueue, plans: readonly SchedulePlan[]): Promise<void> {
  const rows = plans.flatMap((plan) =>
    plan.decisions.map((decision) => ({
      jobId: plan.row.job_id,
      scheduledFor: decision.scheduledFor,
      decision: decision.decision,
      reason: decision.reason,
      executionId: decision.decision === 'enqueued' ? executionIdOf(plan, decision) : null,
      freezeId: decision.freezeId ?? null,
    })),
  )
  const fresh = rows.length === 0 ? new Set<string>() : await insertOccurrences(tx, rows)
  await enqueue(
    plans.flatMap((plan) =>
      plan.decisions
        .filter(({ decision }) => decision === 'enqueued')
        .filter(({ scheduledFor }) => fresh.has(occurrenceKey(plan.row.job_id, scheduledFor)))
        .map((decision) => toNewExecution(plan, decision)),
    ),
  )
  await moveMarks(tx, plans)
}

async function moveMarks(tx: Db, plans: readonly SchedulePlan[]): Promise<void> {
  const marks = plans.flatMap(toMark)
  if (marks.length > 0) await advanceSchedules(tx, marks)
  await recordLastDue(
    tx,
    plans.map(({ row, decisions }) => ({ jobId: row.job_id, lastDueAt: lastDue(decisions) })),
  )
  const skipped = plans.filter(({ row, skipLeft }) => skipLeft !== row.skip_left)
  if (skipped.length > 0) {
    await countSkips(
      tx,
      skipped.map(({ row, skipLeft }) => ({ jobId: row.job_id, left: skipLeft })),
    )
  }
  const resumed = plans.filter(isResumed)
  if (resumed.length > 0) await endPauses(tx, resumed.map(toJobId))
  const over = plans.filter(isOver)
  if (over.length > 0) await endSchedules(tx, over.map(toJobId))
}

/** The pause is over, and everything within it is decided; of what was put off nothing is. */
function isResumed({ mark, nextDueAt, row }: SchedulePlan): boolean {
  const { is_paused, now, resume_at } = row
  if (!is_paused || resume_at === null || resume_at > now || mark <= row.marked_at) return false
  return nextDueAt === undefined || nextDueAt >= resume_at
}

function isOver(plan: SchedulePlan): boolean {
  return lookAt(plan) === undefined
}

/** When the schedule must be looked at again; undefined: never. */
function lookAt({ row, nextDueAt }: SchedulePlan): Date | undefined {
  const { is_paused, now, resume_at } = row
  const resumesAt = is_paused && resume_at !== null && resume_at > now ? resume_at : undefined
  if (nextDueAt === undefined || resumesAt === undefined) return nextDueAt ?? resumesAt
  return resumesAt < nextDueAt ? resumesAt : nextDueAt
}

function toMark(plan: SchedulePlan): ScheduleMark[] {
  const dueAt = lookAt(plan)
  if (dueAt === undefined) return []
  const runAt = plan.nextRunAt ?? null
  return [{ jobId: plan.row.job_id, markedAt: plan.mark, dueAt, runAt }]
}

function toJobId({ row }: SchedulePlan): JobId {
  return row.job_id
}

function lastDue(decisions: readonly DueDecision[]): Date | null {
  const times = decisions
    .filter(({ decision }) => !decision.startsWith('skipped_'))
    .map(({ scheduledFor }) => scheduledFor.getTime())
  return times.length === 0 ? null : new Date(Math.max(...times))
}

function toNewExecution(plan: SchedulePlan, decision: DueDecision): NewExecution {
  return {
    id: executionIdOf(plan, decision),
    ...toRef(plan.row),
    trigger: decision.trigger,
    scheduledFor: decision.scheduledFor,
    availableAt: undefined,
    waitsForDependencies: plan.stored.spec.dependencies.length > 0,
    parameters: {},
    pinnedWorker: undefined,
    requestedBy: 'schedule',
  }
}

function executionIdOf(plan: SchedulePlan, decision: DueDecision): ExecutionId {
  return occurrenceExecutionId(plan.stored.jobUid, decision.scheduledFor) as ExecutionId
}

function toRef(row: DueSchedule): JobVersionRef {
  return { jobId: row.job_id, jobVersion: row.job_version }
}
