/** `npm run sim -- --seeds N --seed S [--minutes M] [--seconds F] [--workers W] [--mutants]` */
import { availableParallelism } from 'node:os'
import { parseArgs } from 'node:util'
import { explainFailure } from './explain-failure.ts'
import { MUTANTS } from './mutants/mutants.ts'
import { type MutantVerdict, mutantNamed, runMutants } from './mutants/run-mutants.ts'
import { runMany } from './run-many.ts'
import { Totals } from './totals.ts'

const HELP = `Runs the whole cluster on virtual time, under faults, and checks what failure-model.md promises.

  --seeds N     so many runs (default 200)
  --seed S      the first seed (default 1)
  --minutes M   go on for so long instead, whatever --seeds says
  --seconds F   with faults, of each run, in simulated seconds (default 100)
  --workers W   processes (default: one for each core)
  --mutants     plant bugs into the product, one after the other; each must be caught
  --mutant M    only the one of this name
`
const PROGRESS_EVERY_MS = 5_000

const { values } = parseArgs({
  options: {
    seeds: { type: 'string', default: '200' },
    seed: { type: 'string', default: '1' },
    minutes: { type: 'string' },
    seconds: { type: 'string', default: '100' },
    workers: { type: 'string', default: String(availableParallelism()) },
    mutants: { type: 'boolean', default: false },
    mutant: { type: 'string' },
    help: { type: 'boolean', default: false },
  },
})

process.exitCode = values.help
  ? help()
  : values.mutants || values.mutant !== undefined
    ? await huntMutants()
    : await simulate()

function help(): number {
  process.stdout.write(HELP)
  return 0
}

function numberOf(name: string, text: string): number {
  const value = Number(text)
  if (Number.isFinite(value) && value >= 0) return value
  throw new Error(`--${name} wants a number, not ${text}`)
}

async function simulate(): Promise<number> {
  const minutes = values.minutes === undefined ? undefined : numberOf('minutes', values.minutes)
  const faultyMs = numberOf('seconds', values.seconds) * 1_000
  const totals = new Totals()
  const startMs = performance.now()
  let failed: number | undefined
  let shownMs = startMs
  await runMany({
    firstSeed: numberOf('seed', values.seed),
    seeds: minutes === undefined ? numberOf('seeds', values.seeds) : Number.MAX_SAFE_INTEGER,
    faultyMs,
    limitMs: (minutes ?? Number.POSITIVE_INFINITY) * 60_000,
    workers: numberOf('workers', values.workers),
    onResult(result) {
      totals.add(result)
      if (result.violations.length > 0) failed ??= result.seed
      if (performance.now() - shownMs > PROGRESS_EVERY_MS) {
        shownMs = performance.now()
        process.stdout.write(`${totals.progress(shownMs - startMs)}\n`)
      }
      return failed === undefined
    },
  })
  process.stdout.write(`${totals.summary(performance.now() - startMs)}\n`)
  if (failed !== undefined) {
    process.stdout.write(`${await explainFailure({ seed: failed, faultyMs })}\n`)
    return 1
  }
  const unchecked = values.seeds === '1' ? [] : totals.unchecked()
  if (unchecked.length === 0) return 0
  process.stdout.write(`nobody has looked at invariants ${unchecked.join(', ')}\n`)
  return 1
}

async function huntMutants(): Promise<number> {
  const { mutant } = values
  const verdicts = await runMutants({
    mutants: mutant === undefined ? MUTANTS : [mutantNamed(mutant)],
    firstSeed: numberOf('seed', values.seed),
    seedsMax: numberOf('seeds', values.seeds),
    faultyMs: numberOf('seconds', values.seconds) * 1_000,
    onVerdict: (verdict) => process.stdout.write(`${describeVerdict(verdict)}\n`),
  })
  const survivors = verdicts.filter(({ seed }) => seed === undefined)
  process.stdout.write(`${verdicts.length - survivors.length} of ${verdicts.length} caught\n`)
  return survivors.length === 0 ? 0 : 1
}

function describeVerdict({ found, isExpected, mutant, seed, seeds }: MutantVerdict): string {
  const where = seed === undefined ? 'SURVIVED' : isExpected ? 'caught' : 'caught otherwise'
  return `${where.padEnd(16)} ${String(seeds).padStart(3)} seeds  ${mutant.name}: ${found}`
}
