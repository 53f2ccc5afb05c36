/** `npm run bench`: what Rota does and costs, measured on this host beside others. Ratios within one run; machines differ. */
import { mkdtemp } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type Benchmark, reportLines } from './benchmark.ts'
import { leases } from './leases.ts'
import { type Machine, readMachine } from './measure/machine.ts'
import { toJsonLine, toLines } from './measure/outcome-text.ts'
import type { Outcome } from './measure/result.ts'
import { nextTime } from './next-time.ts'
import { type AloneName, type BenchOptions, type Command, readCommand } from './options.ts'
import { budgetLines, readBudget } from './profile/profile.ts'
import { keepBudget, keepRecord, writePage } from './report/report-files.ts'
import { type Scenario, whyNoParts } from './scenario.ts'
import { latency } from './scenarios/latency.ts'
import { logs } from './scenarios/logs.ts'
import { rest } from './scenarios/rest.ts'
import { scale } from './scenarios/scale.ts'
import { schedule } from './scenarios/schedule.ts'
import { shell } from './scenarios/shell.ts'
import { throughput } from './scenarios/throughput.ts'
import { schedules } from './schedules.ts'
import { openStage, type Stage } from './stage.ts'

const SCENARIOS: Readonly<Record<string, Scenario>> = {
  throughput,
  latency,
  schedule,
  shell,
  scale,
  rest,
  logs,
}

/** With flags of their own, and nothing to compare with. */
const ALONE: Readonly<Record<AloneName, Benchmark>> = { leases, 'next-time': nextTime, schedules }

const PARTS = Object.entries(SCENARIOS)
  .filter(([, { parts }]) => parts !== undefined)
  .map(([name, { parts = [] }]) => `${name} has ${parts.join(', ')}`)
  .join('; ')

const LIST = [
  ...Object.entries(SCENARIOS).map(([name, { what }]) => `  ${name.padEnd(10)} ${what}`),
  `  leases     ${leases.what}; only by name, with --sessions N, --seconds N`,
  `  next-time  ${nextTime.what}; only by name, with --seconds N`,
  `  schedules  ${schedules.what}; only by name, with --schedules N, --seconds N`,
].join('\n')

const HELP = `Usage: npm run bench -- [SCENARIO...] [options]

Measures Rota beside its peers in the same run, in turn; without names, all scenarios.

${LIST}

Also
  profile SCENARIO   CPU profiles of coordinator and agent, statements of PostgreSQL,
                     summed up per execution; --save keeps the sum for the page
  report [SCENARIO]  measures and writes docs/performance.md; --render only writes it
                     anew from what was measured before

Options
  --json       one line of JSON per scenario on stdout, all else on stderr
  --quick      within a minute per scenario: fewer executions, 3 repetitions
  --runs N     repetitions of each system (5)
  --jobs N     executions per run
  --agents N   agent processes (12)
  --slots N    slots per agent (500)
  --only A,B   parts of a scenario: ${PARTS}
  --no-peers   Rota alone
  --list, --help

Peers are installed into bench/peers/node_modules when first needed. BullMQ needs
redis-server in PATH. Exit code 1: a ratio was refused because a run lost, doubled
or failed an execution, or a limit was missed; 2: the command line is wrong.
`

const EXIT = { ok: 0, failed: 1, usage: 2, interrupted: 130 } as const

const say = (line: string) => void process.stderr.write(`${line}\n`)
let stage: Stage | undefined
let isInterrupted = false

type Told = (outcome: Outcome, machine: Machine) => Promise<void>

/** Runs them one after the other; one that breaks does not keep the others from running. */
async function runAll(
  names: readonly string[],
  options: BenchOptions,
  tell: Told,
): Promise<number> {
  let isGood = true
  for (const name of names) {
    try {
      isGood = (await runOne(name, options, tell)) && isGood
    } catch (error) {
      if (isInterrupted) break
      say(`${name}: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}`)
      isGood = false
    }
  }
  return isGood ? EXIT.ok : EXIT.failed
}

async function runOne(
  name: string,
  options: BenchOptions & { readonly profileFolder?: string },
  tell: Told,
): Promise<boolean> {
  const scenario = SCENARIOS[name]
  if (scenario === undefined) throw new Error(`there is no scenario ${name}`)
  const why = whyNoParts(name, scenario, options.only)
  if (why !== undefined) throw new Error(why)
  const base = readMachine({})
  stage = await openStage(options, say, options.profileFolder)
  try {
    const { facts, outcome } = await scenario.run(stage)
    await tell(outcome, { ...base, ...facts })
    for (const why of outcome.refused) say(`no ratio: ${why}`)
    const missed = outcome.targets.filter(({ isLimit, isMet }) => isLimit && !isMet)
    return outcome.refused.length === 0 && missed.length === 0
  } finally {
    await stage.close()
  }
}

function print({ isJson }: BenchOptions): Told {
  return async (outcome, machine) => {
    const facts = Object.entries(machine).map(([name, value]) => `  ${name}: ${value}`)
    const lines = isJson ? [toJsonLine(outcome, machine)] : [...toLines(outcome), ...facts]
    for (const line of lines) process.stdout.write(`${line}\n`)
  }
}

async function report(command: Extract<Command, { kind: 'report' }>): Promise<number> {
  const keep: Told = async (outcome, machine) => {
    await print(command.options)(outcome, machine)
    await keepRecord(toJsonLine(outcome, machine), new Date().toISOString().slice(0, 10))
  }
  const names = command.isMeasured ? command.scenarios : []
  const code = await runAll(names, command.options, keep)
  say(`written: ${await writePage(Object.keys(SCENARIOS))}`)
  return code
}

async function profile(command: Extract<Command, { kind: 'profile' }>): Promise<number> {
  const profileFolder = await mkdtemp(join(tmpdir(), `rota-profile-${command.scenario}-`))
  const options = { ...command.options, profileFolder }
  await runOne(command.scenario, options, print(options))
  const budget = await readBudget(command.scenario, profileFolder)
  for (const line of ['', ...budgetLines(budget)]) process.stdout.write(`${line}\n`)
  if (command.isSaved) await keepBudget(budget)
  say(`profiles are in ${profileFolder}`)
  return EXIT.ok
}

async function runAlone(name: AloneName, args: readonly string[]): Promise<number> {
  const figures = await ALONE[name].run(args)
  for (const line of reportLines(figures)) process.stdout.write(`${line}\n`)
  return figures.every(({ isMet }) => isMet !== false) ? EXIT.ok : EXIT.failed
}

async function main(): Promise<number> {
  const command = readCommand(process.argv.slice(2), Object.keys(SCENARIOS))
  switch (command.kind) {
    case 'help':
      process.stdout.write(HELP)
      return EXIT.ok
    case 'list':
      process.stdout.write(`${LIST}\n`)
      return EXIT.ok
    case 'wrong':
      process.stderr.write(`error: ${command.message}\nhint:  ${command.hint}\n`)
      return EXIT.usage
    case 'alone':
      return runAlone(command.name, command.args)
    case 'profile':
      return profile(command)
    case 'report':
      return report(command)
    case 'run':
      return runAll(command.scenarios, command.options, print(command.options))
  }
}

for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
  process.on(signal, () => {
    // The second one does not wait: the last resort cleans up behind us.
    if (isInterrupted) process.exit(EXIT.interrupted)
    isInterrupted = true
    say('stopping ...')
    void Promise.resolve(stage?.close()).then(() => process.exit(EXIT.interrupted))
  })
}

try {
  process.exitCode = await main()
} catch (error) {
  if (!isInterrupted) say(error instanceof Error ? (error.stack ?? error.message) : String(error))
  process.exitCode = EXIT.failed
}
if (!isInterrupted) process.exit(process.exitCode)
