/** Where faults are played: a cluster under load, and what a fault needs to see what it does. */
import { shell } from '../../support/spec.ts'
import { until } from '../../support/until.ts'
import type { Cluster } from '../cluster/cluster.ts'
import type { CoordinatorNode } from '../cluster/coordinator.ts'
import type { Load } from '../load/load.ts'
import { type Guarantee, PROBES } from '../load/load-jobs.ts'
import type { Life } from '../witness/witness.ts'

/** Generous: what takes longer does not happen. */
export const PATIENCE_MS = 60_000

export interface Stage {
  readonly cluster: Cluster
  readonly load: Load
  readonly leaseMs: number
  /** In [0, 1). */
  readonly random: () => number
  /**
   * A probe that a fault must not disturb: exclusive, unless the lease is so short that its agent ends exclusive attempts
   * (2 s before the end of the lease, or a third) while it still looks for another coordinator.
   */
  readonly bystander: ProbeOptions
  /** Starts an execution to look at, and returns when its process runs. */
  probe(options: ProbeOptions): Promise<Probe>
  /** Triggers a job of the fault's own, made when it is not there yet; does not wait for its process. */
  start(job: OwnJob): Promise<Probe>
  /** A running coordinator that holds sessions, and the agents of these. */
  busyCoordinator(): Promise<{ readonly node: CoordinatorNode; readonly agents: readonly string[] }>
  /** Waits until each of these agents has a session that began after then, and renews it. */
  whenRehomed(agents: readonly string[], sinceMs: number): Promise<void>
  /** Waits until each of these agents has a session that was renewed after then. */
  whenRenewed(agents: readonly string[], sinceMs: number): Promise<void>
  /** Waits until a call to each running coordinator succeeds. */
  whenApiServes(): Promise<void>
  /** Waits until a due time later than then is decided. */
  whenFiring(sinceMs: number): Promise<void>
}

/** A job that only one fault has; it is seen by the witness, and the invariants know nothing of its guarantee. */
export interface OwnJob {
  readonly name: string
  /** Shell commands; `return` ends them, `say` tells the witness too. */
  readonly body: string
  /** More of its spec, in the contract's JSON. */
  readonly spec?: object
}

export interface ProbeOptions {
  readonly guarantee?: Guarantee
  /** How long it runs if nothing stops it. */
  readonly seconds: number
  readonly worker?: string
}

export interface ProbeEnd {
  readonly state: string
  /** Outcomes of its attempts, in order. */
  readonly outcomes: readonly string[]
}

export interface Probe {
  readonly execution: string
  lives(): Life[]
  /** Waits until the process of that attempt began. */
  begun(attempt: number): Promise<Life>
  /** Waits until no process of that attempt lives. */
  gone(attempt: number): Promise<Life>
  /** The worker that has it now. */
  worker(): Promise<string>
  ended(): Promise<ProbeEnd>
}

export function createStage(
  cluster: Cluster,
  load: Load,
  random: () => number = Math.random,
): Stage {
  return {
    cluster,
    load,
    leaseMs: cluster.shape.leaseMs,
    random,
    bystander: {
      guarantee: cluster.shape.leaseMs < 10_000 ? 'at_least_once' : 'exclusive',
      seconds: Math.max(2, Math.ceil(cluster.shape.leaseMs / 3_000)),
    },
    async probe({ guarantee = 'at_least_once', seconds, worker = '' }) {
      const { name } = PROBES[guarantee]
      const parameters = { seconds: String(seconds) }
      const { execution } = await load.client.trigger(name, { parameters, worker })
      const probe = createProbe(cluster, execution)
      await probe.begun(1)
      return probe
    },
    async start({ body, name, spec }) {
      const command = cluster.witness.command(body)
      const killGrace = { seconds: '1', nanos: 0 }
      await load.client.createJob(name, shell(command, { killGrace, ...spec }))
      const { execution } = await load.client.trigger(name)
      return createProbe(cluster, execution)
    },
    async busyCoordinator() {
      const held = await until('a coordinator holds sessions', () => sessionsOf(cluster))
      const [address = ''] = pick(random, [...held])
      const node = cluster.coordinators.find(({ agentSide }) => agentSide.address === address)
      if (node === undefined) throw new Error(`no coordinator has the address ${address}`)
      return { node, agents: held.get(address) ?? [] }
    },
    whenRehomed: (agents, sinceMs) => whenSessions(cluster, agents, { began: sinceMs }),
    whenRenewed: (agents, sinceMs) => whenSessions(cluster, agents, { renewed: sinceMs }),
    async whenApiServes() {
      for (const node of cluster.coordinators) {
        if (node.process === undefined) continue
        const serves = async () => (await load.client.ask(node)).code === 'OK'
        await until(`${node.name} serves`, serves, PATIENCE_MS)
      }
    },
    async whenFiring(sinceMs) {
      const sql = `select 1 from rota.occurrence where scheduled_for > to_timestamp($1::float8 / 1000) limit 1`
      await until(
        'schedules fire',
        async () => (await cluster.query(sql, [sinceMs]).catch(() => [])).length > 0,
        PATIENCE_MS,
      )
    },
  }
}

export function pick<T>(random: () => number, values: readonly T[]): T {
  const value = values[Math.floor(random() * values.length)]
  if (value === undefined) throw new Error('there is nothing to choose from')
  return value
}

/** Agents by the address of the coordinator that holds their session; undefined when there is none. */
async function sessionsOf(cluster: Cluster): Promise<Map<string, string[]> | undefined> {
  const rows = await cluster.query<{ address: string; worker: string }>(`
    select c.address, w.name as worker
    from rota.session s join rota.worker w on w.id = s.worker_id join rota.coordinator c on c.id = s.coordinator_id
    where s.renewed_at > clock_timestamp() - interval '3 seconds'`)
  const running = new Set(
    cluster.coordinators
      .filter(({ process }) => process !== undefined)
      .map(({ agentSide }) => agentSide.address),
  )
  const held = Map.groupBy(
    rows.filter(({ address }) => running.has(address)),
    ({ address }) => address,
  )
  if (held.size === 0) return undefined
  return new Map([...held].map(([address, of]) => [address, of.map(({ worker }) => worker)]))
}

/** Waits until each of these agents has a session that began, or was renewed, after then. */
async function whenSessions(
  cluster: Cluster,
  agents: readonly string[],
  { began = 0, renewed = 0 }: { readonly began?: number; readonly renewed?: number },
): Promise<void> {
  const sql = `
    select w.name from rota.session s join rota.worker w on w.id = s.worker_id
    where w.name = any($1) and s.started_at > to_timestamp($2::float8 / 1000)
      and s.renewed_at > to_timestamp($3::float8 / 1000)`
  await until(
    `${agents} have sessions`,
    async () => {
      const rows = await cluster.query(sql, [agents, began, renewed]).catch(() => [])
      return rows.length === agents.length
    },
    PATIENCE_MS,
  )
}

function createProbe(cluster: Cluster, execution: string): Probe {
  const lives = () => cluster.witness.lives().filter((life) => life.execution === execution)
  const of = (attempt: number) => lives().find((life) => life.attempt === attempt)
  return {
    execution,
    lives,
    begun: (attempt) =>
      until(
        `attempt ${attempt} of ${execution} begins`,
        () => (of(attempt)?.beganMs === undefined ? undefined : of(attempt)),
        PATIENCE_MS,
      ),
    gone: (attempt) =>
      until(
        `attempt ${attempt} of ${execution} is gone`,
        () => (of(attempt)?.endedMs === undefined ? undefined : of(attempt)),
        PATIENCE_MS,
      ),
    async worker() {
      const sql = `
        select w.name from rota.execution e join rota.worker w on w.id = e.worker_id where e.id = $1`
      const [row] = await cluster.query<{ name: string }>(sql, [execution])
      if (row === undefined) throw new Error(`${execution} is with no worker`)
      return row.name
    },
    async ended() {
      const { state } = await until(
        `${execution} has ended`,
        async () => {
          const sql = 'select state from rota.execution_history where id = $1'
          const rows = await cluster.query<{ state: string }>(sql, [execution]).catch(() => [])
          return rows[0]
        },
        2 * PATIENCE_MS,
      )
      const sql = 'select outcome from rota.attempt where execution_id = $1 order by number'
      const rows = await cluster.query<{ outcome: string }>(sql, [execution])
      return { state, outcomes: rows.map(({ outcome }) => outcome) }
    },
  }
}
