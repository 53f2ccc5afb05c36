/** Ends drains that have nothing left to wait for, and removes deleted workers. Every coordinator may do it. */
import { Ticker } from '../../shared/ticker.ts'
import type { Deps } from '../deps.ts'
import { recordWorkerEvents } from '../events/record-event-queries.ts'
import type { WorkerId } from '../job/execution.ts'
import type { Db } from '../store/database.ts'
import { lockSessionsOf, readSettledWorkers, removeDeleted, setDrained } from './worker-queries.ts'

const LOOK_MS = 1_000

export function createWorkerLoop(deps: Deps): Ticker {
  return new Ticker({
    ...deps,
    name: 'workers',
    runOnce: async () => {
      await settleWorkers(deps)
      return LOOK_MS
    },
  })
}

/** A claim that began before the drain may commit now: the sessions are locked, and then looked at again. */
async function settleWorkers(deps: Deps): Promise<void> {
  const { drained, deleted } = await readSettledWorkers(deps.db)
  if (drained.length + deleted.length === 0) return
  const done = await deps.db.transaction().execute(async (tx) => {
    await lockSessionsOf(tx, [...drained, ...deleted])
    return { drained: await endDrains(tx, drained), removed: await remove(tx, deleted) }
  })
  if (done.drained.length > 0) deps.logger.info({ workers: done.drained }, 'workers are drained')
  if (done.removed.length > 0) deps.logger.info({ workers: done.removed }, 'workers are removed')
}

async function endDrains(tx: Db, workerIds: readonly WorkerId[]): Promise<string[]> {
  if (workerIds.length === 0) return []
  const ended = await setDrained(tx, workerIds)
  const ids = ended.map(({ id }) => id)
  await recordWorkerEvents(tx, ids, { change: 'drained', actor: '', message: '' })
  return ended.map(({ name }) => name)
}

async function remove(tx: Db, workerIds: readonly WorkerId[]): Promise<string[]> {
  return workerIds.length === 0 ? [] : removeDeleted(tx, workerIds)
}
