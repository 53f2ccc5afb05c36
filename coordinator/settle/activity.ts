/** What ended attempts and settled executions mean for workers and jobs: one change each. Pure. */
import { type AttemptOutcome, isFailure, type WorkerId } from '../job/execution.ts'
import type { ActivityChange, SettledRow, WorkerChange } from './settle-queries.ts'

export function activityOf(settled: readonly SettledRow[]): ActivityChange[] {
  const changes = new Map<number, ActivityChange>()
  const inOrder = [...settled].sort((a, b) => a.settled_at.getTime() - b.settled_at.getTime())
  for (const row of inOrder) changes.set(row.job_id, add(changes.get(row.job_id), row))
  return [...changes.values()]
}

function add(before: ActivityChange | undefined, row: SettledRow): ActivityChange {
  const isSuccess = row.state === 'succeeded'
  const failure = row.state === 'failed' || row.state === 'uncertain' ? 1 : 0
  const counted = before?.failuresAfterSuccess ?? null
  return {
    jobId: row.job_id,
    lastExecutionId: row.id,
    lastSucceededAt: isSuccess ? row.settled_at : (before?.lastSucceededAt ?? null),
    lastFailedAt: failure === 1 ? row.settled_at : (before?.lastFailedAt ?? null),
    failuresAfterSuccess: isSuccess ? 0 : counted === null ? null : counted + failure,
    failures: (before?.failures ?? 0) + failure,
  }
}

/** An attempt that is over, as far as its worker is concerned. */
interface WorkerOutcome {
  readonly workerId: WorkerId
  readonly outcome: AttemptOutcome
}

export function workerChangesOf(ended: readonly WorkerOutcome[]): WorkerChange[] {
  const changes = new Map<WorkerId, WorkerChange>()
  for (const { workerId, outcome } of ended) {
    const change = addOutcome(changes.get(workerId), workerId, outcome)
    if (change !== undefined) changes.set(workerId, change)
  }
  return [...changes.values()]
}

/** Outcomes that say nothing of the worker, such as a cancel, change nothing. */
function addOutcome(
  before: WorkerChange | undefined,
  workerId: WorkerId,
  outcome: AttemptOutcome,
): WorkerChange | undefined {
  if (outcome === 'succeeded') return { workerId, failuresAfterSuccess: 0, failures: 0 }
  if (!isFailure(outcome)) return before
  const counted = before?.failuresAfterSuccess ?? null
  return {
    workerId,
    failuresAfterSuccess: counted === null ? null : counted + 1,
    failures: (before?.failures ?? 0) + 1,
  }
}
