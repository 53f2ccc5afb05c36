/** A coordinator and its PostgreSQL, as whole processes. */
import { readFileSync } from 'node:fs'
import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import { credentials, Metadata } from '@grpc/grpc-js'
import { Client } from 'pg'
import { createEmbeddedPostgres } from '../../coordinator/store/embedded/embedded-postgres.ts'
import {
  AgentServiceClient,
  type EnrollResponse,
} from '../../proto/gen/rota/agent/v1/agent_service.ts'
import {
  type CreateEnrollmentTokenResponse,
  WorkerServiceClient,
} from '../../proto/gen/rota/v1/worker_service.ts'
import { CLIENT_CHANNEL_OPTIONS } from '../../shared/channel-options.ts'
import { systemClock as clock } from '../../shared/clock.ts'
import { coordinatorFiles } from '../../shared/data-dir.ts'
import { createLogger } from '../../shared/logger.ts'
import { readProcessStat } from '../../shared/process-stat.ts'
import { COORDINATOR } from '../../shared/programs.ts'
import { systemRandom as random } from '../../shared/random.ts'
import { connectionUrl } from '../../test/support/postgres.ts'
import { startProcess } from '../../test/support/processes.ts'
import { type AgentIdentity, type AgentTarget, makeKey } from './agents.ts'
import { Inspector } from './inspector.ts'

const logger = createLogger({ name: 'bench', level: 'error' })

export interface RenewalCount {
  readonly statements: number
  /** Sessions that they looked at. */
  readonly sessions: number
  readonly ms: number
}

/** What agents connect to, and what it costs. */
export interface Measured extends AgentTarget {
  readonly pid: number
  readonly inspector: Inspector
  enroll(count: number): Promise<AgentIdentity[]>
  /** Of the renewals since the last call; undefined where there are none. */
  takeRenewals(): Promise<RenewalCount | undefined>
  stop(): Promise<void>
}

/** The whole of it: what can be asked of the database, and where the coordinator has its files. */
export interface Cluster extends Measured {
  readonly postgresPid: number
  readonly files: ReturnType<typeof coordinatorFiles>
  query<Row extends object>(sql: string, values?: readonly unknown[]): Promise<Row[]>
}

export async function startCluster(folder: string): Promise<Cluster> {
  const dataDir = join(folder, 'coordinator')
  await mkdir(dataDir, { mode: 0o711 })
  const settings = { shared_preload_libraries: 'pg_stat_statements' }
  const postgres = createEmbeddedPostgres({ dataDir, clock, random, logger, settings })
  await postgres.start()
  const { connection } = postgres
  const database = new Client({ ...connection })
  database.on('error', () => {})
  await database.connect()
  await database.query('create extension pg_stat_statements')
  const coordinator = startProcess({
    args: [
      ...COORDINATOR.nodeFlags,
      '--inspect=127.0.0.1:0',
      'coordinator/main.ts',
      ...['--data-dir', dataDir, '--grpc-port', '0', '--http-port', '0', '--log-level', 'error'],
    ],
    env: { DATABASE_URL: connectionUrl(connection) },
  })
  const { grpcAddress } = await coordinator.answer('ready')
  const files = coordinatorFiles(dataDir)
  const target = { address: String(grpcAddress), ca: readFileSync(files.caCertificate) }
  const adminToken = readFileSync(files.adminToken, 'utf8').trim()
  const inspector = await Inspector.attach(coordinator.lines)
  return {
    ...target,
    pid: coordinator.pid,
    ...{ inspector, files },
    postgresPid: await readPostmasterPid(database),
    async query<Row extends object>(sql: string, values: readonly unknown[] = []) {
      return (await database.query<Row>(sql, [...values])).rows
    },
    enroll: (count) => enrollAll(target, adminToken, count),
    takeRenewals: () => takeRenewals(database),
    async stop() {
      inspector.close()
      coordinator.kill('SIGTERM')
      await coordinator.exit
      await database.end()
      await postgres.stop()
    },
  }
}

/** The parent of the process that serves this connection. */
async function readPostmasterPid(database: Client): Promise<number> {
  const { rows } = await database.query<{ pid: number }>('select pg_backend_pid() as pid')
  const [, parent] = readProcessStat(rows[0]?.pid ?? 0)
  return Number(parent)
}

async function takeRenewals(database: Client): Promise<RenewalCount> {
  const { rows } = await database.query<{ calls: string; rows: string; ms: number }>(
    `select coalesce(sum(calls), 0) as calls, coalesce(sum(rows), 0) as rows,
      coalesce(sum(total_exec_time), 0) as ms
    from pg_stat_statements where query like '%update rota.session%renewals%'`,
  )
  await database.query('select pg_stat_statements_reset()')
  const [renewals] = rows
  return {
    statements: Number(renewals?.calls),
    sessions: Number(renewals?.rows),
    ms: Number(renewals?.ms),
  }
}

async function enrollAll(
  { address, ca }: AgentTarget,
  adminToken: string,
  count: number,
): Promise<AgentIdentity[]> {
  const secure = credentials.createSsl(ca)
  const joinToken = await makeToken({ address, ca }, adminToken, count)
  const client = new AgentServiceClient(address, secure, CLIENT_CHANNEL_OPTIONS)
  const identities: AgentIdentity[] = []
  for (let index = 1; index <= count; index++) {
    const { key, csrDer } = makeKey()
    const request = { joinToken, csrDer, hostname: '', workerId: `bench-${index}` }
    const enrolled = await new Promise<EnrollResponse>((resolve, reject) => {
      client.enroll(request, (error, response) => (error ? reject(error) : resolve(response)))
    })
    identities.push({ key, chain: Buffer.from(enrolled.certificateChainPem) })
  }
  client.close()
  return identities
}

async function makeToken(
  { address, ca }: AgentTarget,
  adminToken: string,
  uses: number,
): Promise<string> {
  const client = new WorkerServiceClient(address, credentials.createSsl(ca), CLIENT_CHANNEL_OPTIONS)
  const metadata = new Metadata()
  metadata.set('authorization', `Bearer ${adminToken}`)
  const request = { ttl: { seconds: 3_600n, nanos: 0 }, maxUses: uses, labels: {}, worker: '' }
  const { token } = await new Promise<CreateEnrollmentTokenResponse>((resolve, reject) => {
    client.createEnrollmentToken(request, metadata, (error, response) =>
      error ? reject(error) : resolve(response),
    )
  })
  client.close()
  return token
}
