/** The fourth step: what was claimed and committed goes down the streams. */
import type { Assignment } from '../../proto/gen/rota/agent/v1/agent_service.ts'
import type { Deps } from '../deps.ts'
import type { JobId, SessionId } from '../job/execution.ts'
import { specOf } from '../store/job-specs.ts'
import { type AssignedExecution, toAssignment } from './assignment.ts'
import type { Fleet } from './fleet.ts'

export interface DispatchedExecution extends AssignedExecution {
  readonly job_id: JobId
  readonly job_version: number
  readonly session_id: SessionId
}

/** An Assign message is kept well below the limit of 256 KiB by its count; a task holds at most 256 KiB by itself. */
const ASSIGN_BYTES_MAX = 192 * 1024

/** Sends assignments, batched by session. One whose session is gone is left to its lease, or to its next session. */
export async function dispatch(
  deps: Pick<Deps, 'db' | 'specs'>,
  fleet: Fleet,
  executions: readonly DispatchedExecution[],
): Promise<void> {
  if (executions.length === 0) return
  const refs = executions.map((row) => ({ jobId: row.job_id, jobVersion: row.job_version }))
  const specs = await deps.specs.load(deps.db, refs)
  const bySession = Map.groupBy(executions, ({ session_id }) => session_id)
  for (const [sessionId, rows] of bySession) {
    const session = fleet.get(sessionId)
    if (session === undefined) continue
    for (const row of rows) fleet.confirm(sessionId, row.id, row.epoch)
    const assignments = rows.map((row) =>
      toAssignment(row, specOf(specs, { jobId: row.job_id, jobVersion: row.job_version })),
    )
    for (const batch of inBatches(assignments)) {
      session.stream.send({ $case: 'assign', value: { assignments: batch } })
    }
  }
}

function inBatches(assignments: readonly Assignment[]): Assignment[][] {
  const batches: Assignment[][] = []
  let bytes = Number.POSITIVE_INFINITY
  for (const assignment of assignments) {
    const size = JSON.stringify(assignment.task ?? null).length + 1_024
    if (bytes + size > ASSIGN_BYTES_MAX) {
      batches.push([])
      bytes = 0
    }
    batches.at(-1)?.push(assignment)
    bytes += size
  }
  return batches
}
