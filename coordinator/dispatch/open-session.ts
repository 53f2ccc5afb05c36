/**
 * Hello: a worker begins a new session, and says what it still has of the one before.
 *
 * O1. A worker has one session; the one before ends in the same transaction.
 * O2. What the agent holds and is current goes on under the new session.
 * O3. What was sent and never accepted goes back into the queue; what was accepted and is not held any more is lost.
 */
import type { Hello } from '../../proto/gen/rota/agent/v1/agent_service.ts'
import { RotaError } from '../../shared/errors/rota-error.ts'
import { newId } from '../../shared/ids.ts'
import type { Deps } from '../deps.ts'
import { recordWorkerEvents } from '../events/record-event-queries.ts'
import type { Epoch, ExecutionId, SessionId, WorkerId } from '../job/execution.ts'
import { NO_LOAD } from '../job/host-load.ts'
import type { Db } from '../store/database.ts'
import type { AgentSession, AgentStream } from './agent-session.ts'
import {
  adoptHeld,
  type HeldAttempt,
  readInFlight,
  recordConnection,
  replaceSession,
  requeueUnaccepted,
  updateWorker,
  type WorkerOrders,
} from './dispatch-queries.ts'

/** From the settle step: ends what these sessions had in hand as lost. */
export type SettleLost = (
  tx: Db,
  loss: { readonly sessionIds: readonly SessionId[]; readonly message: string },
) => Promise<unknown>

export interface OpenSessionOptions {
  readonly coordinatorId: string
  readonly workerId: WorkerId
  readonly hello: Hello
  readonly held: readonly HeldAttempt[]
  readonly stream: AgentStream
  readonly settleLost: SettleLost
}

export interface OpenedSession {
  readonly session: AgentSession
  readonly replaced: readonly SessionId[]
  /** Held by the agent, but not its to run any more. */
  readonly stale: readonly HeldAttempt[]
}

export async function openSession(deps: Deps, options: OpenSessionOptions): Promise<OpenedSession> {
  const id = newId(deps.clock, deps.random) as SessionId
  const { orders, replaced, adopted, inFlight } = await deps.db
    .transaction()
    .execute(async (tx) => moveIn(tx, id, options))
  deps.hints.give('queue')
  return {
    session: newSession(deps, { id, orders, inFlight }, options),
    replaced,
    stale: options.held.filter(({ executionId }) => !adopted.has(executionId)),
  }
}

async function moveIn(tx: Db, id: SessionId, options: OpenSessionOptions) {
  const { workerId, coordinatorId, held } = options
  const replaced = await replaceSession(tx, { id, workerId, coordinatorId })
  const adopted = await adoptHeld(tx, { from: replaced, to: id, held })
  await requeueUnaccepted(tx, replaced)
  const message = 'its worker came back without it'
  await options.settleLost(tx, { sessionIds: replaced, message })
  const inFlight = await readInFlight(tx, id)
  const orders = await updateWorker(tx, workerId, profileOf(options.hello))
  if (orders === undefined) throw new RotaError('CERTIFICATE_INVALID', 'the worker is deleted')
  await recordConnection(tx, workerId)
  await recordWorkerEvents(tx, [workerId], { change: 'connected', actor: '', message: '' })
  return { orders, replaced, adopted, inFlight }
}

function profileOf(hello: Hello) {
  const { capabilities, handlers, labels, slots, hostname, platform, agentVersion, bootId } = hello
  return {
    capabilities: unique(capabilities),
    handlers: unique(handlers),
    labels,
    slots,
    hostname,
    platform,
    agentVersion,
    bootId,
  }
}

function unique(names: readonly string[]): string[] {
  return [...new Set(names)].sort()
}

interface Loaded {
  readonly id: SessionId
  readonly orders: WorkerOrders
  readonly inFlight: readonly { id: ExecutionId; epoch: Epoch; slots: number }[]
}

function newSession(deps: Deps, loaded: Loaded, options: OpenSessionOptions): AgentSession {
  const { hello, stream } = options
  const { id, orders, inFlight } = loaded
  const nowMs = deps.clock.monotonicMs()
  return {
    profile: {
      id,
      protocolVersion: hello.protocolVersion,
      workerId: orders.id,
      workerName: orders.name,
      capabilities: new Set(hello.capabilities),
      handlers: new Set(hello.handlers),
    },
    stream,
    inFlight: new Map(inFlight.map(({ id, epoch, slots }) => [id, { epoch, slots }])),
    stopsSent: new Map(),
    orders,
    isDrainTold: false,
    consecutiveFailures: orders.consecutive_failures,
    load: NO_LOAD,
    clockSkewMs: 0,
    lastHeardMs: nowMs,
    renewedForMs: nowMs,
    pausedUntilMs: 0,
    heartbeatSequence: undefined,
  }
}
