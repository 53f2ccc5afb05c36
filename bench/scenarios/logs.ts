/** One job that writes 100 MB/s to its stdout: what it costs in memory, and what it does to the starts of others. */
import { join } from 'node:path'
import { wardenLock } from '../../shared/data-dir.ts'
import { lockHolder } from '../../shared/lock-file.ts'
import { sampleStarts } from '../cluster/sample-starts.ts'
import { type Setting, startSetting } from '../cluster/setting.ts'
import { sleepMs } from '../measure/host-time.ts'
import { readMemory } from '../measure/process-cost.ts'
import { addChecks, type Checks, goal, type Run, toOutcome, toSide } from '../measure/result.ts'
import { quantile } from '../measure/statistics.ts'
import { notesOfRuns, type Scenario } from '../scenario.ts'

const MB_PER_SECOND = 100
/** An attempt may write 1 GiB in all. */
const SECONDS = { full: 9, quick: 4 } as const
const SAMPLES = { full: 100, quick: 40 } as const
const MEMORY_EVERY_MS = 100
const WRITER = join(import.meta.dirname, '..', 'log-writer', 'main.ts')
const GOALS = { delayMs: 10, growthMb: 20 } as const

export const logs: Scenario = {
  what: '100 MB/s of stdout from one job: memory, and ms that starts of other jobs are delayed',
  async run(stage) {
    const { isQuick, runs } = stage.options
    const setting = await startSetting(stage, { agents: 1, slots: 8 })
    await setting.rota.beginMeasuring()
    const measured: Run[] = []
    // The first one is a rehearsal: from then on memory is as large as it must be.
    for (let round = 0; round <= runs && !(round > 1 && stage.isLate()); round += 1) {
      const run = await measureRound(setting, round, isQuick)
      if (round > 0) measured.push(run)
      stage.say(`${round}/${runs} ${JSON.stringify(run.figures)}`)
    }
    const rota = toSide(measured)
    const { agentGrowthMb = 0, coordinatorGrowthMb = 0, delayP99Ms = 0 } = rota.figures
    const growthMb = Math.max(agentGrowthMb, coordinatorGrowthMb)
    return {
      outcome: toOutcome({
        scenario: 'logs',
        rota,
        targets: () => [
          goal(
            `p99 of other starts at most ${GOALS.delayMs} ms later`,
            delayP99Ms <= GOALS.delayMs,
          ),
          goal(`memory grows by at most ${GOALS.growthMb} MB`, growthMb <= GOALS.growthMb),
        ],
        notes: notesOfRuns(rota),
      }),
      facts: setting.facts,
    }
  },
}

async function measureRound(setting: Setting, round: number, isQuick: boolean): Promise<Run> {
  const { database, load, rota } = setting
  const seconds = isQuick ? SECONDS.quick : SECONDS.full
  const count = isQuick ? SAMPLES.quick : SAMPLES.full
  const quiet = await sampleStarts(setting, await load.createJob(`quiet-${round}`), count)
  const command = `exec '${process.execPath}' '${WRITER}' ${MB_PER_SECOND} ${seconds}`
  const writer = await load.createJob(`writer-${round}`, { shell: { command } })
  const memory = watchMemory(setting)
  await load.triggerOne(writer, load.take(1).from)
  const beside = await sampleStarts(setting, await load.createJob(`beside-${round}`), count)
  await load.whenSettled(writer)
  const growth = await memory.stop()
  const [row] = await database.query<{ state: string; ms: number; bytes: string }>(
    `select h.state, extract(epoch from a.ended_at - a.started_at)::float8 * 1000 as ms,
      a.log_bytes + a.log_bytes_dropped as bytes
    from rota.execution_history h join rota.attempt a on a.execution_id = h.id where h.job_id = $1`,
    [writer.id],
  )
  const hasFailed = row?.state !== 'succeeded'
  const written: Checks = { lost: 0, doubled: 0, failed: hasFailed ? 1 : 0 }
  return {
    figures: {
      mbPerSecond: Number(row?.bytes) / 1e3 / (row?.ms ?? 1),
      quietP99Ms: quantile(quiet.delaysMs, 0.99),
      besideP50Ms: quantile(beside.delaysMs, 0.5),
      besideP99Ms: quantile(beside.delaysMs, 0.99),
      delayP99Ms: quantile(beside.delaysMs, 0.99) - quantile(quiet.delaysMs, 0.99),
      ...growth,
      agentMb: readMemory(rota.agents[0]?.process.pid ?? 0).ownMb,
    },
    checks: addChecks([quiet.checks, beside.checks, written]),
  }
}

/** How far each process rises above what it had at the beginning, in MB. */
function watchMemory({ rota }: Setting) {
  const [agent] = rota.agents
  const pids = Object.entries({
    agentGrowthMb: agent?.process.pid ?? 0,
    wardenGrowthMb: lockHolder(wardenLock(agent?.dataDir ?? '')) ?? 0,
    coordinatorGrowthMb: rota.coordinators[0]?.pid ?? 0,
  })
  const before = new Map(pids.map(([name, pid]) => [name, readMemory(pid).ownMb]))
  const most = new Map(before)
  let isOpen = true
  const look = async () => {
    while (isOpen) {
      for (const [name, pid] of pids) {
        most.set(name, Math.max(most.get(name) ?? 0, readMemory(pid).ownMb))
      }
      await sleepMs(MEMORY_EVERY_MS)
    }
  }
  const looking = look()
  return {
    async stop(): Promise<Record<string, number>> {
      isOpen = false
      await looking
      return Object.fromEntries(
        pids.map(([name]) => [name, (most.get(name) ?? 0) - (before.get(name) ?? 0)]),
      )
    },
  }
}
