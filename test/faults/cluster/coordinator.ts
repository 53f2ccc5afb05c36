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
  readonly postgres: PostgresServer
  readonly environment: Readonly<Record<string, string>>
  /** Data folder whose admin token its clients use. */
  readonly adminDataDir: string
  /** Names an agent by the port that it connects from. */
  readonly identify: (clientPort: number, proxyPort: number) => Promise<string | undefined>
}

export interface CoordinatorNode {
  readonly name: string
  readonly dataDir: string
  /** Between the agents and it. */
  readonly agentSide: ChaosProxy
  /** Between it and PostgreSQL. */
  readonly databaseSide: ChaosProxy
  /** The process of now; undefined while there is none. */
  readonly process: RunningProcess | undefined
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
  const { name, folder, postgres } = options
  const dataDir = join(folder, name)
  const grpcPort = await findFreePort()
  const agentSide = await startChaosProxy({
    target: { host: '127.0.0.1', port: grpcPort },
    identify: options.identify,
  })
  const databaseSide = await startChaosProxy({
    target: { host: '127.0.0.1', port: postgres.port },
  })
  const { user, password, database } = postgres.connection
  const environment = {
    ...options.environment,
    DATABASE_URL: `postgres://${user}:${password}@${databaseSide.address}/${database}`,
  }
  const args = [
    ...COORDINATOR.nodeFlags,
    'coordinator/main.ts',
    ...['--data-dir', dataDir, '--grpc-port', String(grpcPort), '--http-port', '0'],
    ...['--advertise', agentSide.address, '--lease', `${options.leaseMs}ms`],
  ]
  let current: RunningProcess | undefined
  const said: string[][] = []
  const ended = async () => {
    const ending = current
    current = undefined
    return (await ending?.exit) ?? null
  }
  return {
    name,
    dataDir,
    agentSide,
    databaseSide,
    get process() {
      return current
    },
    lines: () => said.flat(),
    async start() {
      const started = startProcess({ args, env: environment })
      said.push(started.lines)
      current = started
      await started.answer('ready')
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
      openClients(`127.0.0.1:${grpcPort}`, coordinatorFiles(options.adminDataDir), patience),
  }
}
