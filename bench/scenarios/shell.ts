/** `sh -c true` on one agent, output captured, beside a bare loop that spawns the same. */
import { execFile } from 'node:child_process'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { commandCostsSince, costsSince, readCosts } from '../cluster/costs.ts'
import { type Setting, startSetting } from '../cluster/setting.ts'
import { hostMs } from '../measure/host-time.ts'
import { type Figures, goal, type Run, type Target, toOutcome } from '../measure/result.ts'
import { alternate, type Contender, notesOfRuns, type Scenario } from '../scenario.ts'
import type { Stage } from '../stage.ts'

const COMMANDS = { full: 3_000, quick: 150 } as const
const WARM_UP = 50
/** Enough that the way to the coordinator and back leaves no core idle; the loop beside gets as many. */
const SLOTS = 32
const LOOP = join(import.meta.dirname, '..', 'spawn-loop', 'main.ts')
const GOALS = {
  ofLoop: 0.8,
  /** Slurm and Cronicle do 20 to 23 on two cores. */
  perSecond: 20 * 23,
} as const

export const shell: Scenario = {
  what: 'commands per second on one agent (sh -c true, output captured), beside a bare spawn loop',
  async run(stage) {
    const setting = await startSetting(stage, { agents: 1, slots: SLOTS })
    const count = stage.options.jobs ?? (stage.options.isQuick ? COMMANDS.quick : COMMANDS.full)
    let round = 0
    const run = (size: number) => {
      round += 1
      return runRota(setting, `shell-${round}`, size)
    }
    stage.say('warming up ...')
    await run(WARM_UP)
    await setting.rota.beginMeasuring()
    const contenders: Contender[] = [
      { name: 'rota', run: () => run(count) },
      { name: 'spawn loop', run: () => runLoop(stage, count, 1) },
      { name: `spawn loop, ${SLOTS} at a time`, run: () => runLoop(stage, count, SLOTS) },
    ]
    const { rota, ...others } = await alternate(stage, contenders)
    if (rota === undefined) throw new Error('rota has not run')
    return {
      outcome: toOutcome({
        scenario: 'shell',
        rota,
        peers: others,
        comparisons: [{ figure: 'perSecond', isSmallBetter: false }],
        targets: (ratios) => goalsOf(ratios, rota.figures),
        notes: notesOfRuns(rota),
      }),
      facts: { ...setting.facts, commands: count },
    }
  },
}

function goalsOf({ 'spawn loop': ofLoop }: Figures, { perSecond = 0 }: Figures): Target[] {
  const isOften = perSecond >= GOALS.perSecond
  return [
    ...(ofLoop === undefined
      ? []
      : [goal(`at least ${GOALS.ofLoop} of the spawn loop`, ofLoop >= GOALS.ofLoop)]),
    goal(`at least ${GOALS.perSecond} per second: 20 times Slurm and Cronicle`, isOften),
  ]
}

async function runLoop(stage: Stage, count: number, lanes: number): Promise<Run> {
  const args = [LOOP, String(count), String(lanes)]
  const { stdout } = await promisify(execFile)(process.execPath, args, { cwd: stage.folder })
  const { failed, perSecond } = JSON.parse(stdout) as { failed: number; perSecond: number }
  return { figures: { perSecond }, checks: { lost: 0, doubled: 0, failed } }
}

async function runRota(setting: Setting, name: string, count: number): Promise<Run> {
  const { database, load } = setting
  const job = await load.createJob(name, { shell: { command: 'true' } })
  const before = readCosts(setting)
  const beganMs = hostMs()
  await load.enqueue(job, count)
  await load.whenSettled(job)
  const perSecond = (count * 1_000) / (hostMs() - beganMs)
  const after = readCosts(setting)
  const costs = {
    ...costsSince(before, after, count),
    ...commandCostsSince(before, after, count),
  }
  const [row] = await database.query<{ settled: string; failed: string; attempts: string }>(
    `select count(*) as settled, count(*) filter (where state <> 'succeeded') as failed,
      sum(attempt) as attempts
    from rota.execution_history where job_id = $1`,
    [job.id],
  )
  const settled = Number(row?.settled)
  return {
    figures: { perSecond, ...costs },
    // A command leaves no trace of its own: attempts are what the agent has run.
    checks: {
      lost: count - settled,
      doubled: Number(row?.attempts) - settled,
      failed: Number(row?.failed),
    },
  }
}
