/** The fourth step: what was claimed and committed goes down the streams. */
import type { Assignment } from '../../proto/gen/rota/agent/v1/agent_service.ts'
import { assert } from '../../shared/assert.ts'
import type { Deps } from '../deps.ts'
import type { JobId, SessionId } from '../job/execution.ts'
import { specKey } from '../store/job-specs.ts'
import {
  type AssignedExecution,
  type AssignmentTerms,
  termsOf,
  toAssignment,
} from './assignment.ts'
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
  const terms = new Map([...specs].map(([key, stored]) => [key, termsOf(stored)]))
  const bySession = Map.groupBy(executions, ({ session_id }) => session_id)
  for (const [sessionId, rows] of bySession) {
    const session = fleet.get(sessionId)
    if (session === undefined) continue
    for (const row of rows) fleet.confirm(sessionId, row.id, row.epoch)
    const sized = rows.map((row) => sizedAssignment(row, terms))
    for (const batch of inBatches(sized)) {
      session.stream.send({ $case: 'assign', value: { assignments: batch } })
    }
  }
}

interface SizedAssignment {
  readonly assignment: Assignment
  readonly sizeBytes: number
}

function sizedAssignment(
  row: DispatchedExecution,
  terms: ReadonlyMap<string, AssignmentTerms>,
): SizedAssignment {
  const own = terms.get(specKey({ jobId: row.job_id, jobVersion: row.job_version }))
  assert(own !== undefined, 'every spec was loaded')
  const sizeBytes = own.sizeBytes + JSON.stringify(row.parameters).length
  return { assignment: toAssignment(row, own), sizeBytes }
}

function inBatches(sized: readonly SizedAssignment[]): Assignment[][] {
  const batches: Assignment[][] = []
  let bytes = Number.POSITIVE_INFINITY
  for (const { assignment, sizeBytes } of sized) {
    if (bytes + sizeBytes > ASSIGN_BYTES_MAX) {
      batches.push([])
      bytes = 0
    }
    batches.at(-1)?.push(assignment)
    bytes += sizeBytes
  }
  return batches
}
