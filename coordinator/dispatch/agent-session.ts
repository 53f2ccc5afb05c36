/** One connected life of an agent on this coordinator, in memory. */
import type { ConnectResponse } from '../../proto/gen/rota/agent/v1/agent_service.ts'
import type { RotaError } from '../../shared/errors/rota-error.ts'
import type { Epoch, ExecutionId, SessionId, WorkerId } from '../job/execution.ts'
import type { WorkerOffer } from '../job/offer.ts'
import type { WorkerState } from '../store/tables.ts'

/** The way down to the agent; the stream behind it is bounded and ends when the agent does not read. */
export interface AgentStream {
  send(message: NonNullable<ConnectResponse['message']>): void
  end(error: RotaError): void
}

/** An attempt that takes slots of the session. */
export interface InFlight {
  readonly slots: number
  /** Unknown between reserving and claiming. */
  readonly epoch: Epoch | undefined
}

export interface SessionProfile {
  readonly id: SessionId
  /** Of the agent's hello. */
  readonly protocolVersion: number
  readonly workerId: WorkerId
  readonly workerName: string
  readonly workerState: WorkerState
  readonly capabilities: ReadonlySet<string>
  readonly handlers: ReadonlySet<string>
  readonly labels: Readonly<Record<string, string>>
  readonly slots: number
  readonly consecutiveFailures: number
}

export interface AgentSession {
  readonly profile: SessionProfile
  readonly stream: AgentStream
  readonly inFlight: Map<ExecutionId, InFlight>
  /** Cancels that were sent; `atMs` is monotonic. */
  readonly stopsSent: Map<ExecutionId, { readonly atMs: number; readonly isForced: boolean }>
  consecutiveFailures: number
  loadRatio: number
  clockSkewMs: number
  /** Monotonic time of the last message of any kind, in ms: liveness is progress on the stream. */
  lastHeardMs: number
  /** Offered nothing before this monotonic time, in ms. */
  pausedUntilMs: number
  /** The heartbeat that the next renewal answers; undefined when there was none since. */
  heartbeatSequence: bigint | undefined
}

/** An agent that is silent for this long is offered nothing new, in ms; its lease may still hold. */
const RESPONSIVE_MS = 6_000

export function offerOf(session: AgentSession, monotonicMs: number): WorkerOffer {
  const { profile } = session
  const isOpen =
    profile.workerState === 'active' &&
    monotonicMs - session.lastHeardMs < RESPONSIVE_MS &&
    monotonicMs >= session.pausedUntilMs
  return {
    workerId: profile.workerId,
    sessionId: profile.id,
    name: profile.workerName,
    capabilities: profile.capabilities,
    handlers: profile.handlers,
    labels: profile.labels,
    slots: profile.slots,
    freeSlots: isOpen ? Math.max(0, profile.slots - usedSlots(session)) : 0,
    consecutiveFailures: session.consecutiveFailures,
    loadRatio: session.loadRatio,
  }
}

function usedSlots(session: AgentSession): number {
  let used = 0
  for (const { slots } of session.inFlight.values()) used += slots
  return used
}
