/**
 * Hello: a worker begins a new session, and says what it still has of the one before.
 *
 * O1. A worker has one session; the one before ends in the same transaction.
 * O2. What the agent holds and is current goes on under the new session.
 * O3. What was sent and never accepted goes back into the queue; what was accepted and is not held any more is lost.
 * O4. After a failover of the database O3 waits until the agent has said all, and what it holds goes on also when its
 *     assignment was lost (recovery/).
 * O5. A hello that was held up while its agent said a later one changes nothing: by O3 it would end what the agent was
 *     given since, while it runs.
 */
import type { Hello } from '../../proto/gen/rota/agent/v1/agent_service.ts'
import { RotaError } from '../../shared/errors/rota-error.ts'
import { newId } from '../../shared/ids.ts'
import type { Deps } from '../deps.ts'
import { recordWorkerEvents } from '../events/record-event-queries.ts'
import type { Epoch, ExecutionId, SessionId, WorkerId } from '../job/execution.ts'
import { NO_LOAD } from '../job/host-load.ts'
import type { Db } from '../store/database.ts'
import type { AgentSession, AgentStream, Offering } from './agent-session.ts'
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
import type { Recovery } from './recovery/recovery.ts'
import { moveAll } from './recovery/recovery-queries.ts'

/** From the settle step: ends what these sessions had in hand as lost, but for what is kept. */
export type SettleLost<Ended = unknown> = (
  tx: Db,
  loss: {
    readonly sessionIds: readonly SessionId[]
    readonly message: string
    readonly isKept?: (ending: { readonly id: ExecutionId; readonly epoch: Epoch }) => boolean
  },
) => Promise<readonly Ended[]>

export interface OpenSessionOptions {
  readonly coordinatorId: string
  readonly workerId: WorkerId
  readonly hello: Hello
  readonly held: readonly HeldAttempt[]
  readonly stream: AgentStream
  readonly settleLost: SettleLost
  readonly recovery: Recovery
}

export interface OpenedSession {
  readonly session: AgentSession
  readonly replaced: readonly SessionId[]
  /** Held by the agent, but not its to run any more. */
  readonly stale: readonly HeldAttempt[]
}

export async function openSession(deps: Deps, options: OpenSessionOptions): Promise<OpenedSession> {
  const id = newId(deps.clock, deps.random) as SessionId
  const loaded = await deps.db.transaction().execute(async (tx) => moveIn(tx, id, options))
  deps.hints.give('queue')
  const { replaced, stale } = loaded
  return { session: newSession(deps, { id, ...loaded }, options), replaced, stale }
}

async function moveIn(tx: Db, id: SessionId, options: OpenSessionOptions) {
  const { workerId, coordinatorId, hello, held } = options
  const helloOrder = Number(hello.order)
  const { replaced, isLate } = await replaceSession(tx, { id, workerId, coordinatorId, helloOrder })
  if (isLate) throw new RotaError('SESSION_ENDED', 'the worker has said a later hello')
  const adopted = await adoptHeld(tx, { from: replaced, to: id, held })
  const left = held.filter(({ executionId }) => !adopted.has(executionId))
  const offering = await options.recovery.offeringOf(tx, workerId)
  const moved = { id, workerId, replaced, left }
  const stale =
    offering === undefined
      ? await endLeft(tx, options, moved)
      : await beginOffering(tx, options.recovery, { ...moved, offering })
  const inFlight = await readInFlight(tx, id)
  const orders = await updateWorker(tx, workerId, profileOf(options.hello))
  if (orders === undefined) throw new RotaError('CERTIFICATE_INVALID', 'the worker is deleted')
  await recordConnection(tx, workerId)
  await recordWorkerEvents(tx, [workerId], { change: 'connected', actor: '', message: '' })
  return { orders, replaced, stale, inFlight, offering }
}

interface MovedIn {
  readonly id: SessionId
  readonly workerId: WorkerId
  readonly replaced: readonly SessionId[]
  /** Held, and not found under the sessions before. */
  readonly left: readonly HeldAttempt[]
}

/** O3. Answers what the agent must stop. */
async function endLeft(
  tx: Db,
  { settleLost }: OpenSessionOptions,
  { left, replaced }: MovedIn,
): Promise<readonly HeldAttempt[]> {
  await requeueUnaccepted(tx, replaced)
  await settleLost(tx, { sessionIds: replaced, message: 'its worker came back without it' })
  return left
}

/** O4. */
async function beginOffering(
  tx: Db,
  recovery: Recovery,
  { id, left, offering, replaced, workerId }: MovedIn & { readonly offering: Offering },
): Promise<readonly HeldAttempt[]> {
  const unclaimed = await moveAll(tx, { from: replaced, to: id })
  const { gone, restore, wait } = await recovery.reclaim(tx, { id, workerId }, left)
  for (const { executionId, epoch } of unclaimed) offering.unclaimed.set(executionId, epoch)
  for (const { executionId } of restore) offering.unclaimed.delete(executionId)
  offering.waiting = wait
  return gone
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
  readonly offering: Offering | undefined
}

function newSession(deps: Deps, loaded: Loaded, options: OpenSessionOptions): AgentSession {
  const { hello, stream } = options
  const { id, orders, inFlight, offering } = loaded
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
    offering,
    heartbeatSequence: undefined,
  }
}
