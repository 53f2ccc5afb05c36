/** Rota under measurement: its real processes, started as `rota dev` starts them. */
import { randomBytes } from 'node:crypto'
import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import { coordinatorFiles } from '../../shared/data-dir.ts'
import { AGENT, COORDINATOR } from '../../shared/programs.ts'
import { type ApiClients, openClients } from '../../test/support/api-clients.ts'
import { type RunningProcess, startProcess } from '../../test/support/processes.ts'
import { INSPECTED, type Recording, startRecording } from '../profile/collect.ts'
import type { Stage } from '../stage.ts'
import type { BenchDatabase } from './postgres.ts'

export interface RotaOptions {
  readonly database: BenchDatabase
  readonly agents: number
  readonly slots: number
  readonly coordinators?: number
}

export interface Rota {
  readonly database: BenchDatabase
  readonly api: ApiClients
  readonly coordinators: readonly RunningProcess[]
  readonly agents: readonly BenchAgent[]
  /** All before this is no part of a profile; without one it does nothing. */
  beginMeasuring(): Promise<void>
  /** Ends its processes in order, before the stage does. */
  stop(): Promise<void>
}

export interface BenchAgent {
  readonly process: RunningProcess
  readonly dataDir: string
  /** Where its handlers count, one line per run. */
  readonly runsFile: string
}

const HANDLERS = join(import.meta.dirname, '..', 'handlers')
const FIRST_WORKER = 'bench-1'
const CAPABILITIES = 'shell,script,api'

/** Starts coordinators and agents and waits until all are connected. */
export async function startRota(stage: Stage, options: RotaOptions): Promise<Rota> {
  const { coordinators: count = 1, database } = options
  const folder = join(stage.folder, `rota-${database.connection.database}`)
  await mkdir(folder, { mode: 0o711 })
  const environment = {
    DATABASE_URL: database.url,
    ROTA_CLUSTER_KEY: randomBytes(32).toString('hex'),
    NODE_COMPILE_CACHE: join(stage.folder, 'compile-cache'),
  }
  const running: RunningProcess[] = []
  let recording: Recording | undefined
  const stop = once(async () => {
    if (stage.profileFolder !== undefined) await recording?.finish(stage.profileFolder)
    for (const process of [...running].reverse()) process.kill('SIGINT')
    await Promise.all(running.map(({ exit }) => exit))
  })
  stage.onEnd(stop)
  const coordinators: RunningProcess[] = []
  const addresses: string[] = []
  for (let number = 1; number <= count; number += 1) {
    const dataDir = join(folder, `coordinator-${number}`)
    const nodeFlags = number === 1 ? profileFlags(stage) : []
    const coordinator = startCoordinator(dataDir, { environment, nodeFlags })
    running.push(coordinator)
    coordinators.push(coordinator)
    addresses.push(String((await coordinator.answer('ready'))['grpcAddress']))
  }
  const [address = ''] = addresses
  const clients = openClients(address, coordinatorFiles(join(folder, 'coordinator-1')))
  stage.onEnd(async () => clients.close())
  const joining = {
    folder,
    addresses,
    api: clients.promised,
    compileCache: environment.NODE_COMPILE_CACHE,
    nodeFlags: profileFlags(stage),
  }
  const agents = await startAgents(options, joining, running)
  return {
    ...{ database, api: clients.promised, coordinators, agents, stop },
    async beginMeasuring() {
      const [coordinator, agent] = [coordinators[0], agents[0]]
      if (stage.profileFolder === undefined || !coordinator || !agent) return
      const watched = { coordinator, agent: agent.process, worker: FIRST_WORKER, database }
      recording ??= await startRecording(watched)
    },
  }
}

function profileFlags({ profileFolder }: Stage): readonly string[] {
  return profileFolder === undefined ? [] : INSPECTED
}

function startCoordinator(
  dataDir: string,
  { environment, nodeFlags }: { environment: Record<string, string>; nodeFlags: readonly string[] },
): RunningProcess {
  const ports = ['--grpc-port', '0', '--http-port', '0']
  return startProcess({
    args: [
      ...COORDINATOR.nodeFlags,
      ...nodeFlags,
      'coordinator/main.ts',
      ...['--data-dir', dataDir, ...ports, '--log-level', 'warn'],
    ],
    env: environment,
  })
}

interface Joining {
  readonly folder: string
  readonly addresses: readonly string[]
  readonly api: ApiClients
  readonly compileCache: string
  /** Of the first one. */
  readonly nodeFlags: readonly string[]
}

async function startAgents(
  { agents: count, slots }: RotaOptions,
  { addresses, api, compileCache, folder, nodeFlags }: Joining,
  running: RunningProcess[],
): Promise<BenchAgent[]> {
  const agents: BenchAgent[] = []
  for (let number = 1; number <= count; number += 1) {
    const name = `bench-${number}`
    const { token } = await api.workers.createEnrollmentToken({ worker: `workers/${name}` })
    const dataDir = join(folder, name)
    const runsFile = join(folder, `${name}.runs`)
    const process = startProcess({
      args: [
        ...AGENT.nodeFlags,
        ...(number === 1 ? nodeFlags : []),
        'agent/main.ts',
        ...['run', '--data-dir', dataDir, '--coordinator', addresses.join(',')],
        ...['--name', name, '--capabilities', CAPABILITIES, '--slots', String(slots)],
        ...['--handlers-dir', HANDLERS, '--log-level', 'warn'],
      ],
      env: { ROTA_JOIN_TOKEN: token, BENCH_RUNS: runsFile, NODE_COMPILE_CACHE: compileCache },
    })
    running.push(process)
    agents.push({ process, dataDir, runsFile })
    // The first one fills the compile cache.
    if (number === 1) await process.answer('connected')
  }
  await Promise.all(agents.map(({ process }) => process.answer('connected')))
  return agents
}

function once(work: () => Promise<void>): () => Promise<void> {
  let done: Promise<void> | undefined
  return () => {
    done ??= work()
    return done
  }
}
