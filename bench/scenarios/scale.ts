/** Throughput and the time of claims over the size of queue and history, beside an old snapshot, with two coordinators. */
import { Client } from 'pg'
import { range } from '../cluster/batch.ts'
import { copyRows } from '../cluster/copy-rows.ts'
import { type BenchJob, createLoad } from '../cluster/load.ts'
import { WITH_STATEMENTS } from '../cluster/postgres.ts'
import { startRota } from '../cluster/rota.ts'
import { countRuns } from '../cluster/runs.ts'
import { type Setting, startSetting } from '../cluster/setting.ts'
import { hostMs, sleepMs } from '../measure/host-time.ts'
import {
  addChecks,
  type Checks,
  CLEAN,
  goal,
  type Run,
  toOutcome,
  toSide,
} from '../measure/result.ts'
import type { Scenario } from '../scenario.ts'
import type { Stage } from '../stage.ts'

/** Queued at once, one after the other. */
const QUEUED = { full: [10_000, 100_000, 1_000_000], quick: [5_000, 50_000] } as const
const SETTLED = { full: [1_000_000, 10_000_000], quick: [200_000] } as const
const WINDOW_MS = { full: 10_000, quick: 2_500 } as const
/** Windows with the snapshot open: what it keeps from being cleaned grows. */
const SNAPSHOT_WINDOWS = { full: 6, quick: 2 } as const
/** A window without enough in it goes on, up to so many times its length. */
const WINDOWS_MAX = 4
const LOOK_MS = 100
const RAMP_MS = 500
/** Little is under way at a time, so that a window shows what happens within it. */
const AGENTS = 12
const SLOTS = 20
const WARM_UP = { full: 5_000, quick: 500 } as const
const PAIR_JOBS = 20_000
const GOAL_PERCENT = 20
const DAY_MS = 86_400_000

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
    const probe = await createProbe(stage, setting, job)
    const curves: Record<string, Point[]> = {}
    const note = (name: string, x: number, { claimMs, perSecond }: Window) => {
      stage.say(`${name} ${x}: ${perSecond.toFixed(0)} per second, claim ${claimMs.toFixed(2)} ms`)
      addPoint(curves, `per second by ${name}`, [x, perSecond])
      addPoint(curves, `claim ms by ${name}`, [x, claimMs])
    }
    for (const queued of isQuick ? QUEUED.quick : QUEUED.full) {
      note('queued', queued, await probe.measure(queued))
    }
    const [least = 0] = isQuick ? QUEUED.quick : QUEUED.full
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

function addPoint(curves: Record<string, Point[]>, name: string, point: Point): void {
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

interface Window {
  readonly perSecond: number
  /** Mean time of a claim in PostgreSQL. */
  readonly claimMs: number
}

interface Probe {
  /** Makes the queue this long and looks at it while it is worked off; what is left then is removed. */
  measure(queued: number): Promise<Window>
  /** Until there are so many in the history. */
  fillHistory(settled: number): Promise<void>
  /** Of everything that ran in all windows. */
  checks(): Checks
}

async function createProbe(stage: Stage, setting: Setting, job: BenchJob): Promise<Probe> {
  const { database, load } = setting
  const { isQuick } = stage.options
  const windowMs = isQuick ? WINDOW_MS.quick : WINDOW_MS.full
  const template = await createTemplate(setting, job)
  let ranInAll: Checks = CLEAN
  return {
    async measure(queued) {
      const batch = load.take(queued)
      await copyRows(database, {
        table: 'rota.execution',
        beside: `generate_series(${batch.from}, ${batch.to - 1}) g`,
        where: `t.id = '${template}'`,
        as: {
          id: 'uuidv7()',
          state: `'queued'`,
          reason_code: `''`,
          available_at: 'clock_timestamp()',
          parameters: `jsonb_build_object('number', g)`,
        },
      })
      await load.triggerOne(job, load.take(1).from)
      await sleepMs(RAMP_MS)
      const window = await readWindow(setting, job, windowMs)
      await database.query(`delete from rota.execution where job_id = $1 and state = 'queued'`, [
        job.id,
      ])
      await whenOnlyTemplate(setting, job)
      ranInAll = addChecks([ranInAll, await compareWithAgents(setting, job, batch)])
      return window
    },
    async fillHistory(settled) {
      stage.say(`filling the history up to ${settled} ...`)
      const filler = await load.createJob(`filler-${settled}`)
      const [row] = await database.query<{ count: string }>(
        'select count(*) as count from rota.execution_history',
      )
      await copyRows(database, {
        table: 'rota.execution_history',
        beside: `generate_series(1, ${Math.max(0, settled - Number(row?.count))}) g`,
        where: `t.id = (select id from rota.execution_history where job_id = ${job.id} limit 1)`,
        as: { id: 'uuidv7()', job_id: String(filler.id) },
      })
      await database.query('vacuum analyze rota.execution_history')
    },
    checks: () => ranInAll,
  }
}

/** A row of this job that stays as it is: triggered for tomorrow. */
async function createTemplate({ database, rota }: Setting, job: BenchJob): Promise<string> {
  const [now] = await database.query<{ now: Date }>('select clock_timestamp() as now')
  const scheduleTime = new Date((now?.now.getTime() ?? 0) + DAY_MS)
  await rota.api.jobs.triggerJob({ name: `jobs/${job.name}`, scheduleTime })
  const [row] = await database.query<{ id: string }>(
    `select id from rota.execution where job_id = $1 and state = 'waiting'`,
    [job.id],
  )
  if (row === undefined) throw new Error('nothing waits for tomorrow')
  return row.id
}

/** Statements that pick and take what is queued; their names are not in pg_stat_statements, which drops comments. */
const CLAIMS = `(query ilike '%class_id%' and query ilike '%skip locked%') or query ilike '%epoch = nextval(%'`

async function readWindow({ database }: Setting, job: BenchJob, windowMs: number): Promise<Window> {
  await database.query('select pg_stat_statements_reset()')
  const [from] = await database.query<{ at: Date }>('select clock_timestamp() as at')
  const beganMs = hostMs()
  let settled = 0
  let tookMs = 0
  // What is under way at its beginning and end must not matter: several times what all slots hold.
  while (tookMs < windowMs || (settled < 3 * AGENTS * SLOTS && tookMs < WINDOWS_MAX * windowMs)) {
    await sleepMs(LOOK_MS)
    const [row] = await database.query<{ settled: string }>(
      `select count(*) as settled from rota.execution_history where job_id = $1 and settled_at >= $2`,
      [job.id, from?.at],
    )
    tookMs = hostMs() - beganMs
    settled = Number(row?.settled)
  }
  const [row] = await database.query<{ claimMs: number | null }>(
    `select sum(total_exec_time) / nullif(max(calls), 0) as "claimMs"
    from pg_stat_statements where ${CLAIMS}`,
  )
  return { perSecond: (settled * 1_000) / tookMs, claimMs: row?.claimMs ?? 0 }
}

async function whenOnlyTemplate({ database }: Setting, job: BenchJob): Promise<void> {
  for (;;) {
    const [row] = await database.query<{ left: number }>(
      'select count(*)::int as left from rota.execution where job_id = $1',
      [job.id],
    )
    if (row?.left === 1) return
    await sleepMs(100)
  }
}

/** What has settled must be what agents have run. */
async function compareWithAgents(
  { database, rota }: Setting,
  job: BenchJob,
  batch: { readonly from: number; readonly to: number },
): Promise<Checks> {
  const rows = await database.query<{ number: number; state: string }>(
    `select (parameters ->> 'number')::int as number, state from rota.execution_history
    where job_id = $1 and (parameters ->> 'number')::int between $2 and $3`,
    [job.id, batch.from, batch.to - 1],
  )
  const ran = await countRuns(rota, batch, rows.length)
  const succeeded = new Set(
    rows.filter(({ state }) => state === 'succeeded').map(({ number }) => number),
  )
  const unseen = [...succeeded].filter((number) => !ran.startedMs.has(number)).length
  const unsettled = range(batch).filter((n) => ran.startedMs.has(n) && !succeeded.has(n)).length
  return {
    lost: unseen + unsettled,
    doubled: ran.repeated,
    failed: rows.length - succeeded.size,
  }
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
