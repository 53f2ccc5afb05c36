/** What settled executions mean for their jobs: one change per job. Pure. */
import type { ActivityChange, SettledRow } from './settle-queries.ts'

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
