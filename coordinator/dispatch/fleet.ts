/** The sessions of this coordinator and their slots. */
import {
  type AttemptOutcome,
  type Epoch,
  type ExecutionId,
  isFailure,
  type SessionId,
} from '../job/execution.ts'
import type { WorkerOffer } from '../job/offer.ts'
import { type AgentSession, offerOf } from './agent-session.ts'

interface FleetAttempt {
  readonly id: ExecutionId
  readonly epoch: Epoch
}

export interface Fleet {
  add(session: AgentSession): void
  /** False when another session has taken its place already. */
  remove(session: AgentSession): boolean
  get(sessionId: SessionId): AgentSession | undefined
  all(): AgentSession[]
  offers(monotonicMs: number): WorkerOffer[]
  reserve(sessionId: SessionId, executionId: ExecutionId, slots: number): boolean
  /** The reservation has become an attempt. */
  confirm(sessionId: SessionId, executionId: ExecutionId, epoch: Epoch): void
  /** The slots of an attempt that has ended are free again. */
  release(sessionId: SessionId, ended: FleetAttempt): void
  /** The slots of a reservation that has not become an attempt are free again. */
  unreserve(sessionId: SessionId, executionId: ExecutionId): void
  /** Counts an outcome towards the worker's consecutive failures. */
  count(sessionId: SessionId, outcome: AttemptOutcome): void
  /** Offers nothing to a session until then (monotonic ms): it has refused, and would refuse again. */
  pause(sessionId: SessionId, untilMs: number): void
}

export function createFleet(): Fleet {
  const sessions = new Map<SessionId, AgentSession>()
  return {
    add: (session) => void sessions.set(session.profile.id, session),
    remove: (session) => sessions.delete(session.profile.id),
    get: (sessionId) => sessions.get(sessionId),
    all: () => [...sessions.values()],
    offers: (monotonicMs) => [...sessions.values()].map((session) => offerOf(session, monotonicMs)),
    reserve(sessionId, executionId, slots) {
      const session = sessions.get(sessionId)
      session?.inFlight.set(executionId, { slots, epoch: undefined })
      return session !== undefined
    },
    confirm(sessionId, executionId, epoch) {
      const inFlight = sessions.get(sessionId)?.inFlight
      const reserved = inFlight?.get(executionId)
      if (reserved !== undefined) inFlight?.set(executionId, { ...reserved, epoch })
    },
    release(sessionId, { id, epoch }) {
      const session = sessions.get(sessionId)
      session?.stopsSent.delete(id)
      // The next attempt of the execution may be here already: its end was committed before we hear of it.
      if (session?.inFlight.get(id)?.epoch === epoch) session.inFlight.delete(id)
    },
    unreserve(sessionId, executionId) {
      const inFlight = sessions.get(sessionId)?.inFlight
      if (inFlight?.get(executionId)?.epoch === undefined) inFlight?.delete(executionId)
    },
    count(sessionId, outcome) {
      const session = sessions.get(sessionId)
      if (session === undefined) return
      if (outcome === 'succeeded') session.consecutiveFailures = 0
      if (isFailure(outcome)) session.consecutiveFailures += 1
    },
    pause(sessionId, untilMs) {
      const session = sessions.get(sessionId)
      if (session !== undefined) session.pausedUntilMs = untilMs
    },
  }
}
