/** A stage with its evidence: faults are played on it one after the other, and judged after each and at the end. */
import { setTimeout as sleep } from 'node:timers/promises'
import { until } from '../../support/until.ts'
import type { Fault } from '../catalogue/fault.ts'
import { type Cluster, startCluster, whenAllConnected } from '../cluster/cluster.ts'
import type { ClusterShape } from '../cluster/shape.ts'
import { createCollector } from '../evidence/collect.ts'
import type { Evidence, FaultWindow } from '../evidence/evidence.ts'
import { type Judgement, judge, showViolations } from '../invariants/judge.ts'
import { startLoad } from '../load/load.ts'
import { createStage, type Stage } from './stage.ts'

export interface Played {
  readonly fault: Fault
  readonly recoveryMs: number | undefined
  /** Empty: it went as it should. */
  readonly problems: readonly string[]
  readonly tookMs: number
}

export interface Verdict {
  readonly evidence: Evidence
  readonly judgements: readonly Judgement[]
  readonly problems: readonly string[]
}

export interface Scene {
  readonly cluster: Cluster
  readonly stage: Stage
  /** Never throws: what goes wrong is a problem of that fault. */
  play(fault: Fault): Promise<Played>
  /** Marks a stretch of time in which a fault is at work; the answer ends it. */
  openWindow(fault: Pick<Fault, 'name' | 'allowsOverlap' | 'losesWrites'>): () => void
  /** Stops the load, waits until everything has ended, and judges it all. */
  conclude(): Promise<Verdict>
  /** All that a process of the cluster has said. */
  saidBy(): readonly { readonly name: string; readonly lines: readonly string[] }[]
  stop(): Promise<void>
}

const CALM_MS = 1_000
const QUIET_MS = 90_000

export async function openScene(shape: ClusterShape, random?: () => number): Promise<Scene> {
  const cluster = await startCluster(shape)
  try {
    await whenAllConnected(cluster)
    const load = await startLoad(cluster)
    const stage = createStage(cluster, load, random)
    await stage.whenFiring(Date.now())
    return createScene(cluster, stage)
  } catch (error) {
    await cluster.stop()
    throw error
  }
}

function createScene(cluster: Cluster, stage: Stage): Scene {
  const { load } = stage
  const collector = createCollector(cluster, load)
  const windows: FaultWindow[] = []
  const known = new Set<string>()

  const openWindow: Scene['openWindow'] = ({ allowsOverlap, losesWrites = false, name }) => {
    const times = { fromMs: Date.now(), toMs: Number.POSITIVE_INFINITY }
    const window = { fault: name, allowsOverlap, losesWrites, ...times }
    windows.push(window)
    return () => {
      window.toMs = Date.now()
    }
  }
  /** Violations that were not there before. */
  const judgeNow = async () => {
    const judgements = judge(await collector.collect({ windows, isQuiet: false }))
    const fresh = [...crashesOf(cluster), ...showViolations(judgements)].filter(
      (violation) => !known.has(violation),
    )
    for (const violation of fresh) known.add(violation)
    return fresh
  }

  return {
    cluster,
    stage,
    openWindow,
    async play(fault) {
      const startMs = performance.now()
      const took = () => performance.now() - startMs
      const close = openWindow(fault)
      try {
        const { problems, recoveryMs } = await fault.run(stage)
        close()
        await whenAllConnected(cluster)
        await stage.whenApiServes()
        await sleep(CALM_MS)
        const violations = await judgeNow()
        return { fault, recoveryMs, problems: [...problems, ...violations], tookMs: took() }
      } catch (error) {
        close()
        const problem = error instanceof Error ? (error.stack ?? error.message) : String(error)
        return { fault, recoveryMs: undefined, problems: [problem], tookMs: took() }
      }
    },
    async conclude() {
      await collector.look()
      await load.stop()
      const problems = await whenQuiet(cluster)
      const evidence = await collector.collect({ windows, isQuiet: true })
      const judgements = judge(evidence)
      return {
        evidence,
        judgements,
        problems: [
          ...problems,
          ...crashesOf(cluster),
          ...load.surprises,
          ...showViolations(judgements),
        ],
      }
    },
    saidBy: () =>
      [...cluster.coordinators, ...cluster.agents].map((node) => ({
        name: node.name,
        lines: node.lines(),
      })),
    async stop() {
      load.client.close()
      await cluster.stop()
    },
  }
}

function crashesOf({ agents, coordinators }: Cluster): string[] {
  return [...coordinators, ...agents].flatMap((node) => node.crashes)
}

/** Executions have ended and their folders are tidied away, or it took too long: the judge says what is missing. */
async function whenQuiet(cluster: Cluster): Promise<string[]> {
  const sql = 'select count(*)::int as count from rota.execution'
  try {
    await until(
      'every execution has ended',
      async () => (await cluster.query<{ count: number }>(sql))[0]?.count === 0,
      QUIET_MS,
    )
    await until('no job is left', () => cluster.agents.every((agent) => agent.isTidy()), 20_000)
    return []
  } catch (error) {
    return [String(error)]
  }
}
