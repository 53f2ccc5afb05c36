/** Throughput and the time of claims over the size of queue and history, beside an old snapshot, with two coordinators. */
import { Client } from 'pg'
import { createLoad } from '../cluster/load.ts'
import { WITH_STATEMENTS } from '../cluster/postgres.ts'
import { startRota } from '../cluster/rota.ts'
import { type Setting, startSetting } from '../cluster/setting.ts'
import { hostMs } from '../measure/host-time.ts'
import { CLEAN, goal, type Run, toOutcome, toSide } from '../measure/result.ts'
import { hasPart, notesOfParts, type Scenario } from '../scenario.ts'
import type { Stage } from '../stage.ts'
import { createProbe, type Probe } from './scale-probe.ts'

/** Queued at once, one after the other. */
const QUEUED = { full: [20_000, 100_000, 1_000_000], quick: [10_000, 50_000] } as const
const SETTLED = { full: [1_000_000, 10_000_000], quick: [200_000] } as const
const WINDOW_MS = { full: 10_000, quick: 2_500 } as const
/** Dead rows of the queue that an old snapshot keeps: what an hour leaves at a pace of 3, 30 and 280 per second. */
const DEAD = { full: [10_000, 100_000, 1_000_000], quick: [20_000] } as const
/** Little is under way at a time, so that a window shows what happens within it. */
const AGENTS = 12
const SLOTS = 20
/** Until coordinator and agents are compiled; less of it makes the first window half as fast as the others. */
const WARM_UP = { full: 20_000, quick: 10_000 } as const
const PAIR_JOBS = 20_000
const GOAL_PERCENT = 20

type Point = readonly [number, number]
type Part = 'queued' | 'settled' | 'snapshot'

export const scale: Scenario = {
  what: 'throughput and claim time with 1M queued, 10M settled, an old snapshot; two coordinators',
  parts: ['queued', 'settled', 'snapshot', 'coordinators'],
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
    const hasPair = !isQuick && hasPart(stage, 'coordinators')
    const figures = { ...figuresOf(curves), ...(hasPair ? await measurePair(stage, setting) : {}) }
    return {
      outcome: toOutcome({
        scenario: 'scale',
        rota: toSide([{ figures, checks }]),
        targets: () => targetsOf(figures),
        notes: [
          ...notesOfParts(stage),
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

/** Each begins with a point of its own for what it changes, on the database as it is by then. */
async function drawCurves(stage: Stage, setting: Setting, probe: Probe): Promise<Curves> {
  const { isQuick } = stage.options
  const curves: Curves = {}
  const [least] = isQuick ? QUEUED.quick : QUEUED.full
  const look = async (part: Part, x: number, queued: number) => {
    if (stage.isLate()) return
    const { claimMs, perSecond } = await probe.measure(queued)
    stage.say(`${part} ${x}: ${perSecond.toFixed(0)} per second, claim ${claimMs.toFixed(2)} ms`)
    addPoint(curves, `per second by ${X_NAMES[part]}`, [x, perSecond])
    addPoint(curves, `claim ms by ${X_NAMES[part]}`, [x, claimMs])
  }
  if (hasPart(stage, 'queued')) {
    for (const queued of isQuick ? QUEUED.quick : QUEUED.full) await look('queued', queued, queued)
  }
  if (hasPart(stage, 'snapshot')) await drawSnapshot(stage, setting, { probe, look, least })
  if (hasPart(stage, 'settled')) {
    await look('settled', 0, least)
    for (const settled of isQuick ? SETTLED.quick : SETTLED.full) {
      if (stage.isLate()) break
      await probe.fillHistory(settled)
      await look('settled', settled, least)
    }
  }
  return curves
}

const X_NAMES: Readonly<Record<Part, string>> = {
  queued: 'queued',
  settled: 'settled',
  snapshot: 'dead rows beside an old snapshot',
}

interface Drawing {
  readonly probe: Probe
  readonly look: (part: Part, x: number, queued: number) => Promise<void>
  readonly least: number
}

/** An old snapshot is no more than what it keeps: that is made at once instead of waiting for an hour. */
async function drawSnapshot(
  { options: { isQuick } }: Stage,
  setting: Setting,
  { probe, look, least }: Drawing,
): Promise<void> {
  await look('snapshot', 0, least)
  await withSnapshot(setting, async () => {
    let dead = 0
    for (const wanted of isQuick ? DEAD.quick : DEAD.full) {
      await probe.leaveDead(wanted - dead)
      dead = wanted
      await look('snapshot', wanted, least)
    }
  })
  await setting.database.query('vacuum rota.execution')
}

function addPoint(curves: Curves, name: string, point: Point): void {
  curves[name] = [...(curves[name] ?? []), point]
}

/** What the worst point of any curve loses against the first of the same; the claims of all. */
function figuresOf(curves: Readonly<Record<string, readonly Point[]>>): Run['figures'] {
  const named = (start: string) =>
    Object.entries(curves)
      .filter(([name]) => name.startsWith(start))
      .map(([, points]) => points.map(([, value]) => value))
  const speeds = named('per second')
  const claims = named('claim').flat()
  if (speeds.length === 0) return {}
  const losses = speeds.map(([first = 0, ...rest]) => 100 * (1 - Math.min(first, ...rest) / first))
  return {
    perSecond: speeds[0]?.[0] ?? 0,
    worstPerSecond: Math.min(...speeds.flat()),
    // A curve of a single point, of a run that was out of time, has lost nothing and shows nothing.
    ...(speeds.every(({ length }) => length > 1) ? { lossPercent: Math.max(...losses) } : {}),
    claimMs: claims[0] ?? 0,
    worstClaimMs: Math.max(...claims),
  }
}

function targetsOf({ lossPercent }: Run['figures']) {
  if (lossPercent === undefined) return []
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
