/** What a cluster costs that has nothing to do; these limits fail the run. */
import { WITH_STATEMENTS } from '../cluster/postgres.ts'
import { type Setting, startSetting } from '../cluster/setting.ts'
import { sleepMs } from '../measure/host-time.ts'
import { type Memory, readCpuMs, readMemory } from '../measure/process-cost.ts'
import { CLEAN, type Run, type Target, toOutcome, toSide } from '../measure/result.ts'
import { notesOfRuns, type Scenario } from '../scenario.ts'

const SPAN_MS = { full: 15_000, quick: 5_000 } as const
const SETTLE_MS = { full: 10_000, quick: 3_000 } as const

/** Of a coordinator with twelve agents, and of one agent. Generous: CPU is that of a machine that others use too. */
export const REST_LIMITS = {
  statementsPerSecond: 30,
  coordinatorCpuPercent: 5,
  agentCpuPercent: 1,
  coordinatorOwnMb: 150,
  agentOwnMb: 60,
} as const

export const rest: Scenario = {
  what: 'statements per second, CPU and memory of coordinator and agents with nothing to do',
  async run(stage) {
    const { isQuick, runs } = stage.options
    const setting = await startSetting(stage, { settings: WITH_STATEMENTS })
    await setting.rota.beginMeasuring()
    await sleepMs(isQuick ? SETTLE_MS.quick : SETTLE_MS.full)
    const measured: Run[] = []
    for (let round = 1; round <= runs && !(round > 1 && stage.isLate()); round += 1) {
      stage.say(`${round}/${runs} at rest ...`)
      measured.push(await measureSpan(setting, isQuick ? SPAN_MS.quick : SPAN_MS.full))
    }
    const rota = toSide(measured)
    return {
      outcome: toOutcome({
        scenario: 'rest',
        rota,
        targets: () => judge(rota.figures),
        notes: notesOfRuns(rota),
      }),
      facts: setting.facts,
    }
  },
}

function judge(figures: Run['figures']): Target[] {
  return Object.entries(REST_LIMITS).map(([figure, limit]) => ({
    what: `${figure} at most ${limit}`,
    isMet: (figures[figure] ?? Number.POSITIVE_INFINITY) <= limit,
    isLimit: true,
  }))
}

async function measureSpan({ database, rota }: Setting, spanMs: number): Promise<Run> {
  const coordinator = rota.coordinators.map(({ pid }) => pid)
  const agents = rota.agents.map(({ process }) => process.pid)
  const cpuMs = (pids: readonly number[]) => pids.reduce((sum, pid) => sum + readCpuMs(pid), 0)
  const memoryMb = (pids: readonly number[], kind: keyof Memory) =>
    pids.reduce((sum, pid) => sum + readMemory(pid)[kind], 0) / pids.length
  await database.query('select pg_stat_statements_reset()')
  const [coordinatorMs, agentsMs] = [cpuMs(coordinator), cpuMs(agents)]
  await sleepMs(spanMs)
  const [row] = await database.query<{ calls: string; ms: number }>(
    `select coalesce(sum(calls), 0) as calls, coalesce(sum(total_exec_time), 0) as ms
    from pg_stat_statements where query not like '%pg_stat_statements%'`,
  )
  const percent = (ms: number) => (100 * ms) / spanMs
  return {
    figures: {
      statementsPerSecond: (Number(row?.calls) * 1_000) / spanMs,
      statementTimePercent: percent(Number(row?.ms)),
      coordinatorCpuPercent: percent(cpuMs(coordinator) - coordinatorMs),
      agentCpuPercent: percent(cpuMs(agents) - agentsMs) / agents.length,
      coordinatorResidentMb: memoryMb(coordinator, 'residentMb'),
      coordinatorOwnMb: memoryMb(coordinator, 'ownMb'),
      agentResidentMb: memoryMb(agents, 'residentMb'),
      agentOwnMb: memoryMb(agents, 'ownMb'),
    },
    checks: CLEAN,
  }
}
