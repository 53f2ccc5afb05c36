/** Labels, slots and name that operators give a worker; they reach its session with the next renewal. */
import { refuseViolations } from '../../shared/errors/rota-error.ts'
import type { Deps } from '../deps.ts'
import { recordWorkerEvents } from '../events/record-event-queries.ts'
import { workerNotFound } from '../query/worker-not-found.ts'
import { changeOverlay } from './label-change.ts'
import type { WorkerUpdate } from './read-worker-update.ts'
import { lockWorkerSettings, setWorkerSettings, type WorkerSettings } from './settings-queries.ts'

/** Throws WORKER_NOT_FOUND, and FIELD_INVALID for more slots than the agent offers. */
export async function updateWorker(
  deps: Pick<Deps, 'db' | 'hints' | 'logger'>,
  order: { readonly worker: string; readonly actor: string; readonly update: WorkerUpdate },
): Promise<void> {
  const { worker: name, actor, update } = order
  await deps.db.transaction().execute(async (tx) => {
    const before = await lockWorkerSettings(tx, name)
    if (before === undefined) throw await workerNotFound(tx, name)
    refuseSlots(before, update)
    await setWorkerSettings(tx, { ...before, ...changed(before, update) })
    await recordWorkerEvents(tx, [before.id], { change: 'updated', actor, message: '' })
  })
  deps.hints.give('workers')
  deps.logger.info({ worker: name, actor }, 'a worker is updated')
}

function refuseSlots(
  { offered_slots: offered }: WorkerSettings,
  { slotCount }: WorkerUpdate,
): void {
  // An agent that has never connected has not said yet.
  if (slotCount === undefined || offered === 0 || slotCount <= offered) return
  refuseViolations([
    {
      field: 'worker.slot_count',
      reason: 'FIELD_INVALID',
      message: `is more than the ${offered} that its agent offers`,
      hint: 'Start the agent with more --slots first.',
    },
  ])
}

function changed(before: WorkerSettings, update: WorkerUpdate) {
  const { displayName, slotCount, labels } = update
  return {
    ...(displayName !== undefined && { display_name: displayName }),
    ...(slotCount !== undefined && { slot_limit: slotCount === 0 ? null : slotCount }),
    ...(labels !== undefined && {
      operator_labels: changeOverlay(before.operator_labels, before.given_labels, labels),
    }),
  }
}
