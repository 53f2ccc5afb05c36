import { type Execution, ExecutionState } from '../../proto/gen/rota/v1/execution.ts'
import { MicroBatcher } from '../../shared/micro-batcher.ts'
import type { ExecutionId } from '../job/execution.ts'
import { readAttempts, readExecutions } from '../query/execution-queries.ts'
import { isUndone } from '../store/database-errors.ts'
import { queueReasons, readExplained } from './explain-execution.ts'
import type { ServiceDeps } from './service-deps.ts'
import { toExecution } from './to-execution.ts'

type Reading = Pick<ServiceDeps, 'clock' | 'db' | 'readFleet'>

/** What triggers answer: executions as they are by now. Those of triggers that come together are read together. */
export function createReadTriggered(deps: Reading): ServiceDeps['readTriggered'] {
  const batcher = new MicroBatcher<ExecutionId, Execution | undefined>({
    lanes: 1,
    sizeMax: 500,
    sizeOf: () => 1,
    isUndone,
    run: async (ids) => readTogether(deps, ids),
  })
  // One that was triggered long ago, by a request that has come again, lies deeper in history.
  return async (id) => (await batcher.add(id)) ?? readExplained(deps, id)
}

async function readTogether(
  deps: Reading,
  ids: readonly ExecutionId[],
): Promise<(Execution | undefined)[]> {
  const rows = await readExecutions(deps.db, ids, deps.clock.now())
  const begun = rows.filter(({ attempt, settled_at }) => attempt > 1 || settled_at !== null)
  const attempts = Map.groupBy(
    await readAttempts(deps.db, begun, false),
    ({ execution_id }) => execution_id,
  )
  const queued = rows.filter(({ state }) => state === 'queued').map(({ id }) => id)
  const reasons = await queueReasons(deps, queued)
  const byId = new Map(
    rows.map((row) => [row.id, toExecution(row, attempts.get(row.id) ?? [])] as const),
  )
  return ids.map((id) => {
    const execution = byId.get(id)
    const reason = execution?.state === ExecutionState.QUEUED ? reasons.get(id) : undefined
    return execution && reason !== undefined ? { ...execution, reason } : execution
  })
}
