/**
 * Hello: a worker begins a new session, and says what it still has of the one before.
 *
 * O1. A worker has one session; the one before ends in the same transaction.
 * O2. What the agent holds and is current goes on under the new session.
 * O3. What was sent and never accepted goes back into the queue; what was accepted and is not held any more is lost.
 */
import type { Hello } from '../../proto/gen/rota/agent/v1/agent_service.ts'
import { newId } from '../../shared/ids.ts'
import type { Deps } from '../deps.ts'
import { recordWorkerEvents } from '../events/record-event-queries.ts'
import type { Epoch, ExecutionId, SessionId, WorkerId } from '../job/execution.ts'
import type { Db } from '../store/database.ts'
import type { AgentSession, AgentStream } from './agent-session.ts'
import {
  adoptHeld,
  type HeldAttempt,
  readInFlight,
  replaceSession,
  requeueUnaccepted,
  updateWorker,
  type WorkerRow,
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
  const { worker, replaced, adopted, inFlight } = await deps.db
    .transaction()
    .execute(async (tx) => moveIn(tx, id, options))
  deps.hints.give('queue')
  return {
    session: newSession(deps, { id, worker, inFlight }, options),
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
  const worker = await updateWorker(tx, workerId, profileOf(options.hello))
  if (worker === undefined) throw new Error(`worker ${workerId} has no row`)
  await recordWorkerEvents(tx, [workerId], { change: 'connected', actor: '', message: '' })
  return { worker, replaced, adopted, inFlight }
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
  readonly worker: WorkerRow
  readonly inFlight: readonly { id: ExecutionId; epoch: Epoch; slots: number }[]
}

function newSession(deps: Deps, loaded: Loaded, options: OpenSessionOptions): AgentSession {
  const { hello, stream } = options
  const { id, worker, inFlight } = loaded
  return {
    profile: {
      id,
      protocolVersion: hello.protocolVersion,
      workerId: worker.id,
      workerName: worker.name,
      workerState: worker.state,
      capabilities: new Set(hello.capabilities),
      handlers: new Set(hello.handlers),
      labels: { ...hello.labels, ...worker.granted_labels },
      slots: hello.slots,
      consecutiveFailures: worker.consecutive_failures,
    },
    stream,
    inFlight: new Map(inFlight.map(({ id, epoch, slots }) => [id, { epoch, slots }])),
    stopsSent: new Map(),
    consecutiveFailures: worker.consecutive_failures,
    loadRatio: 0,
    clockSkewMs: 0,
    lastHeardMs: deps.clock.monotonicMs(),
    pausedUntilMs: 0,
    heartbeatSequence: undefined,
  }
}
