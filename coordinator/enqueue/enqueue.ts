/** The second step: what was asked for becomes a live execution, waiting or queued. */

import { Guarantee, type JobSpec } from '../../proto/gen/rota/v1/job.ts'
import { durationToMs } from '../../shared/duration.ts'
import { wordFromEnum } from '../../shared/wire.ts'
import type { Deps } from '../deps.ts'
import type { NewExecution } from '../job/new-execution.ts'
import { defaultParameters } from '../job/parameters.ts'
import { type PlacementNeeds, placementKey, placementNeeds } from '../job/placement.ts'
import { retryPlan } from '../job/retry-policy.ts'
import type { Db } from '../store/database.ts'
import { specOf } from '../store/job-specs.ts'
import {
  type ExecutionInsert,
  insertDependencyChecks,
  insertExecutions,
  upsertClasses,
} from './enqueue-queries.ts'

/** Inserts executions within the caller's transaction; the caller gives the hint `queue` after its commit. */
export type Enqueue = (tx: Db, requests: readonly NewExecution[]) => Promise<void>

export const PRIORITY_DEFAULT = 50

export function createEnqueue(deps: Pick<Deps, 'db' | 'specs'>): Enqueue {
  const classIds = new Map<string, number>()

  /** Classes are upserted outside the transaction: a rolled back one would leave its id in the map. */
  const loadClasses = async (wanted: readonly PlacementNeeds[]) => {
    const missing = new Map(wanted.map((needs) => [placementKey(needs), needs]))
    for (const key of missing.keys()) if (classIds.has(key)) missing.delete(key)
    if (missing.size === 0) return
    for (const [key, id] of await upsertClasses(deps.db, [...missing.values()]))
      classIds.set(key, id)
  }

  return async (tx, requests) => {
    if (requests.length === 0) return
    const specs = await deps.specs.load(tx, requests)
    const planned = requests.map((request) => {
      const { spec } = specOf(specs, request)
      return { request, spec, needs: placementNeeds(spec, request.pinnedWorker) }
    })
    await loadClasses(planned.map(({ needs }) => needs))
    const rows = planned.map(({ request, spec, needs }) =>
      toInsert(request, spec, classIds.get(placementKey(needs)) ?? 0),
    )
    await insertExecutions(tx, rows)
    const waiting = requests.filter((request) => request.waitsForDependencies)
    if (waiting.length > 0) {
      await insertDependencyChecks(tx, [...new Set(waiting.map(({ jobId }) => jobId))])
    }
  }
}

function toInsert(request: NewExecution, spec: JobSpec, classId: number): ExecutionInsert {
  return {
    id: request.id,
    jobId: request.jobId,
    jobVersion: request.jobVersion,
    ...initialState(request),
    trigger: request.trigger,
    priority: spec.priority ?? PRIORITY_DEFAULT,
    classId,
    guarantee: wordFromEnum(Guarantee, spec.guarantee) ?? 'at_least_once',
    scheduledFor: request.scheduledFor ?? null,
    startDeadlineMs: durationToMs(spec.startDeadline) ?? null,
    parameters: JSON.stringify({ ...defaultParameters(spec.parameters), ...request.parameters }),
    requestedBy: request.requestedBy,
    maxAttempts: 1 + retryPlan(spec.retry).maxRetries,
  }
}

function initialState(
  request: NewExecution,
): Pick<ExecutionInsert, 'state' | 'reasonCode' | 'availableAt'> {
  if (request.waitsForDependencies) {
    return { state: 'waiting', reasonCode: 'DEPENDENCY', availableAt: 'infinity' }
  }
  if (request.availableAt !== undefined) {
    return { state: 'waiting', reasonCode: 'SCHEDULED_LATER', availableAt: request.availableAt }
  }
  return { state: 'queued', reasonCode: '', availableAt: null }
}
