/** The second step: what was asked for becomes a live execution, waiting or queued. */

import { Guarantee, type JobSpec } from '../../proto/gen/rota/v1/job.ts'
import { assert } from '../../shared/assert.ts'
import { durationToMs } from '../../shared/duration.ts'
import { wordFromEnum } from '../../shared/wire.ts'
import type { Deps } from '../deps.ts'
import type {
  Epoch,
  ExecutionId,
  Guarantee as GuaranteeWord,
  JobId,
  SessionId,
  Trigger,
  WorkerId,
} from '../job/execution.ts'
import type { NewExecution } from '../job/new-execution.ts'
import { defaultParameters } from '../job/parameters.ts'
import { type PlacementNeeds, placementKey, placementNeeds } from '../job/placement.ts'
import { retryPlan } from '../job/retry-policy.ts'
import type { Db } from '../store/database.ts'
import { specOf } from '../store/job-specs.ts'
import {
  type ExecutionInsert,
  type InsertedAssigned,
  insertClasses,
  insertDependencyChecks,
  insertExecutions,
  readClasses,
} from './enqueue-queries.ts'
import { type Admitted, type LeftOut, type Planned, passGates } from './overlap.ts'

/** An execution that is queued from now on. */
export interface Enqueued {
  readonly id: ExecutionId
  readonly classId: number
  readonly needs: PlacementNeeds
  readonly priority: number
}

/** Of those that are about to be inserted, who gets which. */
export type PairNew = (queued: readonly Enqueued[]) => ReadonlyMap<ExecutionId, NewOwner>

export interface NewOwner {
  readonly workerId: WorkerId
  readonly sessionId: SessionId
  /** Of the worker. */
  readonly name: string
}

/** One that got a worker as it was inserted: its first attempt. */
export interface AssignedNew {
  readonly id: ExecutionId
  readonly job_id: JobId
  readonly job_version: number
  readonly attempt: 1
  readonly epoch: Epoch
  readonly worker_id: WorkerId
  /** Its name. */
  readonly worker: string
  readonly session_id: SessionId
  readonly guarantee: GuaranteeWord
  readonly trigger: Trigger
  readonly priority: number
  readonly scheduled_for: Date | null
  readonly parameters: Record<string, unknown>
  readonly requested_by: string
  readonly max_attempts: number
  /** When it was inserted, too. */
  readonly assigned_at: Date
}

export interface EnqueueOutcome {
  readonly assigned: readonly AssignedNew[]
  /** Those that wait in the queue. */
  readonly queuedCount: number
  /** Those that their job's overlap policy leaves out: they are not stored. */
  readonly leftOut: readonly LeftOut[]
}

/** Inserts executions within the caller's transaction; of those that wait for nothing, `pair` says who gets one at once. */
export type Enqueue = (
  tx: Db,
  requests: readonly NewExecution[],
  pair?: PairNew,
) => Promise<EnqueueOutcome>

export const PRIORITY_DEFAULT = 50

export function createEnqueue(deps: Pick<Deps, 'hints' | 'specs'>): Enqueue {
  const classes = createClassIds()
  deps.hints.on('recovery', classes.forget)
  return async (tx, requests, pair) => {
    if (requests.length === 0) return NOTHING
    const specs = await deps.specs.load(tx, requests)
    const planned = requests.map((request) => {
      const { spec, jobUid } = specOf(specs, request)
      return { request, spec, jobUid, needs: placementNeeds(spec, request.pinnedWorker) }
    })
    const { admitted, leftOut } = await passGates(tx, planned)
    if (admitted.length === 0) return { ...NOTHING, leftOut }
    const classIds = await classes.load(
      tx,
      admitted.map(({ planned: { needs } }) => needs),
    )
    const rows = admitted.map((each) => {
      const { needs } = each.planned
      const classId = classIds.get(placementKey(needs))
      assert(classId !== undefined, 'every class was loaded')
      return { ...toInsert(each, classId), needs }
    })
    const queued = rows.filter(({ state }) => state === 'queued')
    const owners = queued.length === 0 ? undefined : pair?.(queued)
    const inserts = rows.map((row) => {
      const { sessionId = null, workerId = null, name: worker = '' } = owners?.get(row.id) ?? {}
      return { ...row, sessionId, workerId, worker }
    })
    const assigned = toAssigned(inserts, await insertExecutions(tx, inserts))
    const waiting = rows.filter(({ reasonCode }) => reasonCode === 'DEPENDENCY')
    if (waiting.length > 0) {
      await insertDependencyChecks(tx, [...new Set(waiting.map(({ jobId }) => jobId))])
    }
    if (admitted.some(({ isHeld }) => isHeld)) deps.hints.give('overlap')
    return { assigned, queuedCount: queued.length - assigned.length, leftOut }
  }
}

const NOTHING: EnqueueOutcome = { assigned: [], queuedCount: 0, leftOut: [] }

function toAssigned(
  inserts: readonly (ExecutionInsert & { readonly worker: string })[],
  assigned: ReadonlyMap<ExecutionId, InsertedAssigned>,
): AssignedNew[] {
  return inserts.flatMap((row): AssignedNew[] => {
    const stored = assigned.get(row.id)
    if (stored === undefined || row.workerId === null || row.sessionId === null) return []
    return [
      {
        id: row.id,
        job_id: row.jobId,
        job_version: row.jobVersion,
        attempt: 1,
        epoch: stored.epoch,
        worker_id: row.workerId,
        worker: row.worker,
        session_id: row.sessionId,
        guarantee: row.guarantee,
        trigger: row.trigger,
        priority: row.priority,
        scheduled_for: row.scheduledFor,
        parameters: row.parameters,
        requested_by: row.requestedBy,
        max_attempts: row.maxAttempts,
        assigned_at: stored.assignedAt,
      },
    ]
  })
}

/** Ids of placement classes. Only those found committed are remembered: a class of a rolled back transaction is none. */
function createClassIds() {
  const known = new Map<string, number>()
  return {
    /** The database has gone back: ids may mean something else by now. */
    forget: () => known.clear(),
    async load(tx: Db, wanted: readonly PlacementNeeds[]): Promise<ReadonlyMap<string, number>> {
      const unknown = new Map(wanted.map((needs) => [placementKey(needs), needs]))
      for (const key of known.keys()) unknown.delete(key)
      if (unknown.size === 0) return known
      const keys = [...unknown.keys()]
      for (const [key, id] of await readClasses(tx, keys)) {
        known.set(key, id)
        unknown.delete(key)
      }
      if (unknown.size === 0) return known
      await insertClasses(tx, [...unknown.values()])
      return new Map([...known, ...(await readClasses(tx, [...unknown.keys()]))])
    },
  }
}

function toInsert(
  admitted: Admitted<Planned>,
  classId: number,
): Omit<ExecutionInsert, 'sessionId' | 'workerId'> {
  const { request, spec } = admitted.planned
  return {
    id: request.id,
    jobId: request.jobId,
    jobVersion: request.jobVersion,
    ...initialState(admitted),
    trigger: request.trigger,
    priority: spec.priority ?? PRIORITY_DEFAULT,
    classId,
    guarantee: wordFromEnum(Guarantee, spec.guarantee) ?? 'at_least_once',
    scheduledFor: request.scheduledFor ?? null,
    startDeadlineMs: startDeadlineMs(request, spec),
    parameters: { ...defaultParameters(spec.parameters), ...request.parameters },
    requestedBy: request.requestedBy,
    maxAttempts: 1 + retryPlan(spec.retry).maxRetries,
    gate: admitted.gate,
  }
}

/** The due times of a backfill are long past. */
function startDeadlineMs({ backfillId }: NewExecution, spec: JobSpec): number | null {
  return backfillId === undefined ? (durationToMs(spec.startDeadline) ?? null) : null
}

function initialState({
  planned: { request },
  isHeld,
}: Admitted<Planned>): Pick<ExecutionInsert, 'state' | 'reasonCode' | 'availableAt'> {
  if (isHeld) return { state: 'waiting', reasonCode: 'OVERLAP', availableAt: 'infinity' }
  if (request.waitsForDependencies) {
    return { state: 'waiting', reasonCode: 'DEPENDENCY', availableAt: 'infinity' }
  }
  if (request.availableAt !== undefined) {
    return { state: 'waiting', reasonCode: 'SCHEDULED_LATER', availableAt: request.availableAt }
  }
  return { state: 'queued', reasonCode: '', availableAt: null }
}
