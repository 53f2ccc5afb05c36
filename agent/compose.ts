/** Builds an agent in the order of the flow: connect -> accept -> run -> report. */
import { mkdirSync } from 'node:fs'
import { credentials } from '@grpc/grpc-js'
import type { Welcome } from '../proto/gen/rota/agent/v1/agent_service.ts'
import { type Clock, sleep } from '../shared/clock.ts'
import { agentFiles } from '../shared/data-dir.ts'
import { newId } from '../shared/ids.ts'
import type { Logger } from '../shared/logger.ts'
import { readBootId } from '../shared/process-stat.ts'
import type { Random } from '../shared/random.ts'
import { inOrder, type Service } from '../shared/service.ts'
import { Ticker } from '../shared/ticker.ts'
import { Inbox } from './accept/inbox.ts'
import type { AgentConfig } from './config.ts'
import type { ConnectedAgent, ConnectionTarget } from './connect/connection.ts'
import { HostWatch } from './connect/host-load.ts'
import { composeHeartbeat, composeHello } from './connect/introduce.ts'
import { Lease } from './connect/lease.ts'
import { Supervisor } from './connect/supervisor.ts'
import { Wakeup } from './connect/wakeup.ts'
import type { Identity } from './identity/identity-files.ts'
import { Renewal } from './identity/renewal.ts'
import type { AgentSettings } from './identity/settings.ts'
import { AttemptStore } from './report/attempt-store.ts'
import { LogShipper } from './report/log-shipper.ts'
import { Outbox } from './report/outbox.ts'
import { loadHandlers } from './run/handler-registry.ts'
import { LiveAttempts } from './run/live-attempts.ts'
import { recoverAttempts } from './run/recover.ts'
import type { AttemptServices } from './run/run-attempt.ts'
import { WorkspaceTidier } from './run/tidy-workspaces.ts'

export interface AgentDependencies {
  readonly clock: Clock
  readonly random: Random
  readonly logger: Logger
  /** A coordinator has accepted the session. */
  readonly onSession: (welcome: Welcome) => void
}

export interface JoinedAgent {
  readonly identity: Identity
  readonly settings: AgentSettings
}

/** Running attempts get this long to end when the agent is stopped, in ms. */
const STOP_GRACE_MS = 5_000
/** From the request to stop until nothing is waited for any more, in ms. */
const STOP_TIMEOUT_MS = 7_000
const STOP_POLL_MS = 20
/** For output, in ms: what is left is shipped by the next start. */
const STOP_LOGS_MS = 2_000
/** Results that no coordinator acknowledges; above, nothing new is taken. */
const UNACKNOWLEDGED_MAX = 1_000
const FORGET_INTERVAL_MS = 60_000

/** An agent that has joined, ready to start. Throws when a handler module or the journal cannot be loaded. */
export async function composeAgent(
  config: AgentConfig,
  joined: JoinedAgent,
  dependencies: AgentDependencies,
): Promise<Service> {
  const { clock, logger } = dependencies
  const wakeup = new Wakeup()
  const services = await composeServices(config, wakeup, dependencies)
  const host = new HostWatch(clock, config.dataDir)
  const live = new LiveAttempts(services, () => wakeup.wake())
  const inbox = new Inbox({
    store: services.store,
    outbox: services.outbox,
    live,
    logger,
    slots: config.slots,
    capabilities: new Set(config.capabilities),
    handlers: new Set(services.handlers.keys()),
    hasSpace: () => host.hasSpace && services.outbox.size < UNACKNOWLEDGED_MAX,
  })
  const lease = new Lease(clock, (marginMs) => {
    const stopped = live.stopGuarded(marginMs)
    logger.warn({ stopped }, 'the lease ends; attempts that must not outlive it are stopped')
  })
  return serve({ config, joined, dependencies, wakeup, services, host, live, inbox, lease })
}

interface Parts {
  readonly config: AgentConfig
  readonly joined: JoinedAgent
  readonly dependencies: AgentDependencies
  readonly wakeup: Wakeup
  readonly services: Services
  readonly host: HostWatch
  readonly live: LiveAttempts
  readonly inbox: Inbox
  readonly lease: Lease
}

interface Services extends AttemptServices {
  readonly tidier: WorkspaceTidier
}

/** Run and report: what works without any connection. */
async function composeServices(
  config: AgentConfig,
  wakeup: Wakeup,
  { clock, logger, random }: AgentDependencies,
): Promise<Services> {
  const files = agentFiles(config.dataDir)
  // Others may pass, for run_as; the folder of each attempt keeps them out.
  mkdirSync(files.attempts, { recursive: true, mode: 0o711 })
  const handlers = await loadHandlers(config.handlersDir)
  const store = await AttemptStore.open({ file: files.journal, clock, logger })
  const tidier = new WorkspaceTidier({ store, attemptsDir: files.attempts, logger })
  const logs = new LogShipper({
    clock,
    logger,
    random,
    onCapped: (ref, share) => store.cap(ref, share),
    onShipped: (ref) => void tidier.shipped(ref),
  })
  const { jobEnvironment: environment, shell } = config
  return {
    host: { clock, logger, environment, shell, bootId: readBootId() },
    handlers,
    attemptsDir: files.attempts,
    store,
    outbox: new Outbox(() => wakeup.wake()),
    logs,
    tidier,
  }
}

/** The connection and the order of starting and stopping. */
function serve(parts: Parts): Service {
  const { config, dependencies, host, inbox, joined, lease, live, services } = parts
  const { clock, logger, random } = dependencies
  const renewal: Renewal = new Renewal(joined.identity, {
    clock,
    logger,
    random,
    files: agentFiles(config.dataDir),
    settings: joined.settings,
    address: () => supervisor.address,
    onRenewed: () => supervisor.reconnect(),
  })
  const supervisor: Supervisor = new Supervisor({
    agent: connectedAgent(parts, (welcome) => supervisor.welcomed(welcome)),
    logger,
    random,
    coordinators: config.coordinators,
    target: (address) => targetOf(address, renewal.identity),
    onLost: () => services.logs.connect(undefined),
  })
  const forgetting = new Ticker({
    name: 'forget',
    clock,
    logger,
    runOnce: async () => {
      services.store.forgetOld()
      return FORGET_INTERVAL_MS
    },
  })
  const running = inOrder([services.logs, supervisor, renewal, forgetting])
  return {
    async start() {
      await host.look()
      await recoverAttempts(services)
      await running.start()
    },
    async stop() {
      const endMs = clock.monotonicMs() + STOP_TIMEOUT_MS
      inbox.close()
      await live.stopAll({ kind: 'lost', reason: 'the agent was stopped' }, STOP_GRACE_MS)
      // Results that are not acknowledged in time stay in the journal and are offered by the next start.
      while (supervisor.isConnected && services.outbox.size > 0 && clock.monotonicMs() < endMs) {
        await sleep(clock, STOP_POLL_MS)
      }
      await services.logs.shipped(Math.min(STOP_LOGS_MS, endMs - clock.monotonicMs()))
      lease.close()
      await running.stop()
      await services.store.close()
    },
  }
}

function targetOf(address: string, identity: Identity): ConnectionTarget {
  const { caPem, keyPem, certificatePem } = identity
  return {
    address,
    credentials: credentials.createSsl(
      Buffer.from(caPem),
      Buffer.from(keyPem),
      Buffer.from(certificatePem),
    ),
  }
}

/** The agent as its connection sees it. */
function connectedAgent(parts: Parts, onWelcome: (welcome: Welcome) => void): ConnectedAgent {
  const { config, dependencies, host, inbox, lease, live, services, wakeup } = parts
  const { clock, random, onSession } = dependencies
  const { logs, outbox, store, tidier } = services
  const bootId = `${services.host.bootId}/${newId(clock, random)}`
  let previousSession = ''
  return {
    clock,
    outbox,
    lease,
    wakeup,
    hello: () =>
      composeHello({ config, handlers: services.handlers.keys(), store, bootId, previousSession }),
    heartbeat: (sequence, lateMs) => {
      const freeSlots = inbox.isDraining ? 0 : Math.max(0, config.slots - live.slotsInUse)
      return composeHeartbeat({ sequence, lateMs, freeSlots, now: clock.now(), host })
    },
    drainRemaining: () => (inbox.isDraining ? live.size : undefined),
    welcomed: (welcome, target) => {
      previousSession = welcome.session
      inbox.release()
      logs.connect(target)
      onWelcome(welcome)
      onSession(welcome)
    },
    assigned: (assignments) => inbox.take(assignments),
    told: (targets) => inbox.stop(targets),
    drain: () => inbox.drain(),
    acknowledged: (items) => {
      for (const { kind, value } of items) {
        if (kind !== 'finished') continue
        store.acknowledge(value)
        void tidier.acknowledged(value)
      }
    },
  }
}
