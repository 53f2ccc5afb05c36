/** Throughput and the time of claims over the size of queue and history, beside an old snapshot, with two coordinators. */
import { Client } from 'pg'
import { createLoad } from '../cluster/load.ts'
import { WITH_STATEMENTS } from '../cluster/postgres.ts'
import { startRota } from '../cluster/rota.ts'
import { type Setting, startSetting } from '../cluster/setting.ts'
import { hostMs } from '../measure/host-time.ts'
import { CLEAN, goal, type Run, toOutcome, toSide } from '../measure/result.ts'
import type { Scenario } from '../scenario.ts'
import type { Stage } from '../stage.ts'
import { createProbe, type Probe, type Window } from './scale-probe.ts'

/** Queued at once, one after the other. */
const QUEUED = { full: [20_000, 100_000, 1_000_000], quick: [5_000, 50_000] } as const
const SETTLED = { full: [1_000_000, 10_000_000], quick: [200_000] } as const
const WINDOW_MS = { full: 10_000, quick: 2_500 } as const
/** Windows with the snapshot open: what it keeps from being cleaned grows. */
const SNAPSHOT_WINDOWS = { full: 6, quick: 2 } as const
/** Little is under way at a time, so that a window shows what happens within it. */
const AGENTS = 12
const SLOTS = 20
const WARM_UP = { full: 5_000, quick: 500 } as const
const PAIR_JOBS = 20_000
const GOAL_PERCENT = 20

type Point = readonly [number, number]

export const scale: Scenario = {
  what: 'throughput and claim time with 1M queued, 10M settled, an old snapshot; two coordinators',
  async run(stage) {
    const setting = await startSetting(stage, {
      settings: WITH_STATEMENTS,
      agents: AGENTS,
      slots: SLOTS,
    })
    await setting.rota.beginMeasuring()
    const { load } = setting
    const { isQuick } = stage.options
    const job = await load.createJob('scale')
    await load.enqueue(job, isQuick ? WARM_UP.quick : WARM_UP.full)
    await load.whenSettled(job)
    const windowMs = isQuick ? WINDOW_MS.quick : WINDOW_MS.full
    const probe = await createProbe(stage, setting, { job, slots: AGENTS * SLOTS, windowMs })
    const curves = await drawCurves(stage, setting, probe)
    const checks = probe.checks()
    const figures = { ...figuresOf(curves), ...(isQuick ? {} : await measurePair(stage, setting)) }
    return {
      outcome: toOutcome({
        scenario: 'scale',
        rota: toSide([{ figures, checks }]),
        targets: () => targetsOf(figures),
        notes: [
          ...(isQuick ? ['quick: small sizes, one coordinator'] : []),
          ...(stage.isLate() ? ['the quick run was out of time before all sizes'] : []),
        ],
        curves,
      }),
      facts: setting.facts,
    }
  },
}

type Curves = Record<string, Point[]>

async function drawCurves(stage: Stage, setting: Setting, probe: Probe): Promise<Curves> {
  const { isQuick } = stage.options
  const curves: Curves = {}
  const note = (name: string, x: number, { claimMs, perSecond }: Window) => {
    stage.say(`${name} ${x}: ${perSecond.toFixed(0)} per second, claim ${claimMs.toFixed(2)} ms`)
    addPoint(curves, `per second by ${name}`, [x, perSecond])
    addPoint(curves, `claim ms by ${name}`, [x, claimMs])
  }
  for (const queued of isQuick ? QUEUED.quick : QUEUED.full) {
    note('queued', queued, await probe.measure(queued))
  }
  const [least] = isQuick ? QUEUED.quick : QUEUED.full
  for (const settled of isQuick ? SETTLED.quick : SETTLED.full) {
    if (stage.isLate()) break
    await probe.fillHistory(settled)
    note('settled', settled, await probe.measure(least))
  }
  const windows = isQuick ? SNAPSHOT_WINDOWS.quick : SNAPSHOT_WINDOWS.full
  await withSnapshot(setting, async () => {
    for (let window = 1; window <= windows && !stage.isLate(); window += 1) {
      note('windows since an old snapshot', window, await probe.measure(least))
    }
  })
  return curves
}

function addPoint(curves: Curves, name: string, point: Point): void {
  curves[name] = [...(curves[name] ?? []), point]
}

/** First and worst of each curve. */
function figuresOf(curves: Readonly<Record<string, readonly Point[]>>): Run['figures'] {
  const values = (name: string) => (curves[name] ?? []).map(([, value]) => value)
  const [perSecond = 0] = values('per second by queued')
  const [claimMs = 0] = values('claim ms by queued')
  const all = Object.keys(curves)
  const speeds = all.filter((name) => name.startsWith('per second')).flatMap(values)
  const claims = all.filter((name) => name.startsWith('claim')).flatMap(values)
  return {
    perSecond,
    worstPerSecond: Math.min(...speeds),
    lossPercent: (100 * (perSecond - Math.min(...speeds))) / perSecond,
    claimMs,
    worstClaimMs: Math.max(...claims),
  }
}

function targetsOf({ lossPercent = 100 }: Run['figures']) {
  return [goal(`throughput within ${GOAL_PERCENT} % over all sizes`, lossPercent <= GOAL_PERCENT)]
}

/** A transaction that has looked once and stays open: nothing that dies from now on can be cleaned. */
async function withSnapshot({ database }: Setting, work: () => Promise<void>): Promise<void> {
  const client = new Client({ ...database.connection })
  client.on('error', () => {})
  await client.connect()
  try {
    await client.query('begin isolation level repeatable read')
    await client.query('select count(*) from rota.job')
    await work()
  } finally {
    await client.end()
  }
}

/** One coordinator and two, on a new database each, with the same number of agents. */
async function measurePair(stage: Stage, setting: Setting): Promise<Run['figures']> {
  await setting.rota.stop()
  const perSecond: number[] = []
  for (const coordinators of [1, 2]) {
    stage.say(`${coordinators} coordinator(s) ...`)
    const database = await setting.postgres.createDatabase(`rota_with_${coordinators}`)
    const { agents, slots } = stage.options
    const rota = await startRota(stage, { database, agents, slots, coordinators })
    const load = createLoad(stage, rota)
    const speeds: number[] = []
    for (let round = 0; round <= stage.options.runs; round += 1) {
      const job = await load.createJob(`pair-${round}`)
      const beganMs = hostMs()
      await load.enqueue(job, stage.options.jobs ?? PAIR_JOBS)
      await load.whenSettled(job)
      if (round > 0) speeds.push(((stage.options.jobs ?? PAIR_JOBS) * 1_000) / (hostMs() - beganMs))
    }
    await rota.stop()
    perSecond.push(
      toSide(speeds.map((value) => ({ figures: { value }, checks: CLEAN }))).figures['value'] ?? 0,
    )
  }
  const [one = 0, two = 0] = perSecond
  return { oneCoordinatorPerSecond: one, twoCoordinatorsPerSecond: two, twoOverOne: two / one }
}
