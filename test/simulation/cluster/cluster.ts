/** Coordinators, agents, database and network of one run, put together. */

import type { AttemptRef } from '../../../agent/report/attempt-ref.ts'
import { firstDue } from '../../../coordinator/definition/save-spec.ts'
import type { JobId, WorkerId } from '../../../coordinator/job/execution.ts'
import { JobSpec } from '../../../proto/gen/rota/v1/job.ts'
import { newId } from '../../../shared/ids.ts'
import type { StatementContext } from '../store/schema.ts'
import { VirtualDatabase } from '../store/virtual-database.ts'
import type { SeededRandom } from '../world/seeded-random.ts'
import { VirtualNetwork } from '../world/virtual-network.ts'
import type { World } from '../world/world.ts'
import { AgentNode } from './agent-node.ts'
import { CoordinatorNode } from './coordinator-node.ts'
import { type SimulatedJob, simulatedJobs, specOfJob } from './jobs.ts'
import { VirtualHost } from './virtual-host.ts'
import { Witness } from './witness.ts'

export interface ClusterSize {
  readonly coordinators: number
  readonly agents: number
}

export class Cluster {
  readonly world: World
  readonly database: VirtualDatabase
  readonly network: VirtualNetwork
  readonly witness: Witness
  readonly coordinators: readonly CoordinatorNode[]
  readonly agents: readonly AgentNode[]
  /** By their ids in the database. */
  readonly jobs: ReadonlyMap<number, SimulatedJob>
  readonly random: SeededRandom
  onWelcome: (agent: AgentNode) => void = () => {}
  onAcknowledged: (ref: AttemptRef) => void = () => {}

  constructor(world: World, size: ClusterSize) {
    this.world = world
    this.random = world.random.fork()
    this.database = new VirtualDatabase(world)
    this.network = new VirtualNetwork(world)
    this.witness = new Witness(world)
    const jobs = simulatedJobs(this.random)
    this.jobs = new Map(jobs.map((job, index) => [index + 1, job]))
    const names = Array.from({ length: size.agents }, (_, index) => `agent-${index + 1}`)
    const addresses = Array.from(
      { length: size.coordinators },
      (_, index) => `coordinator-${index + 1}:7420`,
    )
    this.#fill(names)
    const workerIds = new Map(names.map((name, index) => [name, (index + 1) as WorkerId]))
    this.coordinators = addresses.map(
      (address) => new CoordinatorNode(address, { ...this, workerIds }),
    )
    this.agents = names.map((name) => this.#createAgent(name, addresses))
  }

  start(): void {
    for (const coordinator of this.coordinators) coordinator.start()
    for (const agent of this.agents) agent.start()
  }

  #createAgent(name: string, addresses: readonly string[]): AgentNode {
    const behaviours = new Map([...this.jobs.values()].map((job) => [job.name, job.behaviour]))
    const host = new VirtualHost(name, {
      world: this.world,
      witness: this.witness,
      behaviourOf: (job) => behaviours.get(job) as SimulatedJob['behaviour'],
    })
    const first = this.random.between(0, addresses.length - 1)
    return new AgentNode({
      world: this.world,
      network: this.network,
      host,
      slots: this.random.between(4, 6),
      coordinators: [...addresses.slice(first), ...addresses.slice(0, first)],
      onWelcome: (agent) => this.onWelcome(agent),
      onAcknowledged: (ref) => this.onAcknowledged(ref),
    })
  }

  /** What people and enrolment have put there before the run. */
  #fill(workers: readonly string[]): void {
    this.database.apply('operator', (context) => {
      for (const [index, name] of workers.entries())
        insertWorker(context, { id: (index + 1) as WorkerId, name })
      const idOf = new Map([...this.jobs].map(([id, { name }]) => [name, id as JobId]))
      for (const [id, job] of this.jobs) {
        const uid = newId({ now: () => context.now } as never, this.random)
        insertJob(context, { id: id as JobId, uid, job })
        for (const on of job.dependsOn) {
          context.tables.dependency.insert(context.tx, {
            job_id: id as JobId,
            on_job_id: idOf.get(on) as JobId,
          })
        }
      }
    })
  }
}

function insertWorker(
  { tables, tx, now }: StatementContext,
  worker: { id: WorkerId; name: string },
): void {
  tables.worker.insert(tx, {
    ...worker,
    uid: worker.name,
    display_name: '',
    state: 'active',
    capabilities: [],
    handlers: [],
    agent_labels: {},
    granted_labels: {},
    slots: 0,
    hostname: '',
    platform: '',
    agent_version: '',
    boot_id: '',
    consecutive_failures: 0,
    created_at: now,
    connected_at: null,
    last_heartbeat_at: null,
    state_reason: '',
    state_actor: '',
    state_at: null,
    revision: 1,
    operator_labels: {},
    slot_limit: null,
    drain_started_at: null,
    drain_deadline_at: null,
    drain_initial: 0,
    deleted_at: null,
    refused_messages: 0,
    stale_messages: 0,
    recovery: 0,
  })
}

function insertJob(
  { tables, tx, now }: StatementContext,
  { id, uid, job }: { readonly id: JobId; readonly uid: string; readonly job: SimulatedJob },
): void {
  const spec = specOfJob(job, now)
  const resumeAt = job.pausedForMs > 0 ? new Date(now.getTime() + job.pausedForMs) : null
  tables.job.insert(tx, {
    id,
    uid,
    name: job.name,
    display_name: '',
    description: '',
    labels: {},
    tags: [],
    state: job.pausedForMs > 0 ? 'paused' : 'active',
    pause_reason: '',
    paused_by: '',
    resume_at: resumeAt,
    version: 1,
    revision: 1,
    created_at: now,
    updated_at: now,
    deleted_at: null,
  })
  tables.jobVersion.insert(tx, {
    job_id: id,
    version: 1,
    spec: JobSpec.toJSON(spec) as Record<string, unknown>,
    created_at: now,
    created_by: 'operator',
    note: '',
  })
  tables.activity.insert(tx, {
    job_id: id,
    last_execution_id: null,
    last_due_at: null,
    last_succeeded_at: null,
    last_failed_at: null,
    consecutive_failures: 0,
    dependency_mark: now,
  })
  const dueAt = firstDue({ uid, createdAt: now, spec }, now)
  if (dueAt === undefined) return
  tables.schedule.insert(tx, {
    job_id: id,
    job_version: 1,
    marked_at: now,
    due_at: dueAt,
    run_at: dueAt,
    is_paused: resumeAt !== null,
    resume_at: resumeAt,
    pause_note: '',
    skip_left: job.skipCount,
    skip_after: now,
    skip_note: '',
  })
}
