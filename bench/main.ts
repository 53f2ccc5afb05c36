/** `npm run bench`: what Rota does and costs, measured on this host beside others. Ratios within one run; machines differ. */
import { type Benchmark, reportLines } from './benchmark.ts'
import { leases } from './leases.ts'
import { readMachine } from './measure/machine.ts'
import { toJsonLine, toLines } from './measure/outcome-text.ts'
import { nextTime } from './next-time.ts'
import { type AloneName, type BenchOptions, type Command, readCommand } from './options.ts'
import type { Scenario } from './scenario.ts'
import { latency } from './scenarios/latency.ts'
import { logs } from './scenarios/logs.ts'
import { rest } from './scenarios/rest.ts'
import { scale } from './scenarios/scale.ts'
import { schedule } from './scenarios/schedule.ts'
import { shell } from './scenarios/shell.ts'
import { throughput } from './scenarios/throughput.ts'
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
const ALONE: Readonly<Record<AloneName, Benchmark>> = { leases, 'next-time': nextTime }

const LIST = [
  ...Object.entries(SCENARIOS).map(([name, { what }]) => `  ${name.padEnd(10)} ${what}`),
  `  leases     ${leases.what}; only by name, with --sessions N, --seconds N`,
  `  next-time  ${nextTime.what}; only by name, with --seconds N`,
].join('\n')

const HELP = `Usage: npm run bench -- [SCENARIO...] [options]

Measures Rota beside its peers in the same run, in turn; without names, all scenarios.

${LIST}

Options
  --json       one line of JSON per scenario on stdout, all else on stderr
  --quick      within a minute per scenario: fewer executions, 3 repetitions
  --runs N     repetitions of each system (5)
  --jobs N     executions per run
  --agents N   agent processes (12)
  --slots N    slots per agent (100)
  --no-peers   Rota alone
  --list, --help

Peers are installed into bench/peers/node_modules when first needed. BullMQ needs
redis-server in PATH. Exit code 1: a ratio was refused because a run lost, doubled
or failed an execution, or a limit was missed; 2: the command line is wrong.
`

const EXIT = { ok: 0, failed: 1, usage: 2, interrupted: 130 } as const

const say = (line: string) => void process.stderr.write(`${line}\n`)
let stage: Stage | undefined

async function run(command: Extract<Command, { kind: 'run' }>): Promise<number> {
  let isGood = true
  for (const name of command.scenarios) {
    const scenario = SCENARIOS[name]
    if (scenario !== undefined) isGood = (await runScenario(scenario, command.options)) && isGood
  }
  return isGood ? EXIT.ok : EXIT.failed
}

async function runScenario(scenario: Scenario, options: BenchOptions): Promise<boolean> {
  const base = readMachine({})
  stage = await openStage(options, say)
  try {
    const { facts, outcome } = await scenario.run(stage)
    const machine = { ...base, ...facts }
    if (options.isJson) process.stdout.write(`${toJsonLine(outcome, machine)}\n`)
    else {
      const lines = Object.entries(machine).map(([name, value]) => `  ${name}: ${value}`)
      for (const line of [...toLines(outcome), ...lines]) process.stdout.write(`${line}\n`)
    }
    for (const why of outcome.refused) say(`no ratio: ${why}`)
    return (
      outcome.refused.length === 0 &&
      outcome.targets.every(({ isLimit, isMet }) => isMet || !isLimit)
    )
  } finally {
    await stage.close()
  }
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
    case 'run':
      return run(command)
  }
}

let isInterrupted = false
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
