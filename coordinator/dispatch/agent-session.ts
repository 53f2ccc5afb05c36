/** One connected life of an agent on this coordinator, in memory. */
import type { ConnectResponse, Report } from '../../proto/gen/rota/agent/v1/agent_service.ts'
import type { RotaError } from '../../shared/errors/rota-error.ts'
import type { Epoch, ExecutionId, SessionId, WorkerId } from '../job/execution.ts'
import type { HostLoad } from '../job/host-load.ts'
import type { WorkerOffer } from '../job/offer.ts'
import { judgeHealth, type WorkerHealth } from '../job/worker-health.ts'
import type { HeldAttempt, WorkerOrders } from './dispatch-queries.ts'

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

/** What stays the same as long as the session lives. */
export interface SessionProfile {
  readonly id: SessionId
  /** Of the agent's hello. */
  readonly protocolVersion: number
  readonly workerId: WorkerId
  readonly workerName: string
  readonly capabilities: ReadonlySet<string>
  readonly handlers: ReadonlySet<string>
}

/** After a failover of the database: what the worker says that it has, until it has said all (recovery/). */
export interface Offering {
  /** The failover. */
  readonly number: number
  /** Came over from the session before, and the agent did not say that it holds them. */
  readonly unclaimed: Map<ExecutionId, Epoch>
  /** Held, while the database has no row for them. */
  waiting: readonly HeldAttempt[]
  /** Not acknowledged: there was no row for some of their results. */
  deferred: readonly Report[]
  /** Monotonic ms; the agent has said all. */
  completedAtMs: number | undefined
  /** Monotonic ms; longer it is not waited for. */
  readonly deadlineMs: number
}

export interface AgentSession {
  readonly profile: SessionProfile
  readonly stream: AgentStream
  readonly inFlight: Map<ExecutionId, InFlight>
  /** Stops that were sent; `atMs` is monotonic. */
  readonly stopsSent: Map<ExecutionId, { readonly atMs: number; readonly isForced: boolean }>
  /** As the database said last; brought up to date with the renewals. */
  orders: WorkerOrders
  /** The agent was told to drain; only a new session takes that back. */
  isDrainTold: boolean
  consecutiveFailures: number
  load: HostLoad
  clockSkewMs: number
  /** Monotonic time of the last message of any kind, in ms: liveness is progress on the stream. */
  lastHeardMs: number
  /** What `lastHeardMs` was when the lease was renewed last. */
  renewedForMs: number
  /** Offered nothing before this monotonic time, in ms. */
  pausedUntilMs: number
  offering: Offering | undefined
  /** The heartbeat that the next renewal answers; undefined when there was none since. */
  heartbeatSequence: bigint | undefined
}

/** 0 to 1: what the busiest of processor and memory is at. */
export function loadRatioOf({ load }: AgentSession): number {
  return Math.max(load.cpuRatio, load.memoryRatio)
}

export function offerOf(session: AgentSession, monotonicMs: number): WorkerOffer {
  const { profile, orders } = session
  const silentMs = monotonicMs - session.lastHeardMs
  const { health } = judgeHealth({ ...session, silentMs })
  const isPaused = monotonicMs < session.pausedUntilMs
  return {
    workerId: profile.workerId,
    sessionId: profile.id,
    name: profile.workerName,
    capabilities: profile.capabilities,
    handlers: profile.handlers,
    labels: orders.labels,
    slots: orders.slots,
    freeSlots: isPaused ? 0 : freeSlots(session, health),
    health,
    consecutiveFailures: session.consecutiveFailures,
    loadRatio: loadRatioOf(session),
  }
}

/** A degraded worker gets a single execution and then nothing until that has ended: the probe. */
function freeSlots({ inFlight, orders }: AgentSession, health: WorkerHealth): number {
  if (orders.state !== 'active' || health === 'unresponsive') return 0
  if (health === 'degraded' && inFlight.size > 0) return 0
  let used = 0
  for (const { slots } of inFlight.values()) used += slots
  return Math.max(0, orders.slots - used)
}
