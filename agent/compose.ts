/** Builds an agent: its files, its host, its identity, and the flow between them. */
import { mkdirSync } from 'node:fs'
import { hostname } from 'node:os'
import { credentials } from '@grpc/grpc-js'
import type { Assignment, Welcome } from '../proto/gen/rota/agent/v1/agent_service.ts'
import { type Clock, sleep } from '../shared/clock.ts'
import { agentFiles } from '../shared/data-dir.ts'
import { newId } from '../shared/ids.ts'
import type { Logger } from '../shared/logger.ts'
import { readBootId } from '../shared/process-stat.ts'
import type { Random } from '../shared/random.ts'
import { inOrder, type Service } from '../shared/service.ts'
import { Ticker } from '../shared/ticker.ts'
import { type AgentFlow, composeAgentFlow } from './compose-flow.ts'
import type { AgentConfig } from './config.ts'
import type { ConnectionTarget } from './connect/connection.ts'
import { dial } from './connect/dial.ts'
import { HostWatch } from './connect/host-load.ts'
import type { AgentFacts } from './connect/introduce.ts'
import { readRemembered, rememberIn } from './connect/remembered-coordinators.ts'
import { Wakeup } from './connect/wakeup.ts'
import type { Identity } from './identity/identity-files.ts'
import { Renewal } from './identity/renewal.ts'
import type { AgentSettings } from './identity/settings.ts'
import { AttemptStore } from './report/attempt-store.ts'
import { Journal } from './report/journal.ts'
import { LogShipper } from './report/log-shipper.ts'
import { Outbox } from './report/outbox.ts'
import { ResultGathering } from './report/result-gathering.ts'
import type { AttemptServices } from './run/attempt-run.ts'
import { isGuarded, isProcess, needsJournal } from './run/attempt-terms.ts'
import { loadHandlers } from './run/handler-registry.ts'
import { recoverAttempts } from './run/recover.ts'
import { runAttempt } from './run/run-attempt.ts'
import { WorkspaceTidier } from './run/tidy-workspaces.ts'
import { AGENT_VERSION } from './version.ts'
import { readBootMs } from './warden/boot-clock.ts'
import type { WardenLink } from './warden/warden-link.ts'

export interface AgentDependencies {
  readonly clock: Clock
  readonly random: Random
  readonly logger: Logger
  /** Of the data folder; opened, and left or ended, by the agent. */
  readonly warden: WardenLink
  /** A coordinator has accepted the session. */
  readonly onSession: (welcome: Welcome) => void
}

/** `stop` ends what runs, and the warden. */
export interface Agent extends Service {
  /** Stops, but leaves processes of attempts to the warden: the next start takes them back. */
  leave(): Promise<void>
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
/** Until what is about to start has started and is the warden's, in ms. */
const START_TIMEOUT_MS = 2_000
/** For output, in ms: what is left is shipped by the next start. */
const STOP_LOGS_MS = 2_000
const FORGET_INTERVAL_MS = 60_000

/** An agent that has joined, ready to start. Throws when a handler module or the journal cannot be loaded. */
export async function composeAgent(
  config: AgentConfig,
  joined: JoinedAgent,
  dependencies: AgentDependencies,
): Promise<Agent> {
  const { clock, logger, random, warden } = dependencies
  const wakeup = new Wakeup()
  const services = await composeServices(config, wakeup, dependencies)
  const host = new HostWatch(clock, config.dataDir)
  const { coordinators: remembered } = agentFiles(config.dataDir)
  const renewal: Renewal = new Renewal(joined.identity, {
    clock,
    logger,
    random,
    files: agentFiles(config.dataDir),
    settings: joined.settings,
    address: () => flow.supervisor.address,
    onRenewed: () => flow.supervisor.reconnect(),
  })
  const flow: AgentFlow = composeAgentFlow({
    ...dependencies,
    ...services,
    facts: factsOf(config, services, newId(clock, random)),
    coordinators: config.coordinators,
    remembered: readRemembered(remembered),
    onLearned: rememberIn(remembered, logger),
    target: (address) => targetOf(clock, address, renewal.identity),
    host,
    wakeup,
    run: (attempt, onEnded) => runAttempt({ attempt, services }, onEnded),
    readBootMs,
    onLease: (lease) => warden.renewLease(lease),
    onPlace: (address) => {
      services.logs.connect(
        address === undefined ? undefined : logTarget(address, renewal.identity),
      )
    },
    onAcknowledged: (ref) => services.tidier.acknowledged(ref),
  })
  return serve({ clock, logger, services, host, flow, renewal, warden })
}

interface Services extends AttemptServices {
  readonly tidier: WorkspaceTidier
}

/** Run and report: what works without any connection. */
async function composeServices(
  config: AgentConfig,
  wakeup: Wakeup,
  { clock, logger, random, warden }: AgentDependencies,
): Promise<Services> {
  const files = agentFiles(config.dataDir)
  // Others may pass, for run_as; the folder of each attempt keeps them out.
  mkdirSync(files.attempts, { recursive: true, mode: 0o711 })
  const handlers = await loadHandlers(config.handlersDir)
  const openJournal = (living: Parameters<typeof Journal.open>[0]['living']) =>
    Journal.open({ file: files.journal, logger, living })
  const store = await AttemptStore.open({
    openJournal,
    needsJournal,
    needsSync: isGuarded,
    clock,
    logger,
  })
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
    host: { clock, logger, environment, shell, bootId: readBootId(), warden },
    handlers,
    attemptsDir: files.attempts,
    store,
    results: new ResultGathering(clock),
    outbox: new Outbox(
      clock,
      atEndOfTurn(() => wakeup.wake()),
    ),
    logs,
    tidier,
  }
}

function factsOf(config: AgentConfig, services: Services, startId: string): AgentFacts {
  const { capabilities, labels, slots } = config
  return {
    agentVersion: AGENT_VERSION,
    hostname: hostname(),
    platform: `${process.platform}-${process.arch}`,
    bootId: `${services.host.bootId}/${startId}`,
    slots,
    capabilities,
    handlers: [...services.handlers.keys()],
    labels,
  }
}

interface Parts {
  readonly clock: Clock
  readonly logger: Logger
  readonly services: Services
  readonly host: HostWatch
  readonly flow: AgentFlow
  readonly renewal: Renewal
  readonly warden: WardenLink
}

/** The order of starting and stopping. */
function serve({ clock, flow, host, logger, renewal, services, warden }: Parts): Agent {
  const { inbox, lease, live, supervisor } = flow
  const { logs, outbox, store } = services
  const forgetting = new Ticker({
    name: 'forget',
    clock,
    logger,
    runOnce: async () => {
      store.forgetOld()
      return FORGET_INTERVAL_MS
    },
  })
  const running = inOrder([logs, supervisor, renewal, forgetting])
  const waitWhile = async (isWaiting: () => boolean, endMs: number) => {
    while (isWaiting() && clock.monotonicMs() < endMs) await sleep(clock, STOP_POLL_MS)
  }
  /** Nothing new is taken; the work that `isMeant` ends; what can be told is told. */
  const windDown = async (isMeant: (assignment: Assignment) => boolean) => {
    const endMs = clock.monotonicMs() + STOP_TIMEOUT_MS
    inbox.close()
    const cause = { kind: 'lost', reason: 'the agent was stopped' } as const
    await live.stopAll(cause, STOP_GRACE_MS, isMeant)
    // Results that are not acknowledged in time stay in the journal and are offered by the next start.
    await waitWhile(() => supervisor.isConnected && outbox.size > 0, endMs)
    if (live.size === 0) await logs.shipped(Math.min(STOP_LOGS_MS, endMs - clock.monotonicMs()))
    lease.close()
    await running.stop()
  }
  return {
    async start() {
      await host.look()
      await recoverAttempts(services, live)
      await running.start()
    },
    async stop() {
      await windDown(() => true)
      await store.close()
      await warden.quit()
    },
    async leave() {
      inbox.close()
      const isStarting = (assignment: Assignment) => {
        const known = store.get(assignment)
        return isProcess(assignment) && known?.process === undefined && known?.result === undefined
      }
      const endMs = clock.monotonicMs() + START_TIMEOUT_MS
      await waitWhile(() => live.list().some(isStarting), endMs)
      await windDown((assignment) => !isProcess(assignment))
      await warden.leave()
      await store.close()
    },
  }
}

/** Calls once for all calls of one turn: attempts that end in it go into one report. */
function atEndOfTurn(call: () => void): () => void {
  let isDue = false
  return () => {
    if (isDue) return
    isDue = true
    setImmediate(() => {
      isDue = false
      call()
    })
  }
}

function targetOf(clock: Clock, address: string, identity: Identity): ConnectionTarget {
  return { address, dial: () => dial(clock, address, logTarget(address, identity).credentials) }
}

function logTarget(address: string, { caPem, certificatePem, keyPem }: Identity) {
  const [ca, key, certificate] = [caPem, keyPem, certificatePem].map((pem) => Buffer.from(pem))
  return { address, credentials: credentials.createSsl(ca, key, certificate) }
}
