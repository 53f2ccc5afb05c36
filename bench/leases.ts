/**
 * What it costs a coordinator to keep many agents alive: heartbeats, answers and lease renewals, no work.
 * The sessions are real: each agent joined with a key of its own and holds a TLS connection and a stream.
 */
import { execFileSync } from 'node:child_process'
import { createPrivateKey, generateKeyPairSync } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { credentials, Metadata } from '@grpc/grpc-js'
import { Client } from 'pg'
import { createCertificateRequest } from '../agent/identity/certificate-request.ts'
import { PROTOCOL_VERSIONS } from '../agent/version.ts'
import { createEmbeddedPostgres } from '../coordinator/store/embedded/embedded-postgres.ts'
import {
  AgentServiceClient,
  ConnectRequest,
  type ConnectResponse,
  type EnrollResponse,
  Heartbeat,
  Hello,
} from '../proto/gen/rota/agent/v1/agent_service.ts'
import {
  type CreateEnrollmentTokenResponse,
  WorkerServiceClient,
} from '../proto/gen/rota/v1/worker_service.ts'
import { CLIENT_CHANNEL_OPTIONS } from '../shared/channel-options.ts'
import { systemClock as clock, sleep } from '../shared/clock.ts'
import { coordinatorFiles } from '../shared/data-dir.ts'
import { durationToMs } from '../shared/duration.ts'
import { createLogger } from '../shared/logger.ts'
import { COORDINATOR } from '../shared/programs.ts'
import { systemRandom as random } from '../shared/random.ts'
import { Ticker } from '../shared/ticker.ts'
import { connectionUrl } from '../test/support/postgres.ts'
import { startProcess } from '../test/support/processes.ts'
import { makeTemporaryFolder } from '../test/support/temporary-folder.ts'
import type { Benchmark, Figure } from './benchmark.ts'

/** Leases are renewed this often, in ms: a sixth of the default lease. */
const RENEWAL_MS = 2_000
/** New streams per second. */
const RAMP_PER_S = 50
/** Sessions that begin at the same time: a coordinator refuses a rush. */
const OPENING_MAX = 10
const SETTLE_MS = 10_000

const logger = createLogger({ name: 'bench', level: 'error' })

export const leases: Benchmark = {
  what: 'CPU and statements of a coordinator with N idle agents (default 1000)',
  async run(args) {
    const { values } = parseArgs({
      args: [...args],
      options: {
        sessions: { type: 'string', default: '1000' },
        seconds: { type: 'string', default: '30' },
      },
    })
    const folder = await makeTemporaryFolder()
    try {
      return await measure(folder.path, Number(values.sessions), Number(values.seconds) * 1_000)
    } finally {
      await folder.remove()
    }
  },
}

async function measure(folder: string, count: number, spanMs: number): Promise<Figure[]> {
  const cluster = await startCluster(folder)
  const agents: Agent[] = []
  try {
    const base = await readSpan(cluster, spanMs)
    const identities = await enrollAll(cluster, count)
    for (const identity of identities) {
      agents.push(openAgent(cluster, identity))
      await sleep(clock, 1_000 / RAMP_PER_S)
      await agents.at(-OPENING_MAX)?.welcomed
    }
    await Promise.all(agents.map(({ welcomed }) => welcomed))
    await sleep(clock, SETTLE_MS)
    const span = await readSpan(cluster, spanMs)
    return figuresOf({ agents, base, count, span, spanMs })
  } finally {
    for (const agent of agents) agent.close()
    await cluster.stop()
  }
}

interface Measured {
  readonly agents: readonly Agent[]
  readonly base: Span
  readonly count: number
  readonly span: Span
  readonly spanMs: number
}

function figuresOf({ agents, base, count, span, spanMs }: Measured): Figure[] {
  const lost = agents.filter(({ isOver }) => isOver()).length
  const cpuPercent = (100 * span.cpuMs) / spanMs
  const renewalsPer2s = span.renewalStatements / (spanMs / RENEWAL_MS)
  return [
    {
      name: `sessions held of ${count}`,
      value: count - lost,
      unit: '',
      target: 'all',
      isMet: lost === 0,
    },
    {
      name: 'coordinator CPU with all sessions',
      value: cpuPercent,
      unit: '% of a core',
      target: 'below 5 %',
      isMet: cpuPercent < 5,
    },
    {
      name: 'coordinator CPU without any',
      value: (100 * base.cpuMs) / spanMs,
      unit: '% of a core',
    },
    {
      name: 'renewal statements per 2 s',
      value: renewalsPer2s,
      unit: '',
      target: '1',
      isMet: renewalsPer2s <= 1.1,
    },
    {
      name: 'leases renewed per renewal statement',
      value: span.renewed / span.renewalStatements,
      unit: '',
    },
    {
      name: 'PostgreSQL time of renewals',
      value: (100 * span.renewalMs) / spanMs,
      unit: '% of a core',
    },
    { name: 'coordinator memory (RSS)', value: span.rssMb, unit: 'MB' },
  ]
}

interface Cluster {
  readonly address: string
  readonly pid: number
  readonly ca: Buffer
  readonly token: string
  readonly database: Client
  stop(): Promise<void>
}

async function startCluster(folder: string): Promise<Cluster> {
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
      'coordinator/main.ts',
      ...['--data-dir', dataDir, '--grpc-port', '0', '--http-port', '0', '--log-level', 'error'],
    ],
    env: { DATABASE_URL: connectionUrl(connection) },
  })
  const { grpcAddress } = await coordinator.answer('ready')
  const files = coordinatorFiles(dataDir)
  return {
    address: String(grpcAddress),
    pid: coordinator.pid,
    ca: readFileSync(files.caCertificate),
    token: readFileSync(files.adminToken, 'utf8').trim(),
    database,
    async stop() {
      coordinator.kill('SIGTERM')
      await coordinator.exit
      await database.end()
      await postgres.stop()
    },
  }
}

interface AgentIdentity {
  readonly key: Buffer
  readonly chain: Buffer
}

async function enrollAll(cluster: Cluster, count: number): Promise<AgentIdentity[]> {
  const { joinToken } = await makeToken(cluster, count)
  const client = new AgentServiceClient(
    cluster.address,
    credentials.createSsl(cluster.ca),
    CLIENT_CHANNEL_OPTIONS,
  )
  const identities: AgentIdentity[] = []
  for (let index = 1; index <= count; index++) {
    const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
    const pem = privateKey.export({ type: 'pkcs8', format: 'pem' }).toString()
    const csrDer = createCertificateRequest(createPrivateKey(pem), 'bench')
    const enrolled = await new Promise<EnrollResponse>((resolve, reject) => {
      const request = { joinToken, csrDer, hostname: '', workerId: `bench-${index}` }
      client.enroll(request, (error, response) => (error ? reject(error) : resolve(response)))
    })
    identities.push({ key: Buffer.from(pem), chain: Buffer.from(enrolled.certificateChainPem) })
  }
  client.close()
  return identities
}

async function makeToken(cluster: Cluster, uses: number): Promise<{ joinToken: string }> {
  const client = new WorkerServiceClient(
    cluster.address,
    credentials.createSsl(cluster.ca),
    CLIENT_CHANNEL_OPTIONS,
  )
  const metadata = new Metadata()
  metadata.set('authorization', `Bearer ${cluster.token}`)
  const request = { ttl: { seconds: 3_600n, nanos: 0 }, maxUses: uses, labels: {}, worker: '' }
  const { token } = await new Promise<CreateEnrollmentTokenResponse>((resolve, reject) => {
    client.createEnrollmentToken(request, metadata, (error, response) =>
      error ? reject(error) : resolve(response),
    )
  })
  client.close()
  return { joinToken: token }
}

interface Agent {
  readonly welcomed: Promise<void>
  readonly isOver: () => boolean
  close(): void
}

function openAgent({ address, ca }: Cluster, { chain, key }: AgentIdentity): Agent {
  const secure = credentials.createSsl(ca, key, chain)
  const client = new AgentServiceClient(address, secure, CLIENT_CHANNEL_OPTIONS)
  const stream = client.connect()
  const welcomed = Promise.withResolvers<void>()
  let isOver = false
  let sequence = 0n
  let heartbeatMs = RENEWAL_MS
  const beat = () => {
    sequence += 1n
    const value = Heartbeat.fromPartial({ sequence, agentTime: clock.now() })
    stream.write(ConnectRequest.fromPartial({ message: { $case: 'heartbeat', value } }))
  }
  const beating = new Ticker({
    name: 'heartbeat',
    clock,
    logger,
    runOnce: async () => {
      beat()
      return heartbeatMs
    },
  })
  stream.on('data', ({ message }: ConnectResponse) => {
    if (message?.$case !== 'welcome') return
    heartbeatMs = durationToMs(message.value.heartbeatInterval) ?? RENEWAL_MS
    welcomed.resolve()
    void beating.start()
  })
  stream.on('error', (error: Error) => {
    isOver = true
    void beating.stop()
    welcomed.reject(error)
  })
  const hello = Hello.fromPartial({
    protocolVersion: PROTOCOL_VERSIONS[0],
    slots: 4,
    capabilities: ['shell'],
  })
  stream.write(ConnectRequest.fromPartial({ message: { $case: 'hello', value: hello } }))
  return {
    welcomed: welcomed.promise,
    isOver: () => isOver,
    close() {
      void beating.stop()
      client.close()
    },
  }
}

/** What a span of time cost. */
interface Span {
  readonly cpuMs: number
  readonly rssMb: number
  readonly renewalStatements: number
  readonly renewed: number
  readonly renewalMs: number
}

async function readSpan({ database, pid }: Cluster, spanMs: number): Promise<Span> {
  await database.query('select pg_stat_statements_reset()')
  const before = readCpuMs(pid)
  await sleep(clock, spanMs)
  const cpuMs = readCpuMs(pid) - before
  const { rows } = await database.query<{ calls: string; rows: string; ms: number }>(
    `select coalesce(sum(calls), 0) as calls, coalesce(sum(rows), 0) as rows,
      coalesce(sum(total_exec_time), 0) as ms
    from pg_stat_statements where query like '%update rota.session%renewals%'`,
  )
  const [renewals] = rows
  return {
    cpuMs,
    rssMb: readRssMb(pid),
    renewalStatements: Number(renewals?.calls),
    renewed: Number(renewals?.rows),
    renewalMs: Number(renewals?.ms),
  }
}

/** utime and stime of proc_pid_stat(5), in clock ticks. */
function readCpuMs(pid: number): number {
  const stat = readFileSync(`/proc/${pid}/stat`, 'latin1')
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
  const ticksPerSecond = Number(execFileSync('getconf', ['CLK_TCK'], { encoding: 'utf8' }))
  return ((Number(fields[11]) + Number(fields[12])) * 1_000) / ticksPerSecond
}

function readRssMb(pid: number): number {
  const [, kb] = /VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, 'utf8')) ?? []
  return Number(kb) / 1_024
}
