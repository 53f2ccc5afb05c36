/** The cluster under test: PostgreSQL, coordinators, agents, the witness; all of it real, and gone afterwards. */
import { randomBytes } from 'node:crypto'
import { join } from 'node:path'
import { Client } from 'pg'
import { createPostgresServer, type PostgresServer } from '../../support/postgres-server.ts'
import { makeTemporaryFolder } from '../../support/temporary-folder.ts'
import { until } from '../../support/until.ts'
import { startWitness, type Witness } from '../witness/witness.ts'
import { type AgentNode, createAgent } from './agent.ts'
import { type CoordinatorNode, createCoordinator } from './coordinator.ts'
import { ownerOfConnection } from './proc.ts'
import { startReaper } from './reaper.ts'

export interface ClusterShape {
  readonly coordinators: number
  readonly agents: number
  /** Of each agent. */
  readonly slots: number
  /** Length of a session's lease, L. */
  readonly leaseMs: number
}

export type Query = <Row extends object>(sql: string, values?: readonly unknown[]) => Promise<Row[]>

export interface Cluster {
  readonly shape: ClusterShape
  readonly folder: string
  readonly postgres: PostgresServer
  readonly coordinators: readonly CoordinatorNode[]
  readonly agents: readonly AgentNode[]
  readonly witness: Witness
  agent(name: string): AgentNode
  /** Straight to PostgreSQL, not through any proxy. */
  query: Query
  /** Several queries that see one moment. */
  snapshot<T>(read: (query: Query) => Promise<T>): Promise<T>
  /** Kills everything and removes the folder. */
  stop(): Promise<void>
}

export async function startCluster(shape: ClusterShape): Promise<Cluster> {
  const temporary = await makeTemporaryFolder()
  const folder = temporary.path
  const reaper = startReaper(folder)
  const agents: AgentNode[] = []
  const coordinators: CoordinatorNode[] = []
  const stop = async () => {
    for (const { process } of [...agents, ...coordinators]) process?.kill('SIGKILL')
    await reaper.reap()
    for (const { agentSide, databaseSide } of coordinators) {
      await Promise.all([agentSide.stop(), databaseSide.stop()])
    }
    await temporary.remove()
  }
  try {
    const witness = await startWitness(join(folder, 'witness'))
    const postgres = await createPostgresServer({
      name: 'postgres',
      folder: join(folder, 'postgres'),
      settings: { fsync: 'on', max_connections: '100' },
    })
    await postgres.start()
    await postgres.maintain('create database rota')
    const environment = { ROTA_CLUSTER_KEY: randomBytes(32).toString('hex') }
    const identify = async (localPort: number, peerPort: number) => {
      const pids = agents.map((agent) => agent.process?.pid ?? 0)
      const owner = ownerOfConnection(pids, { localPort, peerPort })
      return agents.find((agent) => agent.process?.pid === owner)?.name
    }
    for (let number = 1; number <= shape.coordinators; number += 1) {
      const name = `coordinator-${number}`
      const { leaseMs } = shape
      const adminDataDir = join(folder, 'coordinator-1')
      const reach = { postgres, identify, adminDataDir }
      const settings = { name, folder, leaseMs, ...reach }
      coordinators.push(await createCoordinator({ ...settings, environment }))
    }
    for (const coordinator of coordinators) await coordinator.start()
    agents.push(...(await createAgents(shape, folder, coordinators)))
    await Promise.all(agents.map((agent) => agent.start()))
    return {
      shape,
      folder,
      postgres,
      coordinators,
      agents,
      witness,
      agent: (name) => find(agents, name),
      query: (sql, values) => withClient(postgres, (query) => query(sql, values)),
      snapshot: (read) =>
        withClient(postgres, async (query) => {
          await query('begin isolation level repeatable read read only')
          return read(query)
        }),
      stop,
    }
  } catch (error) {
    await stop()
    throw error
  }
}

async function createAgents(
  shape: ClusterShape,
  folder: string,
  coordinators: readonly CoordinatorNode[],
): Promise<AgentNode[]> {
  const clients = coordinators[0]?.clients()
  if (clients === undefined) throw new Error('a cluster needs a coordinator')
  const addresses = coordinators.map(({ agentSide }) => agentSide.address)
  const agents: AgentNode[] = []
  for (let number = 1; number <= shape.agents; number += 1) {
    const name = `worker-${number}`
    const { token } = await clients.promised.workers.createEnrollmentToken({
      worker: `workers/${name}`,
    })
    const { slots } = shape
    agents.push(createAgent({ name, folder, slots, coordinators: addresses, joinToken: token }))
  }
  clients.close()
  return agents
}

function find(agents: readonly AgentNode[], name: string): AgentNode {
  const agent = agents.find((each) => each.name === name)
  if (agent === undefined) throw new Error(`there is no agent ${name}`)
  return agent
}

/** A connection of its own each: what a fault did to the one before does not matter. */
async function withClient<T>(
  { connection }: PostgresServer,
  use: (query: Query) => Promise<T>,
): Promise<T> {
  const client = new Client({
    ...connection,
    connectionTimeoutMillis: 5_000,
    query_timeout: 10_000,
  })
  client.on('error', () => {})
  await client.connect()
  try {
    return await use(async <Row extends object>(sql: string, values: readonly unknown[] = []) => {
      const { rows } = await client.query<Row>(sql, [...values])
      return rows
    })
  } finally {
    await client.end()
  }
}

/** Waits until every agent that runs has a session. */
export async function whenAllConnected(cluster: Cluster, limitMs?: number): Promise<void> {
  const running = cluster.agents.filter(({ process }) => process !== undefined)
  const sql = `
    select w.name from rota.session s join rota.worker w on w.id = s.worker_id
    where s.renewed_at > clock_timestamp() - interval '3 seconds'`
  await until(
    'every agent has a session',
    async () => {
      const rows = await cluster.query<{ name: string }>(sql).catch(() => [])
      const names = new Set(rows.map(({ name }) => name))
      return running.every(({ name }) => names.has(name))
    },
    limitMs,
  )
}
