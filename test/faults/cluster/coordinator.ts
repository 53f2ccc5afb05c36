/**
 * A coordinator process of the cluster under test.
 *
 * Agents reach it through one proxy, it reaches PostgreSQL through another: each side can be cut, slowed and damaged
 * alone. Its ports and its data folder stay the same over restarts.
 */
import { join } from 'node:path'
import { coordinatorFiles } from '../../../shared/data-dir.ts'
import { COORDINATOR } from '../../../shared/programs.ts'
import { type ApiClients, type CallPatience, openClients } from '../../support/api-clients.ts'
import { type ChaosProxy, startChaosProxy } from '../../support/chaos-proxy.ts'
import { findFreePort, type PostgresServer } from '../../support/postgres-server.ts'
import { type RunningProcess, startProcess } from '../../support/processes.ts'

export interface CoordinatorOptions {
  readonly name: string
  readonly folder: string
  readonly leaseMs: number
  /** Those that DATABASE_URL names. */
  readonly servers: readonly PostgresServer[]
  /** Where agents reach it. */
  readonly host: string
  readonly environment: Readonly<Record<string, string>>
  /** Data folder whose admin token its clients use. */
  readonly adminDataDir: string
  /** Names an agent by the port that it connects from. */
  readonly identify: (clientPort: number, proxyPort: number) => Promise<string | undefined>
}

export interface CoordinatorNode {
  readonly name: string
  readonly dataDir: string
  /** Not through any proxy. */
  readonly grpcAddress: string
  /** Between the agents and it. */
  readonly agentSide: ChaosProxy
  /** Between it and each PostgreSQL. */
  readonly databaseSides: readonly ChaosProxy[]
  /** The process of now; undefined while there is none. */
  readonly process: RunningProcess | undefined
  /** Ends that nobody asked for. */
  readonly crashes: readonly string[]
  /** Everything that its processes said, oldest first. */
  lines(): string[]
  /** Returns when it serves. */
  start(): Promise<void>
  /** SIGKILL; returns when it has ended. */
  kill(): Promise<void>
  /** SIGTERM; answers its exit code. */
  stop(): Promise<number | null>
  signal(name: NodeJS.Signals): void
  /** Straight to its port, with the admin token of the first coordinator: request ids are per actor. */
  clients(patience?: CallPatience): { readonly promised: ApiClients; close(): void }
}

export async function createCoordinator(options: CoordinatorOptions): Promise<CoordinatorNode> {
  const { name, folder, host, servers } = options
  const dataDir = join(folder, name)
  const grpcPort = await findFreePort()
  const grpcAddress = `127.0.0.1:${grpcPort}`
  const agentSide = await startChaosProxy({
    host,
    target: { host: '127.0.0.1', port: grpcPort },
    identify: options.identify,
  })
  const databaseSides = await Promise.all(
    servers.map(({ port }) => startChaosProxy({ target: { host: '127.0.0.1', port } })),
  )
  const environment = { ...options.environment, DATABASE_URL: urlOf(servers, databaseSides) }
  const args = [
    ...COORDINATOR.nodeFlags,
    'coordinator/main.ts',
    ...['--data-dir', dataDir, '--grpc-port', String(grpcPort), '--http-port', '0'],
    ...['--advertise', agentSide.address, '--lease', `${options.leaseMs}ms`],
  ]
  let current: RunningProcess | undefined
  const said: string[][] = []
  const crashes: string[] = []
  const watch = (started: RunningProcess) => {
    current = started
    said.push(started.lines)
    void started.exit.then((code) => {
      if (current !== started) return
      current = undefined
      crashes.push(`${name} ended with exit code ${code}: ${started.lines.slice(-5).join(' / ')}`)
    })
  }
  const ended = async () => {
    const ending = current
    current = undefined
    return (await ending?.exit) ?? null
  }
  return {
    name,
    dataDir,
    grpcAddress,
    agentSide,
    databaseSides,
    crashes,
    get process() {
      return current
    },
    lines: () => said.flat(),
    async start() {
      const started = startProcess({ args, env: environment })
      watch(started)
      const ended = started.exit.then((code) => {
        throw new Error(`${name} ended with ${code}: ${started.lines.slice(-5).join(' / ')}`)
      })
      await Promise.race([started.answer('ready'), ended])
    },
    async kill() {
      current?.kill('SIGKILL')
      await ended()
    },
    stop() {
      current?.kill('SIGTERM')
      return ended()
    },
    signal: (name) => current?.kill(name),
    clients: (patience) =>
      openClients(grpcAddress, coordinatorFiles(options.adminDataDir), patience),
  }
}

function urlOf(servers: readonly PostgresServer[], sides: readonly ChaosProxy[]): string {
  const [first] = servers
  if (first === undefined) throw new Error('a coordinator needs a PostgreSQL')
  const { database, password, user } = first.connection
  const addresses = sides.map(({ address }) => address).join(',')
  const url = `postgres://${user}:${password}@${addresses}/${database}`
  return sides.length === 1 ? url : `${url}?target_session_attrs=read-write`
}
