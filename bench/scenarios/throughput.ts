/** No-op executions through remote agents, from the queue to the history, beside queues that run them in their process. */

import { costsSince, readCosts } from '../cluster/costs.ts'
import type { Load } from '../cluster/load.ts'
import type { Rota } from '../cluster/rota.ts'
import { type Setting, startSetting } from '../cluster/setting.ts'
import { hostMs } from '../measure/host-time.ts'
import {
  addChecks,
  type Figures,
  goal,
  type Run,
  type Target,
  toOutcome,
} from '../measure/result.ts'
import { startPeers } from '../peer/peers.ts'
import {
  alternate,
  type Contender,
  type Measured,
  notesOfRuns,
  type Scenario,
} from '../scenario.ts'
import type { Stage } from '../stage.ts'

const JOBS = 20_000
/** Each of twelve agents gets of it what a peer's one process would need to be warm. */
const WARM_UP = { full: 20_000, quick: 2_000 } as const
/** A quick run of each system takes about so long, in ms. */
const QUICK_RUN_MS = 1_500
/** Through the API, one call each; below the burst that one caller is granted. */
const CALLS = { full: 500, quick: 100 } as const
const CALLERS = 64

export const throughput: Scenario = {
  what: 'no-op executions per second through the agents, enqueue to settled in history',
  async run(stage) {
    return measure(stage, await startSetting(stage))
  },
}

async function measure(stage: Stage, setting: Setting): Promise<Measured> {
  const { postgres, rota } = setting
  const { options } = stage
  const warmUp = options.isQuick ? WARM_UP.quick : WARM_UP.full
  // Profiled, executions that come one by one would hide what those that come together cost.
  const isProfiled = stage.profileFolder !== undefined
  const calls = isProfiled ? 0 : options.isQuick ? CALLS.quick : CALLS.full
  const { facts, notes, peers } = await startPeers(stage, postgres, [
    'graphile-worker',
    'graphile-worker default',
    'pg-boss',
    'bullmq',
  ])
  stage.say('warming up ...')
  const warm = await runRota(setting, { name: 'warm-up', count: warmUp, calls })
  const warmPeers: Run[] = []
  for (const { process } of peers) {
    warmPeers.push(await process.ask<Run>('throughput', { count: warmUp }))
  }
  await rota.beginMeasuring()
  const countFor = (run: Run) => options.jobs ?? (options.isQuick ? quickCount(run) : JOBS)
  let round = 0
  const contenders: Contender[] = [
    {
      name: 'rota',
      run() {
        round += 1
        return runRota(setting, { name: `round-${round}`, count: countFor(warm), calls })
      },
    },
    ...peers.map(({ name, process }, index) => ({
      name,
      run: () => process.ask<Run>('throughput', { count: countFor(warmPeers[index] ?? warm) }),
    })),
  ]
  const { rota: side, ...others } = await alternate(stage, contenders)
  if (side === undefined) throw new Error('rota has not run')
  const comparisons = [
    { figure: 'perSecond', isSmallBetter: false },
    { figure: 'backlogPerSecond', isSmallBetter: false, label: ' backlog' },
  ]
  return {
    outcome: toOutcome({
      scenario: 'throughput',
      rota: side,
      peers: others,
      comparisons,
      targets: goalsOf,
      notes: [...notes, ...notesOfRuns(side)],
    }),
    facts: {
      ...setting.facts,
      ...facts,
      ...(options.isQuick ? {} : { jobs: options.jobs ?? JOBS }),
    },
  }
}

const GOALS: Readonly<Record<string, number>> = { 'graphile-worker': 0.5, 'pg-boss': 2, bullmq: 1 }

function goalsOf(ratios: Figures): Target[] {
  return Object.entries(GOALS).flatMap(([peer, least]) => {
    const ratio = ratios[peer]
    return ratio === undefined ? [] : [goal(`at least ${least} times ${peer}`, ratio >= least)]
  })
}

/** As many executions as fit into a quick run, at the pace of the warm-up. */
function quickCount({ figures }: Run): number {
  const perRun = ((figures['perSecond'] ?? 0) * QUICK_RUN_MS) / 1_000
  return Math.min(JOBS, Math.max(200, Math.round(perRun)))
}

interface Order {
  readonly name: string
  readonly count: number
  readonly calls: number
}

/** `count` triggered in batches, then `calls` one by one. */
async function runRota(setting: Setting, { calls, count, name }: Order): Promise<Run> {
  const { load, rota } = setting
  const job = await load.createJob(name)
  const before = readCosts(setting)
  const beganMs = hostMs()
  const batch = await load.enqueue(job, count)
  const addedMs = hostMs()
  const left = count - (await countSettled(rota, job.id))
  await load.whenSettled(job)
  const endedMs = hostMs()
  const costs = costsSince(before, readCosts(setting), count)
  const checks = await load.check(job, batch)
  const called = calls === 0 ? undefined : await runCalls(load, `${name}-calls`, calls)
  return {
    figures: {
      perSecond: (count * 1_000) / (endedMs - beganMs),
      // Of a few that are left, the pace says nothing.
      ...(left < count / 4 ? {} : { backlogPerSecond: (left * 1_000) / (endedMs - addedMs) }),
      enqueuePerSecond: (count * 1_000) / (addedMs - beganMs),
      ...costs,
      ...called?.figures,
    },
    checks: addChecks([checks, ...(called === undefined ? [] : [called.checks])]),
  }
}

async function runCalls(load: Load, name: string, calls: number): Promise<Run> {
  const job = await load.createJob(name)
  const beganMs = hostMs()
  const batch = await load.trigger(job, calls, CALLERS)
  await load.whenSettled(job)
  const calledPerSecond = (calls * 1_000) / (hostMs() - beganMs)
  return { figures: { calledPerSecond }, checks: await load.check(job, batch) }
}

async function countSettled({ database }: Rota, jobId: number): Promise<number> {
  const sql = 'select count(*) as count from rota.execution_history where job_id = $1'
  const [row] = await database.query<{ count: string }>(sql, [jobId])
  return Number(row?.count)
}
