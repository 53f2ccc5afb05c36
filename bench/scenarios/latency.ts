/** From the call that asks for an execution to its start on an agent: with nothing to do, and under half load. */
import type { BenchJob } from '../cluster/load.ts'
import { sampleStarts } from '../cluster/sample-starts.ts'
import { type Setting, startSetting } from '../cluster/setting.ts'
import { hostMs, sleepMs } from '../measure/host-time.ts'
import { addChecks, CLEAN, goal, type Run, toOutcome } from '../measure/result.ts'
import { quantile } from '../measure/statistics.ts'
import { type Peer, startPeers } from '../peer/peers.ts'
import { alternate, type Contender, notesOfRuns, type Scenario } from '../scenario.ts'
import type { Stage } from '../stage.ts'

const SAMPLES = { full: 100, quick: 30 } as const
/** pg-boss polls: each sample takes half a second. */
const POLLED_SAMPLES = { full: 10, quick: 3 } as const
const PAUSE_MS = 20
/** Executions whose pace is called full load. */
const CALIBRATION = { full: 5_000, quick: 500 } as const
/** Half load arrives this often. */
const PULSE_MS = 50
const GOALS = { idleP99Ms: 10, loadedP99Ms: 50 } as const

export const latency: Scenario = {
  what: 'ms from the trigger to the start on the agent, idle and under half load',
  async run(stage) {
    const setting = await startSetting(stage)
    const { facts, notes, peers } = await startPeers(stage, setting.postgres, [
      'graphile-worker',
      'graphile-worker default',
      'pg-boss',
      'bullmq',
    ])
    stage.say('warming up ...')
    const perSecond = await calibrate(stage, setting)
    let round = 0
    const run = async (): Promise<Run> => {
      round += 1
      return measureRota(stage, setting, { round, perSecond })
    }
    await run()
    await setting.rota.beginMeasuring()
    const contenders = [{ name: 'rota', run }, ...peers.map((peer) => contenderOf(stage, peer))]
    const { rota, ...others } = await alternate(stage, contenders)
    if (rota === undefined) throw new Error('rota has not run')
    const { p99Ms = 0, loadedP99Ms = 0 } = rota.figures
    const comparisons = [
      { figure: 'p50Ms', isSmallBetter: true },
      { figure: 'p99Ms', isSmallBetter: true, label: ' p99' },
    ]
    return {
      outcome: toOutcome({
        scenario: 'latency',
        rota,
        peers: others,
        comparisons,
        targets: () => [
          goal(`idle, p99 below ${GOALS.idleP99Ms} ms`, p99Ms < GOALS.idleP99Ms),
          goal(
            `under half load, p99 below ${GOALS.loadedP99Ms} ms`,
            loadedP99Ms < GOALS.loadedP99Ms,
          ),
        ],
        notes: [...notes, ...notesOfRuns(rota)],
      }),
      facts: { ...setting.facts, ...facts, 'half load per second': Math.round(perSecond / 2) },
    }
  },
}

function contenderOf({ options }: Stage, { name, process }: Peer): Contender {
  const samples = name === 'pg-boss' ? POLLED_SAMPLES : SAMPLES
  const count = options.isQuick ? samples.quick : samples.full
  return {
    name,
    async run() {
      const { samples } = await process.ask<{ samples: number[] }>('latency', {
        count,
        pauseMs: PAUSE_MS,
      })
      return { figures: figuresOf(samples), checks: CLEAN }
    },
  }
}

function figuresOf(samples: readonly number[]) {
  return { p50Ms: quantile(samples, 0.5), p99Ms: quantile(samples, 0.99) }
}

/** Executions per second with all agents busy. */
async function calibrate({ options }: Stage, { load }: Setting): Promise<number> {
  const job = await load.createJob('calibration')
  const count = options.isQuick ? CALIBRATION.quick : CALIBRATION.full
  const beganMs = hostMs()
  await load.enqueue(job, count)
  await load.whenSettled(job)
  return (count * 1_000) / (hostMs() - beganMs)
}

interface Round {
  readonly round: number
  /** Full load. */
  readonly perSecond: number
}

async function measureRota(
  { options }: Stage,
  setting: Setting,
  { perSecond, round }: Round,
): Promise<Run> {
  const { load } = setting
  const count = options.isQuick ? SAMPLES.quick : SAMPLES.full
  const idle = await sampleStarts(setting, await load.createJob(`idle-${round}`), count)
  const background = await load.createJob(`background-${round}`)
  const pulses = startPulses(setting, background, perSecond / 2)
  const loaded = await sampleStarts(setting, await load.createJob(`loaded-${round}`), count)
  await pulses.stop()
  await load.whenSettled(background)
  const under = figuresOf(loaded.delaysMs)
  return {
    figures: {
      ...figuresOf(idle.delaysMs),
      answerP50Ms: quantile(idle.answersMs, 0.5),
      loadedP50Ms: under.p50Ms,
      loadedP99Ms: under.p99Ms,
    },
    checks: addChecks([idle.checks, loaded.checks]),
  }
}

/** Puts executions into the queue at this pace until stopped. */
function startPulses({ load }: Setting, job: BenchJob, perSecond: number) {
  let isOpen = true
  const pulse = async () => {
    const beganMs = hostMs()
    let sent = 0
    while (isOpen) {
      const due = Math.floor(((hostMs() - beganMs) * perSecond) / 1_000) - sent
      if (due > 0) await load.insert(job, load.take(due))
      sent += Math.max(0, due)
      await sleepMs(PULSE_MS)
    }
  }
  const pulsing = pulse()
  return {
    stop() {
      isOpen = false
      return pulsing
    },
  }
}
