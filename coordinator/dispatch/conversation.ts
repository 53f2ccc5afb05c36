/**
 * What an agent and this coordinator say to each other on one stream, from Hello to the end.
 *
 * Modes: `greeting` (only Hello is understood, A1) -> `serving` -> `ended`.
 *
 * C1. Messages are handled one after the other, in the order in which they came.
 * C2. A report is acknowledged after its commit (A4); if it cannot be committed the stream ends, and the agent sends it
 *     again on the next one. After a failover of the database one may be kept for a while (recovery/).
 * C3. A stream that ends leaves its lease alone: the agent may come back in time.
 */
import type {
  ConnectRequest,
  Heartbeat,
  Hello,
  Report,
} from '../../proto/gen/rota/agent/v1/agent_service.ts'
import { durationFromMs } from '../../shared/duration.ts'
import { RotaError } from '../../shared/errors/rota-error.ts'
import { resourceName } from '../../shared/wire.ts'
import type { Deps } from '../deps.ts'
import type { SessionId, WorkerId } from '../job/execution.ts'
import { readClockSkewMs, readHostLoad } from '../job/host-load.ts'
import type { AgentSession, AgentStream, SessionProfile } from './agent-session.ts'
import { checkHello, heldAttempts } from './check-hello.ts'
import type { HeldAttempt } from './dispatch-queries.ts'
import type { Fleet } from './fleet.ts'
import { tellDrain } from './follow-orders.ts'
import { openSession, type SettleLost } from './open-session.ts'
import type { Recovery } from './recovery/recovery.ts'
import { sendStops } from './send-stops.ts'

/** Stores a report; answers the attempts that the agent must stop. */
export type ReceiveReport = (
  session: AgentSession,
  report: Report,
) => Promise<{
  readonly stale: readonly HeldAttempt[]
  /** False while the database recovers and lacks the execution of a result: the report must come, or be tried, again. */
  readonly isStored: boolean
}>

export interface ConversationOptions {
  readonly coordinatorId: string
  /** Of a session that begins now, whose agent speaks this version of the protocol. */
  readonly heartbeatMs: (protocolVersion: number) => number
  readonly leaseMs: number
  readonly fleet: Fleet
  readonly settleLost: SettleLost
  readonly recovery: Recovery
  /** True when the coordinator is about to stop, and takes no more sessions. */
  readonly isLeaving: () => boolean
  /** Addresses of all coordinators that serve, `host:port`. */
  readonly coordinators: () => readonly string[]
  /** From the report step. */
  readonly receiveReport: ReceiveReport
  /** Attempts that an agent holds and that are not its own (any more); never rejects. */
  readonly onOthers: (profile: SessionProfile, others: readonly HeldAttempt[]) => Promise<void>
}

export interface Conversation {
  handle(message: ConnectRequest): Promise<void>
  /** The agent may not go on, e.g. its certificate was revoked: it is told to stop all that it runs, and the stream ends. */
  dismiss(error: RotaError): void
  /** The stream is over, whoever ended it. */
  end(): void
}

export function createConversation(
  deps: Deps,
  options: ConversationOptions,
  peer: { readonly workerId: WorkerId; readonly stream: AgentStream },
): Conversation {
  let session: AgentSession | undefined
  let isEnded = false
  const leave = () => {
    if (session === undefined || !options.fleet.remove(session)) return
    deps.logger.info({ worker: session.profile.workerName }, 'an agent has gone')
  }
  return {
    async handle({ message }) {
      if (session === undefined) {
        if (message?.$case !== 'hello') throw violation('the first message must be a hello')
        session = await greet(deps, options, { ...peer, hello: message.value })
        if (isEnded) leave()
        return
      }
      session.lastHeardMs = deps.clock.monotonicMs()
      switch (message?.$case) {
        case 'heartbeat':
          return hear(deps, session, message.value)
        case 'report':
          await store(options, session, message.value)
          // However long that took: the next message waited for us.
          session.lastHeardMs = deps.clock.monotonicMs()
          return
        case 'drainProgress':
          return
        case 'hello':
          throw violation('a second hello')
        case undefined:
          throw violation('an empty message, or one of a newer protocol')
      }
    },
    dismiss(error) {
      if (session === undefined) return peer.stream.end(error)
      options.fleet.remove(session)
      sendStops(session, inFlightOf(session), error.message)
      peer.stream.end(error)
    },
    end() {
      isEnded = true
      leave()
    },
  }
}

async function greet(
  deps: Deps,
  options: ConversationOptions,
  peer: { readonly workerId: WorkerId; readonly stream: AgentStream; readonly hello: Hello },
): Promise<AgentSession> {
  checkHello(peer.hello)
  if (options.isLeaving()) throw new RotaError('SHUTTING_DOWN', 'the coordinator is stopping')
  const held = heldAttempts(peer.hello)
  const opened = await openSession(deps, { ...options, ...peer, held })
  const { session } = opened
  for (const id of opened.replaced) endReplaced(options.fleet, id)
  peer.stream.send({
    $case: 'welcome',
    value: {
      worker: resourceName('workers', session.profile.workerName),
      session: session.profile.id,
      heartbeatInterval: durationFromMs(options.heartbeatMs(peer.hello.protocolVersion)),
      lease: durationFromMs(options.leaseMs),
      serverTime: deps.clock.now(),
      coordinators: [...options.coordinators()],
      offerAgain: session.offering !== undefined,
    },
  })
  const finished = new Set(
    peer.hello.held.filter((each) => each.finished).map((each) => each.execution),
  )
  const running = opened.stale.filter(
    ({ executionId }) => !finished.has(resourceName('executions', executionId)),
  )
  sendStops(session, running, 'its epoch is not current any more')
  tellDrain(session)
  options.fleet.add(session)
  const { workerName } = session.profile
  deps.logger.info(
    {
      worker: workerName,
      slots: session.orders.slots,
      held: held.length,
      stale: opened.stale.length,
    },
    'an agent has connected',
  )
  deps.hints.give('queue')
  // After a failover it is the database that has forgotten.
  if (session.offering === undefined) await options.onOthers(session.profile, opened.stale)
  return session
}

function endReplaced(fleet: Fleet, sessionId: SessionId): void {
  const before = fleet.get(sessionId)
  if (before === undefined) return
  fleet.remove(before)
  before.stream.end(new RotaError('SESSION_ENDED', 'the worker has a newer session'))
}

function hear(deps: Deps, session: AgentSession, heartbeat: Heartbeat): void {
  const { load, agentTime } = heartbeat
  session.heartbeatSequence = heartbeat.sequence
  session.load = readHostLoad(load)
  session.clockSkewMs = readClockSkewMs(agentTime, deps.clock.now())
}

async function store(
  options: ConversationOptions,
  session: AgentSession,
  report: Report,
): Promise<void> {
  const { stale, isStored } = await options.receiveReport(session, report)
  if (isStored) session.stream.send({ $case: 'reportAck', value: { sequence: report.sequence } })
  else options.recovery.defer(session, report)
  if (report.offeredAgain) options.recovery.complete(session)
  sendStops(session, stale, 'its epoch is not current any more')
}

function inFlightOf({ inFlight }: AgentSession): HeldAttempt[] {
  return [...inFlight].flatMap(([executionId, { epoch }]) =>
    epoch === undefined ? [] : [{ executionId, epoch }],
  )
}

function violation(message: string): RotaError {
  return new RotaError('PROTOCOL_VIOLATION', message)
}
