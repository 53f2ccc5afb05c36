/** The cluster under test: PostgreSQL, coordinators, agents, the witness; all of it real, and gone afterwards. */
import { randomBytes } from 'node:crypto'
import { join } from 'node:path'
import type { PostgresServer } from '../../support/postgres-server.ts'
import { makeTemporaryFolder } from '../../support/temporary-folder.ts'
import { until } from '../../support/until.ts'
import { startWitness, type Witness } from '../witness/witness.ts'
import { type AgentNode, createAgent } from './agent.ts'
import { type CoordinatorNode, createCoordinator } from './coordinator.ts'
import { type DatabaseUnderTest, type Query, startDatabase } from './database.ts'
import { createNamespaces, type Namespaces } from './namespaces.ts'
import { ownClock, setClock } from './own-clock.ts'
import { ownerOfConnection } from './proc.ts'
import { startReaper } from './reaper.ts'
import type { ClusterShape } from './shape.ts'

export interface Cluster {
  readonly shape: ClusterShape
  readonly folder: string
  readonly database: DatabaseUnderTest
  /** The server that holds the truth now. */
  readonly postgres: PostgresServer
  readonly coordinators: readonly CoordinatorNode[]
  readonly agents: readonly AgentNode[]
  readonly witness: Witness
  /** Undefined: all are on the host's network. */
  readonly namespaces: Namespaces | undefined
  agent(name: string): AgentNode
  /** Joins one more agent; not started. */
  addAgent(name: string): Promise<AgentNode>
  query: Query
  snapshot: DatabaseUnderTest['snapshot']
  /** Sets the wall clock of a node, by its name; needs clocks of their own. */
  setClock(name: string, shiftSeconds: number): void
  /** Kills everything and removes the folder. */
  stop(): Promise<void>
}

interface Parts {
  readonly shape: ClusterShape
  readonly folder: string
  readonly agents: AgentNode[]
  readonly coordinators: CoordinatorNode[]
  readonly namespaces: Namespaces | undefined
}

export async function startCluster(shape: ClusterShape): Promise<Cluster> {
  const temporary = await makeTemporaryFolder()
  const folder = temporary.path
  const reaper = startReaper(folder)
  const agents: AgentNode[] = []
  const coordinators: CoordinatorNode[] = []
  let database: DatabaseUnderTest | undefined
  const stop = async () => {
    for (const { process } of [...agents, ...coordinators]) process?.kill('SIGKILL')
    await reaper.reap()
    for (const { agentSide, databaseSides } of coordinators) {
      await Promise.all([agentSide, ...databaseSides].map((side) => side.stop()))
    }
    await database?.remove()
    await temporary.remove()
  }
  try {
    const namespaces = shape.network === 'namespaces' ? createNamespaces(folder) : undefined
    const parts = { shape, folder, agents, coordinators, namespaces }
    const witness = await startWitness(join(folder, 'witness'))
    database = await startDatabase(shape, join(folder, 'postgres'))
    await startCoordinators(parts, database)
    const cluster = toCluster(parts, { witness, database, stop })
    for (let number = 1; number <= shape.agents; number += 1) {
      await cluster.addAgent(`worker-${number}`)
    }
    await Promise.all(agents.map((agent) => agent.start()))
    return cluster
  } catch (error) {
    await stop()
    throw error
  }
}

function toCluster(parts: Parts, rest: Pick<Cluster, 'witness' | 'database' | 'stop'>): Cluster {
  const { agents, coordinators, folder, namespaces, shape } = parts
  const { database } = rest
  return {
    ...rest,
    ...{ shape, folder, agents, coordinators, namespaces },
    get postgres() {
      return database.primary()
    },
    agent(name) {
      const agent = agents.find((each) => each.name === name)
      if (agent === undefined) throw new Error(`there is no agent ${name}`)
      return agent
    },
    async addAgent(name) {
      const agent = await joinAgent(parts, name)
      agents.push(agent)
      return agent
    },
    query: database.query,
    snapshot: database.snapshot,
    setClock: (name, shiftSeconds) => setClock(clockFile(folder, name), shiftSeconds),
  }
}

async function startCoordinators(parts: Parts, { servers }: DatabaseUnderTest): Promise<void> {
  const { agents, coordinators, folder, namespaces, shape } = parts
  const clusterKey = { ROTA_CLUSTER_KEY: randomBytes(32).toString('hex') }
  for (let number = 1; number <= shape.coordinators; number += 1) {
    const name = `coordinator-${number}`
    coordinators.push(
      await createCoordinator({
        ...{ name, folder, servers, leaseMs: shape.leaseMs },
        host: namespaces?.hostAddress ?? '127.0.0.1',
        adminDataDir: join(folder, 'coordinator-1'),
        environment: { ...clusterKey, ...clockOf(parts, name) },
        async identify(localPort, peerPort) {
          const pids = agents.map((agent) => agent.process?.pid ?? 0)
          const owner = ownerOfConnection(pids, { localPort, peerPort })
          return agents.find((agent) => agent.process?.pid === owner)?.name
        },
      }),
    )
  }
  for (const coordinator of coordinators) await coordinator.start()
}

async function joinAgent(parts: Parts, name: string): Promise<AgentNode> {
  const { coordinators, folder, namespaces, shape } = parts
  const serving = coordinators.find(({ process }) => process !== undefined)
  if (serving === undefined) throw new Error('an agent needs a coordinator')
  const clients = serving.clients()
  try {
    const worker = `workers/${name}`
    const { token } = await clients.promised.workers.createEnrollmentToken({ worker })
    return createAgent({
      ...{ name, folder, slots: shape.slots, joinToken: token },
      coordinators: coordinators.map(({ agentSide }) => agentSide.address),
      environment: clockOf(parts, name),
      within: namespaces?.add(name) ?? [],
    })
  } finally {
    clients.close()
  }
}

function clockOf({ folder, shape }: Parts, name: string): Readonly<Record<string, string>> {
  return shape.clocks === 'own' ? ownClock(clockFile(folder, name)) : {}
}

function clockFile(folder: string, name: string): string {
  return join(folder, `${name}.clock`)
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
