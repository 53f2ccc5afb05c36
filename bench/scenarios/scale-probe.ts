/** Looks at throughput and claims while a queue of a given length is worked off, over a history of a given size. */
import { range } from '../cluster/batch.ts'
import { copyRows } from '../cluster/copy-rows.ts'
import type { BenchJob } from '../cluster/load.ts'
import { countRuns } from '../cluster/runs.ts'
import type { Setting } from '../cluster/setting.ts'
import { hostMs, sleepMs } from '../measure/host-time.ts'
import { addChecks, type Checks, CLEAN } from '../measure/result.ts'
import type { Stage } from '../stage.ts'

/** A window without enough in it goes on, up to so many times its length. */
const WINDOWS_MAX = 4
/** Of the queue: what is left behaves like a queue still. */
const USED_PART = 0.7
/** Of what settled in a window, in order: its pace is the median of theirs, without the first. */
const SLICES = 8
/** A look costs more the more has settled: it must not be part of what is measured. */
const LOOK_MS = 200
const DEAD_BATCH = 50_000
const DAY_MS = 86_400_000

export interface Window {
  readonly perSecond: number
  /** Mean time of a claim in PostgreSQL. */
  readonly claimMs: number
}

export interface ProbeOptions {
  readonly job: BenchJob
  /** Of all agents. */
  readonly slots: number
  readonly windowMs: number
}

export interface Probe {
  /** Makes the queue this long and looks at it while it is worked off; what is left then is removed. */
  measure(queued: number): Promise<Window>
  /** Until there are so many in the history. */
  fillHistory(settled: number): Promise<void>
  /** As many came, were claimed and went: beside an old snapshot their rows and index entries stay. */
  leaveDead(count: number): Promise<void>
  /** Of everything that ran in all windows. */
  checks(): Checks
}

export async function createProbe(
  stage: Stage,
  setting: Setting,
  { job, slots, windowMs }: ProbeOptions,
): Promise<Probe> {
  const { database, load } = setting
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
      await database.query('select pg_stat_statements_reset()')
      // Tells the coordinator to look.
      await load.triggerOne(job, load.take(1).from)
      const window = await readWindow(setting, job, { queued, slots, windowMs })
      await database.query(`delete from rota.execution where job_id = $1 and state = 'queued'`, [
        job.id,
      ])
      await whenOnlyTemplate(setting, job)
      // A queue of a million that is thrown away is the doing of this measurement, not of what comes next.
      await database.query('vacuum rota.execution')
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
    async leaveDead(count) {
      stage.say(`leaving ${count} dead rows ...`)
      for (let left = count; left > 0; left -= DEAD_BATCH) {
        await leaveDead(setting, template, Math.min(left, DEAD_BATCH))
      }
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

/** Queued and gone within a transaction, so that no coordinator takes them meanwhile; at the front of the queue. */
async function leaveDead({ database }: Setting, template: string, count: number): Promise<void> {
  await database.query('begin')
  await copyRows(database, {
    table: 'rota.execution',
    beside: `generate_series(1, ${count}) g`,
    where: `t.id = '${template}'`,
    as: {
      id: 'uuidv7()',
      state: `'queued'`,
      reason_code: `'DEAD'`,
      available_at: `clock_timestamp() - interval '1 hour'`,
    },
  })
  await database.query(`delete from rota.execution where state = 'queued' and reason_code = 'DEAD'`)
  await database.query('commit')
}

/** Statements that pick and take what is queued; their names are not in pg_stat_statements, which drops comments. */
const CLAIMS = `(query ilike '%class_id%' and query ilike '%skip locked%') or query ilike '%epoch = nextval(%'`

interface WindowShape {
  readonly queued: number
  readonly windowMs: number
  /** Slots of all agents. */
  readonly slots: number
}

/** Ends before the queue does, and not before several times what all slots hold has settled. */
async function readWindow(
  { database }: Setting,
  job: BenchJob,
  { queued, slots, windowMs }: WindowShape,
): Promise<Window> {
  const [from] = await database.query<{ at: Date }>('select clock_timestamp() as at')
  const beganMs = hostMs()
  const isOver = (settled: number) => {
    const tookMs = hostMs() - beganMs
    if (settled >= USED_PART * queued || tookMs >= WINDOWS_MAX * windowMs) return true
    return tookMs >= windowMs && settled >= 4 * slots
  }
  const count = async () => {
    const [row] = await database.query<{ settled: number }>(
      `select count(*)::int as settled from rota.execution_history where job_id = $1 and settled_at >= $2`,
      [job.id, from?.at],
    )
    return row?.settled ?? 0
  }
  while (!isOver(await count())) await sleepMs(LOOK_MS)
  // The first slice still fills the agents; a stall in one of the others is no pace.
  const [row] = await database.query<Window>(
    `select coalesce((select percentile_cont(0.5) within group (order by per_second) from (
        select count(*) / nullif(extract(epoch from max(settled_at) - min(settled_at)), 0) as per_second
        from (select settled_at, ntile(${SLICES}) over (order by settled_at) as slice
          from rota.execution_history where job_id = $1 and settled_at >= $2) s
        where slice > 1 group by slice) p), 0)::float8 as "perSecond",
      coalesce((select sum(total_exec_time) / nullif(max(calls), 0)
        from pg_stat_statements where ${CLAIMS}), 0)::float8 as "claimMs"`,
    [job.id, from?.at],
  )
  return row ?? { perSecond: 0, claimMs: 0 }
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
