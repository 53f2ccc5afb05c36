/**
 * The last step: ended attempts become the next state of their executions.
 *
 * E1. Only the current epoch of the session that owns it can end an attempt; the row is locked first, or goes at once.
 * E2. Attempt, state, activity of the job and word to its dependents are one transaction, which the caller opens.
 * E3. An execution leaves the live table and enters history in one statement; final states never change.
 * E4. A success leaves nothing to decide and is settled where it lies, without coming here (success-queries.ts).
 */
import { assert } from '../../shared/assert.ts'
import type { Deps } from '../deps.ts'
import type { AttemptReport, SessionReport } from '../job/attempt-report.ts'
import type { AttemptOutcome, Epoch, ExecutionId, SessionId, WorkerId } from '../job/execution.ts'
import type { EndedExecution } from '../job/new-execution.ts'
import { retryPlan } from '../job/retry-policy.ts'
import type { Db } from '../store/database.ts'
import { specOf } from '../store/job-specs.ts'
import { activityOf, workerChangesOf } from './activity.ts'
import { decideOutcome, type Verdict } from './decide-outcome.ts'
import {
  type EndingExecution,
  insertAttempts,
  lockOfSessions,
  lockReported,
  lockUnassigned,
  recordActivity,
  recordWorkerFailures,
  requeueExecutions,
  retryExecutions,
  type SettledExecution,
  type SettledRow,
  settleExecutions,
  tellDependents,
} from './settle-queries.ts'
import { settleSucceeded } from './success-queries.ts'

/** An attempt that is over. */
export interface EndedAttempt {
  readonly executionId: ExecutionId
  readonly epoch: Epoch
  readonly sessionId: SessionId
  readonly workerId: WorkerId
  readonly outcome: AttemptOutcome
  /** It was taken from its worker, and speaks against nobody. */
  readonly isGivenUp: boolean
}

export interface Settle {
  /**
   * Ends what sessions report, which the caller holds; reports that are not their own current attempts are left out of the
   * answer (E1).
   */
  settleReported(tx: Db, reports: readonly SessionReport[]): Promise<EndedAttempt[]>
  /** Ends everything that these sessions had in hand as lost, but for what `isKept` names. */
  settleLost(tx: Db, loss: SessionLoss): Promise<EndedAttempt[]>
  /** Ends executions that no worker has; those that one has by now are left out of the answer. */
  endExecutions(tx: Db, ended: readonly EndedExecution[]): Promise<EndedExecution[]>
}

export interface SessionLoss {
  readonly sessionIds: readonly SessionId[]
  readonly message: string
  readonly isKept?: (ending: EndingExecution) => boolean
}

export function createSettle(deps: Deps): Settle {
  return {
    async settleReported(tx, reports) {
      const byAttempt = new Map(
        reports.map((report) => [
          keyOf(report.sessionId, report.executionId, report.epoch),
          report,
        ]),
      )
      const { succeeded = [], other = [] } = Object.groupBy(byAttempt.values(), ({ outcome }) =>
        outcome === 'succeeded' ? outcome : 'other',
      )
      const settled = succeeded.length === 0 ? [] : await settleSucceeded(tx, succeeded)
      const endings = other.length === 0 ? [] : await lockReported(tx, other)
      const pending = endings.flatMap((ending) => {
        const report = byAttempt.get(keyOf(ending.session_id, ending.id, ending.epoch))
        return report === undefined ? [] : [toPending(ending, report)]
      })
      const gone = new Map(settled.map(({ id, epoch }) => [id, epoch]))
      const quick = succeeded.filter(({ executionId, epoch }) => gone.get(executionId) === epoch)
      return endAttempts(deps, tx, { settled, quick: quick.map(asEnded), pending })
    },

    async settleLost(tx, loss) {
      const endings = await lockOfSessions(tx, loss.sessionIds)
      const lost = endings.filter((ending) => loss.isKept?.(ending) !== true)
      const pending = lost.map((ending) => ({
        ending,
        report: lostReport(ending, loss.message),
        isGivenUp: false,
      }))
      return endAttempts(deps, tx, { settled: [], quick: [], pending })
    },

    async endExecutions(tx, ended) {
      if (ended.length === 0) return []
      const locked = new Set(
        await lockUnassigned(
          tx,
          ended.map(({ id }) => id),
        ),
      )
      const ending = ended.filter(({ id }) => locked.has(id))
      const rows = await settle(
        tx,
        ending.map((end) => ({ ...end, outputs: undefined, startedAt: undefined })),
      )
      await tellJobs(deps, tx, rows)
      return ending
    },
  }
}

/**
 * One end of an attempt; an execution that two sessions speak of belongs to one of them at most. One session may speak of
 * several of its attempts at once: what it could not tell while it was cut off, and what it did since.
 */
function keyOf(sessionId: SessionId, executionId: ExecutionId, epoch: Epoch): string {
  return `${sessionId}/${executionId}/${epoch}`
}

function asEnded({
  executionId,
  epoch,
  sessionId,
  workerId,
  outcome,
}: SessionReport): EndedAttempt {
  return { executionId, epoch, sessionId, workerId, outcome, isGivenUp: false }
}

/** An attempt whose end is known, and whose row is locked. */
interface Pending {
  readonly ending: EndingExecution
  readonly report: AttemptReport
  readonly isGivenUp: boolean
}

interface Decided extends Pending {
  readonly verdict: Verdict
}

interface Ends {
  /** Settled already, and the attempts that did it. */
  readonly settled: readonly SettledRow[]
  readonly quick: readonly EndedAttempt[]
  readonly pending: readonly Pending[]
}

async function endAttempts(
  deps: Deps,
  tx: Db,
  { settled, quick, pending }: Ends,
): Promise<EndedAttempt[]> {
  if (quick.length + pending.length === 0) return []
  const decided = pending.length === 0 ? [] : await decide(deps, tx, pending)
  const counted = decided.filter(({ verdict }) => verdict.kind !== 'requeue')
  if (counted.length > 0) {
    await insertAttempts(
      tx,
      counted.map(({ ending, report }) => ({ ...report, ending })),
    )
  }
  const rows = await settle(tx, decided.flatMap(toSettled))
  await retry(tx, decided)
  const requeued = decided.filter(({ verdict }) => verdict.kind === 'requeue')
  if (requeued.length > 0) {
    const ids = requeued.map(({ ending }) => ending.id)
    expectAll('requeued', await requeueExecutions(tx, ids), ids.length)
  }
  await tellJobs(deps, tx, [...settled, ...rows])
  const ended = [...quick, ...decided.map(toEnded)]
  const workers = workerChangesOf(ended.filter(({ isGivenUp }) => !isGivenUp))
  if (workers.length > 0) await recordWorkerFailures(tx, workers)
  return ended
}

function toEnded({ ending, report, isGivenUp }: Decided): EndedAttempt {
  return {
    executionId: ending.id,
    epoch: ending.epoch,
    sessionId: ending.session_id,
    workerId: ending.worker_id,
    outcome: report.outcome,
    isGivenUp,
  }
}

async function decide(deps: Deps, tx: Db, pending: readonly Pending[]): Promise<Decided[]> {
  const refs = pending.map(({ ending }) => ({
    jobId: ending.job_id,
    jobVersion: ending.job_version,
  }))
  const specs = await deps.specs.load(tx, refs)
  return pending.map(({ ending, report, isGivenUp }) => {
    const { spec } = specOf(specs, { jobId: ending.job_id, jobVersion: ending.job_version })
    const verdict = decideOutcome(explainCancel(report, ending), {
      guarantee: ending.guarantee,
      retry: retryPlan(spec.retry),
      failureCount: ending.failure_count,
      lostCount: ending.lost_count,
      isCancelRequested: ending.is_cancel_requested,
      isGivenUp,
      fraction: deps.random.fraction(),
    })
    return { ending, report, isGivenUp, verdict }
  })
}

/** A cancelled attempt says in the coordinator's words who cancelled it and why. */
function explainCancel(report: AttemptReport, ending: EndingExecution) {
  if (!ending.is_cancel_requested || report.outcome === 'succeeded') return report
  return { ...report, reasonCode: 'CANCELLED', message: ending.cancel_reason }
}

function toSettled({ ending, report, verdict }: Decided): SettledExecution[] {
  if (verdict.kind !== 'settle') return []
  const { state, reasonCode, reasonMessage } = verdict
  const { outputs, startedAt } = report
  return [{ id: ending.id, state, reasonCode, reasonMessage, outputs, startedAt }]
}

async function settle(tx: Db, settled: readonly SettledExecution[]): Promise<SettledRow[]> {
  if (settled.length === 0) return []
  const rows = await settleExecutions(tx, settled)
  expectAll('settled', rows.length, settled.length)
  return rows
}

/** What is known of the jobs changes, and their dependents hear of it. */
async function tellJobs(deps: Deps, tx: Db, rows: readonly SettledRow[]): Promise<void> {
  if (rows.length === 0) return
  await recordActivity(tx, activityOf(rows))
  const told = await tellDependents(tx, [...new Set(rows.map(({ job_id }) => job_id))])
  if (told > 0) deps.hints.give('dependencies')
}

async function retry(tx: Db, ended: readonly Decided[]): Promise<void> {
  const retried = ended.flatMap(({ ending, verdict }) => {
    if (verdict.kind !== 'retry') return []
    const { delayMs, reasonCode, reasonMessage } = verdict
    return [
      {
        id: ending.id,
        delayMs,
        countsFailure: verdict.counts === 'failure' ? 1 : 0,
        countsLoss: verdict.counts === 'loss' ? 1 : 0,
        reasonCode,
        reasonMessage,
      },
    ]
  })
  if (retried.length > 0) expectAll('retried', await retryExecutions(tx, retried), retried.length)
}

/** The rows were locked in a state that the move may leave: fewer changed is a mistake of ours, and nothing is stored. */
function expectAll(move: string, changed: number, locked: number): void {
  assert(changed === locked, `${move} ${changed} of ${locked} executions that were locked`)
}

function toPending(ending: EndingExecution, report: AttemptReport): Pending {
  const isGivenUp = wasGivenUp(report, ending)
  const told = isGivenUp ? { ...report, ...givenUp(ending) } : asStarted(report, ending)
  return { ending, report: onDatabaseClock(told, ending), isGivenUp }
}

/** Only what we wanted given up is: an agent that says so of anything else has lost it. Older ones call it cancelled. */
function wasGivenUp({ outcome }: AttemptReport, ending: EndingExecution): boolean {
  const isEndedByUs = outcome === 'lost' || outcome === 'cancelled'
  return ending.is_given_up && !ending.is_cancel_requested && isEndedByUs
}

function givenUp({ worker }: EndingExecution) {
  const message = `taken from ${worker}: the deadline of its drain has come`
  return { outcome: 'lost', reasonCode: 'DRAINED', message } as const
}

/** What has started cannot be refused any more as if it never was: its agent gave it up. */
function asStarted(report: AttemptReport, ending: EndingExecution): AttemptReport {
  const isTooLate = report.outcome === 'refused' && ending.started_at !== null
  return isTooLate ? { ...report, outcome: 'failed' } : report
}

/**
 * The times of a report come from the clock of the agent's host, less the skew that is known: what cannot be is pulled
 * between the assignment and now.
 */
function onDatabaseClock(report: AttemptReport, ending: EndingExecution): AttemptReport {
  const endedAt = between(ending.assigned_at, report.endedAt ?? ending.now, ending.now)
  const startedAt = report.startedAt ?? ending.started_at ?? undefined
  return {
    ...report,
    endedAt,
    startedAt: startedAt && between(ending.assigned_at, startedAt, endedAt),
  }
}

function between(from: Date, time: Date, to: Date): Date {
  return new Date(Math.max(from.getTime(), Math.min(time.getTime(), to.getTime())))
}

function lostReport(ending: EndingExecution, message: string): AttemptReport {
  return {
    executionId: ending.id,
    epoch: ending.epoch,
    outcome: 'lost',
    reasonCode: 'LEASE_LOST',
    message,
    exitCode: undefined,
    signal: '',
    outputs: undefined,
    startedAt: ending.started_at ?? undefined,
    endedAt: ending.now,
    cpuMs: undefined,
    peakMemoryBytes: undefined,
    logBytes: 0,
    logBytesDropped: 0,
  }
}
