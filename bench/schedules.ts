/**
 * What very many schedules cost a coordinator: what it holds of them, what they cost while none is due, and how long it
 * takes to decide all of them when they are due in the same second. A real coordinator and PostgreSQL; no agents, so that
 * what is measured is the step `schedule` alone.
 */
import { readdirSync } from 'node:fs'
import { parseArgs } from 'node:util'
import { Job } from '../proto/gen/rota/v1/job.ts'
import { readProcessStat } from '../shared/process-stat.ts'
import { openClients } from '../test/support/api-clients.ts'
import { makeTemporaryFolder } from '../test/support/temporary-folder.ts'
import { until } from '../test/support/until.ts'
import type { Benchmark, Figure } from './benchmark.ts'
import { copyRows } from './cluster/copy-rows.ts'
import { type Cluster, startCluster } from './leases/cluster.ts'
import { sleepMs } from './measure/host-time.ts'
import { readCpuMs } from './measure/process-cost.ts'

const MIB = 1_024 * 1_024
const TARGETS = { memoryMb: 100, restPercent: 1, decidedS: 10 } as const
/** From the moving of the due times to the second in which all of them are. */
const LEAD_S = 5
const SETTLE_MS = 3_000
const DECIDED_LIMIT_MS = 120_000

interface Options {
  readonly count: number
  readonly spanMs: number
}

export const schedules: Benchmark = {
  what: 'memory, rest and the deciding of N schedules that are due at once (default 100000)',
  async run(args) {
    const { values } = parseArgs({
      args: [...args],
      options: {
        schedules: { type: 'string', default: '100000' },
        seconds: { type: 'string', default: '20' },
      },
    })
    const folder = await makeTemporaryFolder()
    const options = { count: Number(values.schedules), spanMs: Number(values.seconds) * 1_000 }
    try {
      const cluster = await startCluster(folder.path)
      try {
        return await measure(cluster, options)
      } finally {
        await cluster.stop()
      }
    } finally {
      await folder.remove()
    }
  },
}

async function measure(cluster: Cluster, { count, spanMs }: Options): Promise<Figure[]> {
  await sleepMs(SETTLE_MS)
  const idle = await readRest(cluster, spanMs)
  const before = await cluster.inspector.memory()
  await makeSchedules(cluster, count)
  await sleepMs(SETTLE_MS)
  const kept = await cluster.inspector.memory()
  const rest = await readRest(cluster, spanMs)
  const decided = await decideAll(cluster, count)
  await sleepMs(SETTLE_MS)
  const after = await cluster.inspector.memory()
  const heapMb = (memory: typeof kept) =>
    (memory.heapUsed + memory.external - before.heapUsed - before.external) / MIB
  const restPercent = rest.coordinator - idle.coordinator
  return [
    limit(`memory for ${count} schedules, none due`, heapMb(kept), {
      unit: 'MB',
      max: TARGETS.memoryMb,
    }),
    limit('memory when all were due', heapMb(after), { unit: 'MB', max: TARGETS.memoryMb }),
    { name: '  the process in all, after that (RSS)', value: after.rss / MIB, unit: 'MB' },
    limit('CPU at rest, beyond that without schedules', restPercent, {
      unit: '% of a core',
      max: TARGETS.restPercent,
    }),
    { name: '  of the coordinator, all of it', value: rest.coordinator, unit: '% of a core' },
    { name: '  without a schedule', value: idle.coordinator, unit: '% of a core' },
    { name: '  of PostgreSQL, all of it', value: rest.postgres, unit: '% of a core' },
    { name: '  without a schedule', value: idle.postgres, unit: '% of a core' },
    limit(`${count} due in one second: all decided`, decided.allS, {
      unit: 's',
      max: TARGETS.decidedS,
    }),
    { name: '  half of them', value: decided.halfS, unit: 's' },
    { name: '  CPU of the coordinator for one', value: decided.cpuUs, unit: 'us' },
    { name: '  CPU of PostgreSQL for one', value: decided.postgresCpuUs, unit: 'us' },
  ]
}

function limit(
  name: string,
  value: number,
  { unit, max }: { readonly unit: string; readonly max: number },
): Figure {
  return { name, value, unit, target: `<= ${max} ${unit}`, isMet: value <= max }
}

interface Rest {
  /** Percent of a core. */
  readonly coordinator: number
  readonly postgres: number
}

async function readRest(cluster: Cluster, spanMs: number): Promise<Rest> {
  const before = readCosts(cluster)
  await sleepMs(spanMs)
  const { coordinatorMs, postgresMs } = since(before, readCosts(cluster))
  return { coordinator: (100 * coordinatorMs) / spanMs, postgres: (100 * postgresMs) / spanMs }
}

interface Costs {
  readonly coordinatorMs: number
  readonly postgresMs: number
}

function readCosts({ pid, postgresPid }: Cluster): Costs {
  const pids = readdirSync('/proc').filter((name) => /^\d+$/.test(name))
  const served = pids.filter((name) => Number(readProcessStat(Number(name))[1]) === postgresPid)
  const postgres = [postgresPid, ...served.map(Number)].map(readCpuMs)
  return {
    coordinatorMs: readCpuMs(pid),
    postgresMs: postgres.reduce((sum, ms) => sum + ms, 0),
  }
}

function since(before: Costs, after: Costs): Costs {
  return {
    coordinatorMs: after.coordinatorMs - before.coordinatorMs,
    postgresMs: after.postgresMs - before.postgresMs,
  }
}

/** Copies of one job, each with a version and a schedule of its own. The next time of each is an hour away. */
async function makeSchedules(cluster: Cluster, count: number): Promise<void> {
  const clients = openClients(cluster.address, cluster.files)
  const { jobs } = clients.promised
  const spec = {
    task: { handler: { handler: 'noop', payload: {} } },
    schedule: { recurrences: [{ cron: '@yearly' }] },
  }
  await jobs.createJob({ jobId: 'template', job: Job.fromJSON({ spec }) })
  clients.close()
  const [template] = await cluster.query<{ id: string }>('select id from rota.job')
  const rest = {
    beside: `(select id, split_part(name, '-', 2)::int as number from rota.job where name like 'due-%') j`,
    where: `t.job_id = ${template?.id}`,
  }
  await copyRows(cluster, {
    table: 'rota.job',
    beside: `generate_series(1, ${count}) g`,
    where: `t.id = ${template?.id}`,
    as: { uid: 'gen_random_uuid()', name: `'due-' || g` },
  })
  await copyRows(cluster, { ...rest, table: 'rota.job_activity', as: { job_id: 'j.id' } })
  await copyRows(cluster, { ...rest, table: 'rota.job_version', as: { job_id: 'j.id' } })
  await copyRows(cluster, {
    ...rest,
    table: 'rota.schedule',
    as: {
      job_id: 'j.id',
      due_at: `clock_timestamp() + interval '1 hour' + j.number * interval '1 millisecond'`,
      marked_at: 'clock_timestamp()',
    },
  })
  await cluster.query('vacuum analyze rota.job, rota.job_version, rota.schedule, rota.job_activity')
}

interface Decided {
  /** From the due second until all were decided, and half of them. */
  readonly allS: number
  readonly halfS: number
  /** Of the coordinator and of PostgreSQL for each of them, in microseconds. */
  readonly cpuUs: number
  readonly postgresCpuUs: number
}

/** Gives all of them the same due time, as cron of six fields, before the coordinator has read any. */
async function decideAll(cluster: Cluster, count: number): Promise<Decided> {
  const lead = LEAD_S + count / 20_000
  const [row] = await cluster.query<{ due: Date; cron: string }>(
    `select due, to_char(due at time zone 'UTC', 'FMSS FMMI FMHH24 * * *') as cron
    from (select date_trunc('second', clock_timestamp()) + interval '1 second' * $1::float8 as due) d`,
    [Math.ceil(lead)],
  )
  if (row === undefined) throw new Error('a row without a table')
  await cluster.query(
    `update rota.job_version set spec = replace(spec::text, '@yearly', $1)::jsonb`,
    [row.cron],
  )
  await cluster.query(`update rota.schedule set due_at = $1, marked_at = clock_timestamp()`, [
    row.due,
  ])
  const [now] = await cluster.query<{ ms: number }>(
    'select extract(epoch from $1::timestamptz - clock_timestamp())::float8 * 1000 as ms',
    [row.due],
  )
  if ((now?.ms ?? 0) < 500) throw new Error('the due time came before all schedules had it')
  await sleepMs((now?.ms ?? 0) - 200)
  const before = readCosts(cluster)
  await until('all are decided', async () => isDecided(cluster, row.due), DECIDED_LIMIT_MS)
  const costs = since(before, readCosts(cluster))
  return { ...(await readDecided(cluster, row.due, count)), ...costsOfOne(costs, count) }
}

function costsOfOne({ coordinatorMs, postgresMs }: Costs, count: number) {
  return { cpuUs: (1_000 * coordinatorMs) / count, postgresCpuUs: (1_000 * postgresMs) / count }
}

async function isDecided({ query }: Cluster, due: Date): Promise<boolean> {
  const [left] = await query<{ isLeft: boolean }>(
    'select exists (select from rota.schedule where due_at <= $1) as "isLeft"',
    [due],
  )
  return left?.isLeft === false
}

async function readDecided(
  { query }: Cluster,
  due: Date,
  count: number,
): Promise<{ allS: number; halfS: number }> {
  const [row] = await query<{ decided: string; queued: string; all_s: number; half_s: number }>(
    `select count(*) as decided, max(late) as all_s, percentile_cont(0.5) within group (order by late) as half_s,
      (select count(*) from rota.execution where scheduled_for = $1) as queued
    from (select extract(epoch from decided_at - scheduled_for)::float8 as late
      from rota.occurrence where scheduled_for = $1) o`,
    [due],
  )
  if (Number(row?.decided) < count || Number(row?.queued) < count) {
    throw new Error(`of ${count} only ${row?.decided} were decided and ${row?.queued} queued`)
  }
  return { allS: row?.all_s ?? Infinity, halfS: row?.half_s ?? Infinity }
}
