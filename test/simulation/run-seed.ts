/** One run: a cluster, its load, its faults, a healing, and what the checks say of it all. */
import { checkAcknowledged } from './checks/acknowledged.ts'
import { checkAttempts } from './checks/attempts.ts'
import type { Check, CheckSurroundings } from './checks/check.ts'
import { Findings, type Violation } from './checks/findings.ts'
import { checkLedger } from './checks/ledger.ts'
import { checkLives } from './checks/lives.ts'
import { checkOverlap } from './checks/overlap.ts'
import { checkProgress } from './checks/progress.ts'
import { checkTransitions } from './checks/transitions.ts'
import { ApiClient } from './cluster/api-client.ts'
import { Cluster } from './cluster/cluster.ts'
import { Faults } from './cluster/faults.ts'
import { Blocked } from './store/versioned-table.ts'
import { tagOf, World } from './world/world.ts'

export interface RunOptions {
  readonly seed: number
  /** With faults, in ms; the healing comes after it. */
  readonly faultyMs: number
  readonly isTraced?: boolean
}

export interface RunResult {
  readonly seed: number
  readonly violations: readonly Violation[]
  /** By invariant: how often it was looked at. */
  readonly checked: ReadonlyMap<number, number>
  readonly faults: ReadonlyMap<string, number>
  readonly simulatedMs: number
  readonly events: number
  readonly executions: number
  readonly hash: string
  readonly trace: readonly string[]
}

const LOOK_MS = 500
const LOOK_TAG = tagOf('look')
/** From the healing until nothing more is asked for, in ms. */
const QUIET_MS = 25_000
/** From then until everything must be at rest, in ms: the longest job with all its retries; it is looked at so often. */
const RESTING_MS = 240_000
const REST_LOOK_MS = 5_000
/** Then every slot is filled at once, which shows slots that were lost. */
const FILLING_MS = 8_000
/** In a row (job/worker-health.ts). */
const DEGRADED_FAILURES = 10

export async function runSeed(options: RunOptions): Promise<RunResult> {
  const world = new World(options.seed, { isTraced: options.isTraced === true })
  const run = createRun(world)
  const unhandled = (error: unknown) => run.findings.broken(20, `unhandled: ${describe(error)}`)
  process.on('unhandledRejection', unhandled)
  try {
    await play(run, options)
  } catch (error) {
    run.findings.broken(20, `the run ended: ${describe(error)}`)
  } finally {
    process.off('unhandledRejection', unhandled)
  }
  const { cluster, faults, findings } = run
  return {
    seed: options.seed,
    violations: findings.violations,
    checked: findings.counts,
    faults: faults.counts,
    simulatedMs: world.nowMs,
    events: world.events,
    executions: cluster.witness.lives.length,
    hash: world.hash,
    trace: world.trace,
  }
}

interface Run {
  readonly world: World
  readonly cluster: Cluster
  readonly client: ApiClient
  readonly faults: Faults
  readonly findings: Findings
  readonly checks: readonly Check[]
}

function createRun(world: World): Run {
  const size = { coordinators: world.random.between(1, 3), agents: world.random.between(3, 5) }
  const cluster = new Cluster(world, size)
  const client = new ApiClient(cluster)
  const faults = new Faults(cluster)
  const findings = new Findings(world)
  const around: CheckSurroundings = {
    ...cluster,
    tables: cluster.database.tables,
    findings,
    quietSinceMs: () => faults.quietSinceMs,
  }
  const checks = [
    checkLedger(around),
    checkAttempts(around),
    checkLives(around),
    checkTransitions(around),
    checkOverlap(around),
    checkAcknowledged(around, client),
    checkProgress(around),
  ]
  return { world, cluster, client, faults, findings, checks }
}

function watch({ checks, client, cluster, findings, world }: Run): void {
  cluster.database.onCommit = (commit) => {
    for (const check of checks) check.onCommit?.(commit)
  }
  cluster.database.onMistake = (error) =>
    findings.broken(20, `a statement that cannot be done: ${describe(error)}`)
  cluster.witness.onStart = (life) => {
    for (const check of checks) check.onStart?.(life)
  }
  cluster.witness.onEnd = (life) => {
    for (const check of checks) check.onEnd?.(life)
  }
  cluster.onWelcome = (agent) => {
    for (const check of checks) check.onWelcome?.(agent)
  }
  cluster.onAcknowledged = (ref) => {
    for (const check of checks) check.onAcknowledged?.(ref)
  }
  client.onContradiction = (message) => findings.broken(9, message)
  const look = () => {
    for (const check of checks) check.onLook?.()
    world.after(LOOK_MS, LOOK_TAG, look)
  }
  world.after(LOOK_MS, LOOK_TAG, look)
}

async function play(run: Run, { faultyMs }: RunOptions): Promise<void> {
  const { checks, client, cluster, faults, findings, world } = run
  watch(run)
  const isOver = () => findings.violations.length > 0
  const until = (ms: number) => world.runUntil(ms, isOver)
  cluster.start()
  faults.start()
  client.start()
  await until(faultyMs)
  if (isOver()) return
  faults.healAll()
  client.isStopped = true
  await until(faultyMs + QUIET_MS)
  while (!isOver() && !stopSchedules(cluster)) await until(world.nowMs + 1)
  const restMs = world.nowMs + RESTING_MS
  while (!isOver() && world.nowMs < restMs && !isAtRest(run))
    await until(world.nowMs + REST_LOOK_MS)
  if (isOver()) return
  for (const check of checks) check.onRest?.()
  if (isOver()) return
  findings.check(9, client.open.size === 0, {
    why: () => `${client.open.size} triggers were never answered`,
  })
  const slots = usableSlots(cluster)
  for (let index = 0; index < slots; index++) client.trigger('filler')
  await until(world.nowMs + FILLING_MS)
  if (isOver()) return
  const running = cluster.agents.reduce((sum, { host }) => sum + host.jobs.size, 0)
  findings.check(20, running >= slots, {
    why: () => `of ${slots} free slots only ${running} could be filled`,
  })
}

function isAtRest({ client, cluster }: Run): boolean {
  const isWaiting = ({ state }: { readonly state: string }) => state === 'waiting'
  return client.open.size === 0 && cluster.database.tables.execution.committed().every(isWaiting)
}

/** A worker that was cordoned gets nothing, a degraded one a single probe at a time. */
function usableSlots({ agents, database }: Cluster): number {
  const workers = [...database.tables.worker.committed()]
  return agents.reduce((sum, { name, slots }) => {
    const worker = workers.find((row) => row.name === name)
    if (worker?.state !== 'active') return sum
    return sum + (worker.consecutive_failures < DEGRADED_FAILURES ? slots : 1)
  }, 0)
}

/** As pausing does; what waits for others may go on waiting. False while a coordinator has one of them in hand. */
function stopSchedules({ database }: Cluster): boolean {
  try {
    database.apply('operator', ({ tables, tx }) => {
      for (const { job_id } of tables.schedule.list(tx)) tables.schedule.delete(tx, job_id)
    })
    return true
  } catch (error) {
    if (error instanceof Blocked) return false
    throw error
  }
}

function describe(error: unknown): string {
  return error instanceof Error ? (error.stack ?? error.message) : String(error)
}
