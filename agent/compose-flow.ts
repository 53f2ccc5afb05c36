/** The flow of an agent, connect -> accept -> run -> report, introduced to each other without the real world. */
import type { Welcome } from '../proto/gen/rota/agent/v1/agent_service.ts'
import type { Clock } from '../shared/clock.ts'
import type { Logger } from '../shared/logger.ts'
import type { Random } from '../shared/random.ts'
import { Inbox } from './accept/inbox.ts'
import { AddressBook } from './connect/address-book.ts'
import type { ConnectedAgent, ConnectionTarget } from './connect/connection.ts'
import {
  type AgentFacts,
  composeHeartbeat,
  composeHello,
  createHelloOrder,
  type LoadProbe,
} from './connect/introduce.ts'
import { Lease } from './connect/lease.ts'
import { Supervisor } from './connect/supervisor.ts'
import type { Wakeup } from './connect/wakeup.ts'
import type { AttemptRef } from './report/attempt-ref.ts'
import type { AttemptStore } from './report/attempt-store.ts'
import type { Outbox } from './report/outbox.ts'
import { LiveAttempts, type RunAttempt } from './run/live-attempts.ts'
import { PROTOCOL_VERSIONS } from './version.ts'
import type { LeaseTimes } from './warden/messages.ts'

export interface AgentFlowOptions {
  readonly clock: Clock
  readonly random: Random
  readonly logger: Logger
  readonly facts: AgentFacts
  /** Addresses of coordinators, `host:port`. */
  readonly coordinators: readonly string[]
  /** Heard of in an earlier life of the agent. */
  readonly remembered?: readonly string[]
  /** What the coordinators say of each other, to remember it. */
  readonly onLearned?: (addresses: readonly string[]) => void
  /** With the newest certificate. */
  readonly target: (address: string) => ConnectionTarget
  readonly host: LoadProbe
  readonly store: AttemptStore
  readonly outbox: Outbox
  readonly wakeup: Wakeup
  readonly run: RunAttempt
  /** The clock of the lease; by default the monotonic one. */
  readonly readBootMs?: () => number
  /** The lease was renewed. */
  readonly onLease?: (times: LeaseTimes) => void
  /** Told in which coordinator the session lives, and undefined when it has ended. */
  readonly onPlace: (address: string | undefined) => void
  /** A coordinator has accepted the session. */
  readonly onSession: (welcome: Welcome) => void
  /** The coordinator has a result. */
  readonly onAcknowledged: (ref: AttemptRef) => void
}

export interface AgentFlow {
  readonly supervisor: Supervisor
  readonly inbox: Inbox
  readonly live: LiveAttempts
  readonly lease: Lease
}

/** Results that no coordinator acknowledges; above, nothing new is taken. */
const UNACKNOWLEDGED_MAX = 1_000

export function composeAgentFlow(options: AgentFlowOptions): AgentFlow {
  const { clock, facts, host, logger, outbox, store, wakeup } = options
  const live = new LiveAttempts(options.run, () => {
    // Then each end is told.
    if (inbox.isDraining) wakeup.wake()
  })
  const inbox: Inbox = new Inbox({
    store,
    outbox,
    live,
    logger,
    slots: facts.slots,
    capabilities: new Set(facts.capabilities),
    handlers: new Set(facts.handlers),
    hasSpace: () => host.hasSpace && outbox.size < UNACKNOWLEDGED_MAX,
  })
  const lease = new Lease({
    clock,
    readBootMs: options.readBootMs ?? (() => clock.monotonicMs()),
    onRenewed: (times) => options.onLease?.(times),
    onEnding: (marginMs) => {
      const stopped = live.stopGuarded(marginMs)
      logger.warn({ stopped }, 'the lease ends; attempts that must not outlive it are stopped')
    },
  })
  const { coordinators: configured, random, remembered = [] } = options
  const book = new AddressBook({ configured, remembered, random })
  const supervisor = new Supervisor({
    agent: connectedAgent(options, { inbox, live, lease }, book),
    logger,
    random,
    book,
    protocolVersions: PROTOCOL_VERSIONS,
    target: options.target,
    onLost: () => options.onPlace(undefined),
  })
  return { supervisor, inbox, live, lease }
}

/** The agent as its connection sees it. */
function connectedAgent(
  options: AgentFlowOptions,
  { inbox, live, lease }: Pick<AgentFlow, 'inbox' | 'live' | 'lease'>,
  book: AddressBook,
): ConnectedAgent {
  const { clock, facts, host, outbox, store, wakeup } = options
  let previousSession = ''
  const nextHello = createHelloOrder(clock)
  const learned = (addresses: readonly string[]) => {
    const told = book.learn(addresses)
    options.onLearned?.(told)
  }
  return {
    clock,
    outbox,
    lease,
    wakeup,
    hello: (protocolVersion) =>
      composeHello({ facts, protocolVersion, store, previousSession, order: nextHello() }),
    heartbeat: (sequence, lateMs) => {
      const freeSlots = inbox.isDraining ? 0 : Math.max(0, facts.slots - live.slotsInUse)
      return composeHeartbeat({ sequence, lateMs, freeSlots, now: clock.now(), host })
    },
    drainRemaining: () => (inbox.isDraining ? live.size : undefined),
    welcomed: (welcome, address) => {
      previousSession = welcome.session
      inbox.release()
      options.onPlace(address)
      learned(welcome.coordinators)
      if (welcome.offerAgain) outbox.offerAgain(store.acknowledgedResults())
      options.onSession(welcome)
    },
    learned,
    assigned: (assignments) => inbox.take(assignments),
    told: (targets) => inbox.stop(targets),
    drain: () => inbox.drain(),
    acknowledged: (items) => {
      const results = items.flatMap(({ kind, value }) => (kind === 'finished' ? [value] : []))
      store.acknowledge(results)
      for (const result of results) options.onAcknowledged(result)
    },
  }
}
