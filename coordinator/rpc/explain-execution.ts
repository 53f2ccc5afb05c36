/** Why an execution is where it is: its placement, worker by worker, and what would let it start. */
import { type Execution, ExecutionState, type Reason } from '../../proto/gen/rota/v1/execution.ts'
import type * as api from '../../proto/gen/rota/v1/execution_service.ts'
import { CATALOGUE, isErrorReason } from '../../shared/errors/catalogue.ts'
import type { EXECUTION_REASONS } from '../../shared/errors/execution-reasons.ts'
import { resourceName } from '../../shared/wire.ts'
import type { ExecutionId } from '../job/execution.ts'
import { placementKey } from '../job/placement.ts'
import type { WorkerRow } from '../query/fleet-queries.ts'
import { readQueuedNeeds, readQueuePosition } from '../query/queue-queries.ts'
import {
  explainPlacement,
  type PlacedWorker,
  type PlacementExplanation,
  type WorkerVerdict,
} from '../workers/explain-placement.ts'
import { readWholeExecution } from './read-whole-execution.ts'
import type { ServiceDeps } from './service-deps.ts'
import { healthOf } from './to-worker.ts'

/** Of a large fleet the nearest workers are named. */
const VERDICTS_MAX = 100

/** What an explanation looks at. */
type Explaining = Pick<ServiceDeps, 'db' | 'readFleet'>

export async function explainExecution(
  deps: Explaining,
  id: ExecutionId,
): Promise<api.ExplainExecutionResponse> {
  const { state, reason } = await readWholeExecution(deps.db, id)
  const explanation = await explainQueued(deps, id)
  const position = explanation && (await readQueuePosition(deps.db, id))
  return {
    state,
    reason: explanation === undefined ? reason : reasonOf(explanation),
    workers: explanation?.verdicts.slice(0, VERDICTS_MAX).map(toVerdict) ?? [],
    remedies: explanation === undefined ? remediesOf(state, reason) : [...explanation.remedies],
    queuePosition: BigInt(position ?? 0),
  }
}

/** One execution with all its attempts and, while it is queued and has no worker, why. */
export async function readExplained(deps: Explaining, id: ExecutionId): Promise<Execution> {
  const execution = await readWholeExecution(deps.db, id)
  if (execution.state !== ExecutionState.QUEUED) return execution
  const reason = await queueReason(deps, id)
  return reason === undefined ? execution : { ...execution, reason }
}

/** Why a queued execution has no worker; undefined when it is about to get one, or is not queued. */
export async function queueReason(deps: Explaining, id: ExecutionId): Promise<Reason | undefined> {
  const explanation = await explainQueued(deps, id)
  return explanation && reasonOf(explanation)
}

async function explainQueued(
  { db, readFleet }: Explaining,
  id: ExecutionId,
): Promise<PlacementExplanation | undefined> {
  const needs = (await readQueuedNeeds(db, [id])).get(id)
  return needs && explainPlacement(needs, (await readFleet()).map(toPlaced))
}

/** The same of many at once, by id, as far as there is something to say. */
export async function queueReasons(
  { db, readFleet }: Explaining,
  ids: readonly ExecutionId[],
): Promise<ReadonlyMap<ExecutionId, Reason>> {
  const needs = ids.length === 0 ? [] : [...(await readQueuedNeeds(db, ids))]
  if (needs.length === 0) return new Map()
  const fleet = (await readFleet()).map(toPlaced)
  const byKey = new Map<string, Reason | undefined>()
  const reasons = needs.map(([id, need]) => {
    const key = placementKey(need)
    if (!byKey.has(key)) byKey.set(key, reasonOf(explainPlacement(need, fleet)))
    return [id, byKey.get(key)] as const
  })
  return new Map(reasons.flatMap(([id, reason]) => (reason === undefined ? [] : [[id, reason]])))
}

function toPlaced(row: WorkerRow): PlacedWorker {
  return {
    name: row.name,
    capabilities: new Set(row.capabilities),
    handlers: new Set(row.handlers),
    labels: row.labels,
    state: row.state,
    stateReason: row.state_reason,
    health: healthOf(row).health,
    slots: row.slots,
    usedSlots: row.used_slots,
    inFlight: row.in_flight,
  }
}

function reasonOf({ reason }: PlacementExplanation): Reason | undefined {
  return reason && { ...reason, details: {} }
}

function toVerdict({ worker, fit }: WorkerVerdict): api.WorkerVerdict {
  const name = resourceName('workers', worker.name)
  const rejected = (code: keyof typeof EXECUTION_REASONS, messages: readonly string[]) => ({
    worker: name,
    eligible: false,
    rejections: messages.map((message) => ({ code, message, details: {} })),
  })
  switch (fit.kind) {
    case 'eligible':
      return { worker: name, eligible: true, rejections: [] }
    case 'busy':
      return rejected('WORKER_BUSY', [fit.why])
    case 'unavailable':
      return rejected('WORKER_UNAVAILABLE', [fit.why])
    case 'unfit':
      return rejected('WORKER_UNFIT', fit.whys)
  }
}

/** What waits for something else than a worker knows it by its reason. */
function remediesOf(state: ExecutionState, reason: Reason | undefined): string[] {
  const isWaiting = state === ExecutionState.WAITING || state === ExecutionState.BACKOFF
  if (!isWaiting || reason === undefined || !isErrorReason(reason.code)) return []
  return [CATALOGUE[reason.code].hint]
}
