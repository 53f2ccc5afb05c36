/** A real coordinator of this process: real PostgreSQL, real TLS, on a database and ports of its own. */
import { readFileSync } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pino } from 'pino'
import { composeAgent } from '../../agent/compose.ts'
import { readConfig as readAgentConfig } from '../../agent/config.ts'
import { ensureJoined } from '../../agent/identity/ensure-joined.ts'
import { type Coordinator, composeCoordinator } from '../../coordinator/compose.ts'
import { readConfig } from '../../coordinator/config.ts'
import { type Database, openDatabase } from '../../coordinator/store/database.ts'
import type { CalendarServiceClient } from '../../proto/gen/rota/v1/calendar_service.ts'
import { type Execution, ExecutionState } from '../../proto/gen/rota/v1/execution.ts'
import type { ExecutionServiceClient } from '../../proto/gen/rota/v1/execution_service.ts'
import type { FreezeServiceClient } from '../../proto/gen/rota/v1/freeze_service.ts'
import { Job } from '../../proto/gen/rota/v1/job.ts'
import type { JobServiceClient } from '../../proto/gen/rota/v1/job_service.ts'
import type { SystemServiceClient } from '../../proto/gen/rota/v1/system_service.ts'
import type { WorkerServiceClient } from '../../proto/gen/rota/v1/worker_service.ts'
import { systemClock as clock } from '../../shared/clock.ts'
import { coordinatorFiles } from '../../shared/data-dir.ts'
import type { Logger } from '../../shared/logger.ts'
import { systemRandom as random } from '../../shared/random.ts'
import { openClients, type Promised } from './api-clients.ts'
import { localWarden } from './local-warden.ts'
import { createTestDatabase, type TestDatabase } from './postgres.ts'
import { until } from './until.ts'

/** Lines of the log when a test needs to be looked into: ROTA_TEST_LOG=debug. */
const silent = pino({ level: process.env['ROTA_TEST_LOG'] ?? 'silent' })

export interface TestAgentHandle {
  readonly name: string
  start(): Promise<void>
  stop(): Promise<void>
}

export interface TestCoordinator {
  readonly dataDir: string
  readonly database: TestDatabase
  /** Straight into the database, to look at what the API does not show. */
  readonly db: Database
  readonly files: ReturnType<typeof coordinatorFiles>
  readonly jobs: Promised<JobServiceClient>
  readonly executions: Promised<ExecutionServiceClient>
  readonly workers: Promised<WorkerServiceClient>
  readonly calendars: Promised<CalendarServiceClient>
  readonly freezes: Promised<FreezeServiceClient>
  readonly system: Promised<SystemServiceClient>
  /** `host:port` of its gRPC. */
  address(): string
  /** The admin token. */
  token(): string
  /** Creates a job `name` with this spec (proto JSON). */
  createJob(name: string, spec: object): Promise<Job>
  /** Triggers a job and answers its execution. */
  trigger(name: string, request?: object): Promise<Execution>
  execution(name: string): Promise<Execution>
  /** Waits until the execution has ended, and answers it. */
  ended(name: string): Promise<Execution>
  /** Joins an agent of this process over real TLS; started. */
  addAgent(name: string, args?: readonly string[]): Promise<TestAgentHandle>
  /** Stops the coordinator in order; `start` serves again on the same data and ports. */
  stop(): Promise<void>
  start(): Promise<void>
  restart(): Promise<void>
  /** Ends everything and removes what was made. */
  remove(): Promise<void>
}

export interface TestCoordinatorSetup {
  /** Another coordinator's, to share it; by default one of its own. */
  readonly database?: TestDatabase
  /** Takes the lines of the coordinator and of its agents. */
  readonly logger?: Logger
  /** Of the coordinator; by default the cluster key of the database is in it. */
  readonly env?: Readonly<Record<string, string>>
  /** A data folder that is there already; by default a new one. */
  readonly dataDir?: string
}

/** `options` as on the command line, e.g. `['--lease', '2s']`. */
export async function startTestCoordinator(
  options: readonly string[] = [],
  setup: TestCoordinatorSetup = {},
): Promise<TestCoordinator> {
  const { logger = silent } = setup
  const database = setup.database ?? (await createTestDatabase())
  const dataDir = setup.dataDir ?? (await mkdtemp(join(tmpdir(), 'rota-coordinator-')))
  const files = coordinatorFiles(dataDir)
  const db = openDatabase({ connection: database.connection, logger, poolSize: 4 })
  let ports = ['--grpc-port', '0', '--http-port', '0']
  const open = async (): Promise<Coordinator> => {
    const place = ['--data-dir', dataDir, ...ports]
    const env = setup.env ?? { ROTA_CLUSTER_KEY: database.clusterKey }
    const reading = readConfig([...place, ...options], env)
    if (reading.kind !== 'ok') throw new Error(JSON.stringify(reading))
    const opened = await composeCoordinator(
      { clock, random, logger },
      reading.config,
      database.connectionString,
    )
    await opened.start()
    return opened
  }
  let coordinator = await open()
  ports = [
    ...['--grpc-port', portOf(coordinator.grpcAddress())],
    ...['--http-port', portOf(coordinator.httpAddress())],
  ]
  const clients = openClients(coordinator.grpcAddress(), files)
  const agents: TestAgentHandle[] = []
  const self: TestCoordinator = {
    ...clients.promised,
    dataDir,
    database,
    db,
    files,
    address: () => coordinator.grpcAddress(),
    token: () => readFileSync(files.adminToken, 'utf8').trim(),
    async createJob(name, spec) {
      const job = Job.fromJSON({ spec })
      const response = await self.jobs.createJob({ jobId: name, job })
      return required(response.job)
    },
    async trigger(name, request = {}) {
      return required((await self.jobs.triggerJob({ name: `jobs/${name}`, ...request })).execution)
    },
    async execution(name) {
      return required((await self.executions.getExecution({ name })).execution)
    },
    ended: async (name) =>
      until(`${name} has ended`, async () => whenEnded(await self.execution(name))),
    async addAgent(name, args = []) {
      const { token } = await self.workers.createEnrollmentToken({})
      const agent = await joinAgent(self, { name, token, args, logger })
      agents.push(agent)
      await agent.start()
      await until(`${name} is connected`, async () => {
        const { worker } = await self.workers.getWorker({ name: `workers/${name}` })
        return worker?.connectTime
      })
      return agent
    },
    stop: () => coordinator.stop(),
    async start() {
      coordinator = await open()
    },
    async restart() {
      await self.stop()
      await self.start()
    },
    async remove() {
      await Promise.all(agents.map((agent) => agent.stop()))
      clients.close()
      await coordinator.stop()
      await db.destroy()
      if (setup.database === undefined) await database.drop()
      await rm(dataDir, { recursive: true, force: true })
    },
  }
  return self
}

const FINAL: readonly number[] = [
  ExecutionState.SUCCEEDED,
  ExecutionState.FAILED,
  ExecutionState.CANCELLED,
  ExecutionState.UNCERTAIN,
  ExecutionState.SKIPPED,
]

function whenEnded(execution: Execution): Execution | undefined {
  return FINAL.includes(execution.state) ? execution : undefined
}

interface Joining {
  readonly name: string
  readonly token: string
  readonly args: readonly string[]
  readonly logger: Logger
}

async function joinAgent(coordinator: TestCoordinator, joining: Joining): Promise<TestAgentHandle> {
  const { name, token, args, logger } = joining
  const dataDir = join(coordinator.dataDir, 'agents', name)
  const place = ['--data-dir', dataDir, '--coordinator', coordinator.address(), '--name', name]
  const env = { ...process.env, ROTA_JOIN_TOKEN: token }
  const config = readAgentConfig(['run', ...place, '--slots', '4', ...args], env)
  const signal = new AbortController().signal
  const joined = await ensureJoined(config, { clock, random, logger, signal })
  const agent = await composeAgent(config, joined, {
    ...{ clock, random, logger },
    warden: localWarden(dataDir),
    onSession: () => {},
  })
  return { name, start: () => agent.start(), stop: () => agent.stop() }
}

function portOf(address: string): string {
  return address.slice(address.lastIndexOf(':') + 1)
}

function required<T>(value: T | undefined): T {
  if (value === undefined) throw new Error('the response lacks its resource')
  return value
}
