/** The one request that goes against the flow. */
import { RotaError } from '../../shared/errors/rota-error.ts'
import type { Deps } from '../deps.ts'
import type { ExecutionId } from '../job/execution.ts'
import type { EndedExecution } from '../job/new-execution.ts'
import { readExecution } from '../query/execution-queries.ts'
import type { Db } from '../store/database.ts'
import { requestCancel } from './cancel-queries.ts'

export interface Cancel {
  readonly id: ExecutionId
  readonly reason: string
  readonly actor: string
  /** KILL without TERM. */
  readonly force: boolean
}

/** From the settle step: ends executions that no worker has, and answers those that it ended. */
export type EndExecutions = (
  tx: Db,
  ended: readonly EndedExecution[],
) => Promise<readonly EndedExecution[]>

/** Between the two looks a worker may have got it, or given it back. */
const LOOKS_MAX = 5

/**
 * Ends what waits at once, and asks the worker of what runs. Throws EXECUTION_NOT_FOUND and EXECUTION_FINISHED.
 */
export async function cancelExecution(
  deps: Deps,
  endExecutions: EndExecutions,
  cancel: Cancel,
): Promise<void> {
  for (let look = 0; look < LOOKS_MAX; look++) {
    if (await endWaiting(deps, endExecutions, cancel)) return deps.hints.give('executions')
    if (await requestCancel(deps.db, cancel.id, cancel)) return deps.hints.give('cancels')
    await refuseSettled(deps, cancel.id)
  }
  throw new RotaError('DATABASE_UNAVAILABLE', 'the execution changes too fast; try again')
}

async function endWaiting(
  deps: Deps,
  endExecutions: EndExecutions,
  cancel: Cancel,
): Promise<boolean> {
  const ended = await deps.db.transaction().execute(async (tx) =>
    endExecutions(tx, [
      {
        id: cancel.id,
        state: 'cancelled',
        reasonCode: 'CANCELLED',
        reasonMessage: cancel.reason,
      },
    ]),
  )
  return ended.length === 1
}

async function refuseSettled(deps: Deps, id: ExecutionId): Promise<void> {
  const execution = await readExecution(deps.db, id)
  if (execution === undefined)
    throw new RotaError('EXECUTION_NOT_FOUND', `there is no execution ${id}`)
  if (execution.settled_at !== null) {
    throw new RotaError(
      'EXECUTION_FINISHED',
      `execution ${id} has ended already: ${execution.state}`,
    )
  }
}
