/**
 * What operators want of a worker: cordon, drain, release, delete.
 *
 * W1. A change is one transaction, and no claim commits after it that did not begin before it (match/ reads the state).
 * W2. Sessions learn of it with the next renewal, on whatever coordinator; the hint makes that now on this one.
 * W3. What a deleted worker had in hand keeps its guarantee: it goes on elsewhere when its lease has ended, not before.
 */
import { RotaError } from '../../shared/errors/rota-error.ts'
import { liftQuarantine } from '../conduct/conduct-queries.ts'
import type { Deps } from '../deps.ts'
import type { WorkerChange } from '../events/event.ts'
import { recordWorkerEvents } from '../events/record-event-queries.ts'
import { workerNotFound } from '../query/worker-not-found.ts'
import type { Db } from '../store/database.ts'
import type { WorkerState } from '../store/tables.ts'
import {
  type LockedWorker,
  lockSessionOf,
  lockWorker,
  markDeleted,
  removeDeleted,
  setActive,
  setCordoned,
  setDraining,
} from './worker-queries.ts'

type ControlDeps = Pick<Deps, 'db' | 'hints' | 'logger'>

export interface WorkerOrder {
  /** Id of the worker. */
  readonly worker: string
  readonly reason: string
  /** `token:admin`, or `rota`. */
  readonly actor: string
}

/** No new work; what runs goes on. Throws WORKER_NOT_FOUND, and WORKER_STATE_CONFLICT while it drains. */
export async function cordonWorker(deps: ControlDeps, order: WorkerOrder): Promise<void> {
  await change(deps, order.worker, async (tx, worker) => {
    refuseState(worker, ['draining', 'drained'], 'it takes no work already')
    await setCordoned(tx, { ...order, id: worker.id })
    if (worker.state !== 'cordoned') await tell(tx, worker, { change: 'cordoned', order })
  })
  deps.logger.info(order, 'a worker is cordoned')
}

/**
 * No new work; what still runs after `deadlineMs` is given up and goes on elsewhere. A drain that goes on gets the new
 * deadline; a drained worker stays as it is.
 */
export async function drainWorker(
  deps: ControlDeps,
  order: WorkerOrder & { readonly deadlineMs: number | undefined },
): Promise<void> {
  await change(deps, order.worker, async (tx, worker) => {
    if (worker.state === 'drained') return
    await setDraining(tx, { ...order, id: worker.id })
    await tell(tx, worker, { change: 'draining', order })
  })
  deps.logger.info(order, 'a worker drains')
}

/** Ends a cordon, a drain and a quarantine, and forgives the failures. */
export async function releaseWorker(
  deps: ControlDeps,
  order: Pick<WorkerOrder, 'worker' | 'actor'>,
): Promise<void> {
  await change(deps, order.worker, async (tx, worker) => {
    await setActive(tx, { ...order, id: worker.id })
    await liftQuarantine(tx, worker.id)
    await tell(tx, worker, { change: 'released', order })
  })
  deps.logger.info(order, 'a worker is released')
}

/** Forgets a worker and revokes its certificates. Throws WORKER_CONNECTED while it has a session, unless `force`. */
export async function deleteWorker(
  deps: ControlDeps,
  order: Pick<WorkerOrder, 'worker' | 'actor'> & { readonly force: boolean },
): Promise<void> {
  await deps.db.transaction().execute(async (tx) => {
    const sessionId = await lockSessionOf(tx, order.worker)
    const worker = await lockWorker(tx, order.worker)
    if (worker === undefined) throw await workerNotFound(tx, order.worker)
    if (sessionId !== undefined && !order.force) throw connected(worker)
    await tell(tx, worker, { change: 'deleted', order })
    await markDeleted(tx, worker.id)
    await removeDeleted(tx, [worker.id])
  })
  deps.hints.give('workers')
  deps.logger.info(order, 'a worker is deleted')
}

async function change(
  deps: ControlDeps,
  name: string,
  apply: (tx: Db, worker: LockedWorker) => Promise<void>,
): Promise<void> {
  await deps.db.transaction().execute(async (tx) => {
    const worker = await lockWorker(tx, name)
    if (worker === undefined) throw await workerNotFound(tx, name)
    await apply(tx, worker)
  })
  deps.hints.give('workers')
}

async function tell(
  tx: Db,
  { id }: LockedWorker,
  told: {
    readonly change: WorkerChange
    readonly order: { readonly actor: string; readonly reason?: string }
  },
): Promise<void> {
  const { actor, reason = '' } = told.order
  await recordWorkerEvents(tx, [id], { change: told.change, actor, message: reason })
}

function refuseState(worker: LockedWorker, states: readonly WorkerState[], why: string): void {
  if (!states.includes(worker.state)) return
  throw new RotaError('WORKER_STATE_CONFLICT', `worker ${worker.name} is ${worker.state}: ${why}`, {
    hint: `End the drain first: rota worker release ${worker.name}`,
  })
}

function connected({ name }: LockedWorker): RotaError {
  return new RotaError('WORKER_CONNECTED', `worker ${name} is connected`, {
    hint: `Drain it (rota worker drain ${name} --wait) and stop its agent, or delete it with --force: what it runs is lost and goes on elsewhere.`,
  })
}
