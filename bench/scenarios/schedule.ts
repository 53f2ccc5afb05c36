/** How late scheduled executions begin: many in every second, and very many in one. */

import { until } from '../../test/support/until.ts'
import { copyRows } from '../cluster/copy-rows.ts'
import { type Costs, costsSince, readCosts } from '../cluster/costs.ts'
import type { BenchJob } from '../cluster/load.ts'
import { countUnnumbered } from '../cluster/runs.ts'
import { type Setting, startSetting } from '../cluster/setting.ts'
import { sleepMs } from '../measure/host-time.ts'
import { addChecks, type Checks, goal, type Run, toOutcome, toSide } from '../measure/result.ts'
import { hasPart, notesOfParts, notesOfRuns, type Scenario } from '../scenario.ts'
import type { Stage } from '../stage.ts'

const DUE_PER_SECOND = { full: 1_000, quick: 200 } as const
const SPAN_S = { full: 60, quick: 5 } as const
/** Executions before all, so that nothing is compiled while it is measured. */
const WARM_UP = { full: 20_000, quick: 2_000 } as const
const CROWD = { full: 100_000, quick: 1_000 } as const
/** From the making of the jobs to their first due time. */
const LEAD_S = 3
const SETTLED_LIMIT_MS = 600_000
const GOALS = { p99Ms: 50, crowdS: 10 } as const

export const schedule: Scenario = {
  parts: ['steady', 'crowd'],
  what: 'ms that due executions begin late: 1,000 per second for a minute, 100,000 in one second',
  async run(stage) {
    const setting = await startSetting(stage)
    const { isQuick, jobs } = stage.options
    await warmUp(stage, setting)
    const crowd = jobs ?? (isQuick ? CROWD.quick : CROWD.full)
    const seconds = isQuick ? SPAN_S.quick : SPAN_S.full
    const perSecond = isQuick ? DUE_PER_SECOND.quick : DUE_PER_SECOND.full
    const runs = [
      ...(hasPart(stage, 'steady')
        ? [await measureSteady(stage, setting, { perSecond, seconds })]
        : []),
      ...(hasPart(stage, 'crowd') ? [await measureCrowd(stage, setting, crowd)] : []),
    ]
    const rota = toSide([
      {
        figures: Object.assign({}, ...runs.map(({ figures }) => figures)),
        checks: addChecks(runs.map(({ checks }) => checks)),
      },
    ])
    const { lateP99Ms, crowdAllStartedS } = rota.figures
    return {
      outcome: toOutcome({
        scenario: 'schedule',
        rota,
        targets: () => [
          ...goalOf(lateP99Ms, GOALS.p99Ms, {
            what: `${perSecond} due per second: p99 of lateness at most ${GOALS.p99Ms} ms`,
          }),
          ...goalOf(crowdAllStartedS, GOALS.crowdS, {
            what: `${crowd} due in one second: all started within ${GOALS.crowdS} s`,
          }),
        ],
        notes: [
          ...notesOfRuns(rota),
          ...notesOfParts(stage),
          'no peer has schedules of single seconds',
          ...(isQuick ? ['quick: fewer due per second and at once than the goals name'] : []),
        ],
      }),
      facts: { ...setting.facts, 'due per second': perSecond, 'due at once': crowd },
    }
  },
}

async function warmUp({ options, say }: Stage, { load }: Setting): Promise<void> {
  say('warming up ...')
  const job = await load.createJob('warm-up')
  await load.enqueue(job, options.isQuick ? WARM_UP.quick : WARM_UP.full)
  await load.whenSettled(job)
}

/** None for a part that was left out. */
function goalOf(value: number | undefined, most: number, { what }: { readonly what: string }) {
  return value === undefined ? [] : [goal(what, value <= most)]
}

interface Steady {
  readonly perSecond: number
  readonly seconds: number
}

/** Jobs that are due every second, evenly spread over it. */
async function measureSteady(
  stage: Stage,
  setting: Setting,
  { perSecond, seconds }: Steady,
): Promise<Run> {
  stage.say(`${perSecond} due per second for ${seconds} s ...`)
  const template = await setting.load.createJob('every-second', undefined, {
    schedule: {
      // Kept from running by itself: the copies do.
      notBefore: new Date('2100-01-01').toISOString(),
      recurrences: [{ every: { seconds: '1', nanos: 0 } }],
      catchUp: { policy: 'POLICY_ALL', maxExecutions: 1_000 },
    },
  })
  const stepMs = 1_000 / perSecond
  const firstDue = `date_trunc('second', clock_timestamp()) + interval '${LEAD_S} seconds'`
  await copyJobs(setting, template, {
    prefix: 'steady',
    count: perSecond,
    due: `${firstDue} + interval '${stepMs} milliseconds' * j.name_number`,
    // Intervals count from the creation of the job.
    created: `date_trunc('second', clock_timestamp()) - interval '1 hour' + interval '${stepMs} milliseconds' * g`,
    spec: `t.spec #- '{schedule,notBefore}'`,
  })
  await setting.rota.beginMeasuring()
  const before = readCosts(setting)
  await sleepMs((LEAD_S + seconds) * 1_000)
  await setting.database.query(
    `delete from rota.schedule s using rota.job j where j.id = s.job_id and j.name like 'steady-%'`,
  )
  return readRun(setting, 'steady', ({ costs, decided, due, last, p50, p99 }) => ({
    decidedMaxMs: decided,
    lateP50Ms: p50,
    lateP99Ms: p99,
    lateMaxMs: last,
    duePerSecond: due / seconds,
    ...costsSince(before, costs, due),
  }))
}

/** One-shots at the same instant. */
async function measureCrowd(stage: Stage, setting: Setting, count: number): Promise<Run> {
  stage.say(`${count} due at once ...`)
  const at = new Date(Date.parse('2100-01-01')).toISOString()
  const template = await setting.load.createJob('one-shot', undefined, {
    schedule: { recurrences: [{ at }] },
  })
  const [row] = await setting.database.query<{ due: Date }>(
    `select date_trunc('second', clock_timestamp()) + interval '1 second' * $1::float8 as due`,
    [LEAD_S + count / 4_000],
  )
  const due = row?.due.toISOString() ?? at
  await copyJobs(setting, template, {
    prefix: 'crowd',
    count,
    due: `'${due}'::timestamptz`,
    created: 'clock_timestamp()',
    spec: `replace(t.spec::text, '${at}', '${due}')::jsonb`,
  })
  await setting.rota.beginMeasuring()
  await sleepMs(Math.max(0, Date.parse(due) - (await databaseMs(setting))))
  const before = readCosts(setting)
  await until(
    'all that are due at once are in the ledger',
    async () => {
      // Asked often: it must not be part of what is measured.
      const [row] = await setting.database.query<{ isLeft: boolean }>(
        'select exists (select from rota.schedule where due_at <= $1) as "isLeft"',
        [due],
      )
      return row?.isLeft === false
    },
    SETTLED_LIMIT_MS,
  )
  return readRun(setting, 'crowd', ({ costs, decided, due: dueCount, last, p50 }) => {
    const { agentsUs, coordinatorUs, postgresUs } = costsSince(before, costs, dueCount)
    return {
      crowdAllDecidedS: decided / 1_000,
      crowdAllStartedS: last / 1_000,
      crowdHalfStartedS: p50 / 1_000,
      crowdCoordinatorUs: coordinatorUs,
      crowdAgentsUs: agentsUs,
      crowdPostgresUs: postgresUs,
    }
  })
}

async function databaseMs({ database }: Setting): Promise<number> {
  const [row] = await database.query<{ now: Date }>('select clock_timestamp() as now')
  return row?.now.getTime() ?? 0
}

interface JobCopies {
  readonly prefix: string
  readonly count: number
  /** SQL; `j.name_number` counts from 1. */
  readonly due: string
  /** SQL; `g` counts from 1. */
  readonly created: string
  /** SQL over the template's `t.spec`. */
  readonly spec: string
}

async function copyJobs(
  { database }: Setting,
  template: BenchJob,
  { count, created, due, prefix, spec }: JobCopies,
): Promise<void> {
  const copies = `(select id, split_part(name, '-', 2)::int as name_number from rota.job
    where name like '${prefix}-%') j`
  await copyRows(database, {
    table: 'rota.job',
    beside: `generate_series(1, ${count}) g`,
    where: `t.id = ${template.id}`,
    as: { uid: 'gen_random_uuid()', name: `'${prefix}-' || g`, created_at: created },
  })
  const rest = { beside: copies, where: `t.job_id = ${template.id}` }
  await copyRows(database, { ...rest, table: 'rota.job_activity', as: { job_id: 'j.id' } })
  await copyRows(database, { ...rest, table: 'rota.job_version', as: { job_id: 'j.id', spec } })
  await copyRows(database, {
    ...rest,
    table: 'rota.schedule',
    as: { job_id: 'j.id', due_at: due, marked_at: `${due} - interval '1 millisecond'` },
  })
  await database.query('analyze rota.job, rota.job_version, rota.schedule, rota.job_activity')
}

/** Lateness in ms: from the due time to the start that the coordinator has on record. */
interface Lateness {
  readonly due: number
  readonly p50: number
  readonly p99: number
  readonly last: number
  /** The last decision of the schedule step. */
  readonly decided: number
  /** When all had settled. */
  readonly costs: Costs
}

async function readRun(
  setting: Setting,
  prefix: string,
  figures: (late: Lateness) => Run['figures'],
): Promise<Run> {
  const { database } = setting
  const isLive = `select exists (select from rota.execution where requested_by = 'schedule') as "isLive"`
  await until(
    `all of ${prefix} have settled`,
    async () => !(await database.query<{ isLive: boolean }>(isLive))[0]?.isLive,
    SETTLED_LIMIT_MS,
  )
  const costs = readCosts(setting)
  const [row] = await database.query<Omit<Lateness, 'costs'> & { settled: number; failed: number }>(
    `select count(o.*)::int as due, count(h.id)::int as settled,
      count(*) filter (where h.state <> 'succeeded')::int as failed,
      percentile_cont(0.5) within group (order by late)::float8 as p50,
      percentile_cont(0.99) within group (order by late)::float8 as p99, max(late)::float8 as last,
      max(extract(epoch from o.decided_at - o.scheduled_for) * 1000)::float8 as decided
    from rota.occurrence o join rota.job j on j.id = o.job_id
    left join rota.execution_history h on h.id = o.execution_id,
      lateral (select extract(epoch from h.started_at - o.scheduled_for) * 1000 as late) l
    where j.name like '${prefix}-%'`,
  )
  if (row === undefined || row.due === 0) throw new Error(`nothing of ${prefix} was due`)
  return { figures: figures({ ...row, costs }), checks: await check(setting, row) }
}

/** The agents' count is of all scheduled runs so far. */
async function check(
  { database, rota }: Setting,
  { due, failed, settled }: { due: number; failed: number; settled: number },
): Promise<Checks> {
  const [row] = await database.query<{ all: number }>(
    `select count(*)::int as all from rota.execution_history where trigger in ('schedule', 'catch_up')`,
  )
  const expected = row?.all ?? 0
  const ran = await countUnnumbered(rota, expected)
  return {
    lost: due - settled + Math.max(0, expected - ran),
    doubled: Math.max(0, ran - expected),
    failed,
  }
}
