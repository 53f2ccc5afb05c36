/**
 * The processes of a development cluster: a coordinator, which brings PostgreSQL, and agents.
 *
 * D1. Agents join as they would on any host: with a token for that one worker, over TLS to the CA of this cluster.
 * D2. Stopping goes from the outside in: agents, then the coordinator, which stops PostgreSQL.
 * D3. Once stopping has begun, nothing is started.
 */
import { mkdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { assert } from '../../shared/assert.ts'
import { type Clock, sleep } from '../../shared/clock.ts'
import { formatDurationMs } from '../../shared/duration.ts'
import { RotaError } from '../../shared/errors/rota-error.ts'
import { AGENT, COORDINATOR, WARDEN } from '../../shared/programs.ts'
import type { Api } from '../client.ts'
import type { Server } from '../context.ts'
import { planAgents } from './agents.ts'
import { Child, type ChildPlan } from './child.ts'
import { lastLines, trimLog } from './child-log.ts'
import { endWardens } from './end-wardens.ts'
import { devFiles } from './files.ts'
import { agentLaunch, coordinatorLaunch, type LaunchOptions } from './launches.ts'
import { warmUp } from './warm-up.ts'

/** What a cluster is made of. */
export interface ClusterOptions extends LaunchOptions {
  readonly agentCount: number
  readonly clock: Clock
  readonly openApi: (server: Server) => Api
  /** Tells a person, one line at a time. */
  readonly say: (line: string) => void
}

/** A coordinator that serves. */
export interface RunningCoordinator {
  readonly api: Api
  readonly grpcAddress: string
  readonly httpAddress: string
}

const AGENTS_READY_MS = 25_000
/** An agent gives its running attempts 5 s. */
const AGENT_STOP_MS = 7_500
const COORDINATOR_STOP_MS = 6_000

/** Starts once and stops once; both ends are told to a person. */
export class Cluster {
  readonly #options: ClusterOptions
  readonly #agents: Child[] = []
  readonly #stopping = new AbortController()
  #coordinator: Child | undefined
  #api: Api | undefined
  #agentsAreWarm: Promise<void> | undefined

  constructor(options: ClusterOptions) {
    this.#options = options
  }

  /** Throws UNREACHABLE with the last lines of its log when it ends instead. */
  async startCoordinator(): Promise<RunningCoordinator> {
    const { dataDir, openApi } = this.#options
    const { agents, caCertificate, adminToken, logs, samples } = devFiles(dataDir)
    for (const folder of [agents, logs, samples]) {
      mkdirSync(folder, { recursive: true, mode: 0o700 })
    }
    const launch = coordinatorLaunch(this.#options)
    const { signal } = this.#stopping
    this.#agentsAreWarm = warmUp(AGENT, launch.env, signal).then(() =>
      warmUp(WARDEN, launch.env, signal),
    )
    await warmUp(COORDINATOR, launch.env, this.#stopping.signal)
    this.#refuseWhenStopping()
    const child = this.#makeChild('coordinator', {
      program: COORDINATOR,
      stopSignal: 'SIGTERM',
      prepare: async () => launch,
    })
    this.#coordinator = child
    child.start()
    const message = await Promise.race([child.ready, refuseEnd(child)])
    const addresses = readReadyMessage(message)
    this.#api = openApi({
      address: addresses.grpcAddress,
      ca: readFileSync(caCertificate),
      token: readFileSync(adminToken, 'utf8').trim(),
      unreachableHint: `Read ${child.logFile}.`,
    })
    return { ...addresses, api: this.#api }
  }

  /** Resolves with the names of the agents that are not connected after 25 s. */
  async startAgents(coordinator: RunningCoordinator): Promise<string[]> {
    const { agentCount, clock } = this.#options
    await this.#agentsAreWarm
    this.#refuseWhenStopping()
    for (const plan of planAgents(agentCount)) {
      const prepare = () => agentLaunch(plan, coordinator, this.#options)
      // SIGTERM would leave what runs to their wardens.
      const agent = { program: AGENT, stopSignal: 'SIGINT', prepare } as const
      this.#agents.push(this.#makeChild(plan.name, agent))
    }
    const missing = new Set(this.#agents.map(({ name }) => name))
    const connected = this.#agents.map(async (agent) => {
      agent.start()
      await agent.ready
      missing.delete(agent.name)
    })
    await Promise.race([Promise.all(connected), sleep(clock, AGENTS_READY_MS)])
    return [...missing]
  }

  /** 17 s at the very most; `force` gives the agents no time. */
  async stop(force: AbortSignal): Promise<void> {
    const { clock, dataDir, say } = this.#options
    this.#stopping.abort()
    this.#api?.close()
    const ends = await Promise.all(this.#agents.map((agent) => agent.stop(AGENT_STOP_MS, force)))
    if (ends.includes('killed')) {
      say('agents were killed; what they left running is ended')
      await endWardens(
        this.#agents.map(({ name }) => join(devFiles(dataDir).agents, name)),
        clock,
      )
    }
    // Not forced: PostgreSQL is the coordinator's to stop.
    const end = await this.#coordinator?.stop(COORDINATOR_STOP_MS, new AbortController().signal)
    if (end === 'killed') {
      say('the coordinator was killed; the next start takes PostgreSQL over')
    }
  }

  /** Keeps the log files bounded; to be called now and then. */
  trimLogs(): void {
    for (const child of [this.#coordinator, ...this.#agents]) {
      if (child !== undefined) trimLog(child.logFile)
    }
  }

  /** D3 */
  #refuseWhenStopping(): void {
    if (!this.#stopping.signal.aborted) return
    throw new RotaError('SHUTTING_DOWN', 'the cluster is being stopped')
  }

  #makeChild(name: string, plan: Pick<ChildPlan, 'program' | 'stopSignal' | 'prepare'>): Child {
    const { clock, dataDir, say } = this.#options
    const logFile = join(devFiles(dataDir).logs, `${name}.log`)
    const onEnd = (end: string, restartMs: number) => {
      // Before it has served, the end of the coordinator is the error that `rota dev` ends with.
      if (this.#api === undefined) return
      say(`${name} ended (${end}); it is started again in ${formatDurationMs(restartMs)}`)
      for (const line of lastLines(logFile, 3)) say(`  ${line}`)
    }
    return new Child({ ...plan, name, logFile, onEnd }, clock)
  }
}

async function refuseEnd(child: Child): Promise<never> {
  const end = await child.firstEnd
  const lines = lastLines(child.logFile, 5).map((line) => `\n  ${line}`)
  const message = `the ${child.name} ended at its start (${end})${lines.join('')}`
  throw new RotaError('UNREACHABLE', message, {
    hint: `Mend what the lines say. All of them are in ${child.logFile}.`,
  })
}

function readReadyMessage(message: unknown): Omit<RunningCoordinator, 'api'> {
  const { grpcAddress, httpAddress } = Object(message)
  assert(
    typeof grpcAddress === 'string' && typeof httpAddress === 'string',
    `the coordinator says where it serves, not ${JSON.stringify(message)}`,
  )
  return { grpcAddress, httpAddress }
}
