/** Plants every mutant, one after the other, and runs seeds until one finds it. */
import { availableParallelism } from 'node:os'
import { describeViolation } from '../explain-failure.ts'
import { runWorker, type WorkerResult } from '../run-many.ts'
import { MUTANTS, type Mutant } from './mutants.ts'

export interface MutantVerdict {
  readonly mutant: Mutant
  /** The seed that found it; undefined: it survived. */
  readonly seed: number | undefined
  readonly seeds: number
  readonly found: string
  readonly isExpected: boolean
}

export interface MutantOptions {
  readonly mutants: readonly Mutant[]
  readonly firstSeed: number
  readonly seedsMax: number
  readonly faultyMs: number
  readonly onVerdict: (verdict: MutantVerdict) => void
}

export async function runMutants(options: MutantOptions): Promise<MutantVerdict[]> {
  const waiting = [...options.mutants]
  const verdicts: MutantVerdict[] = []
  const work = async () => {
    for (let mutant = waiting.shift(); mutant !== undefined; mutant = waiting.shift()) {
      const verdict = await hunt(mutant, options).catch((error: unknown) => failed(mutant, error))
      verdicts.push(verdict)
      options.onVerdict(verdict)
    }
  }
  await Promise.all(Array.from({ length: availableParallelism() }, work))
  return verdicts
}

async function hunt(mutant: Mutant, options: MutantOptions): Promise<MutantVerdict> {
  const { faultyMs, firstSeed, seedsMax } = options
  let last: WorkerResult | undefined
  let seeds = 0
  await runWorker({
    mutant: mutant.name,
    take: () => {
      const isFound = (last?.violations.length ?? 0) > 0
      if (isFound || seeds === seedsMax) return undefined
      seeds += 1
      return { seed: firstSeed + seeds - 1, faultyMs }
    },
    onResult: (result) => {
      last = result
    },
  })
  const [violation] = last?.violations ?? []
  return {
    mutant,
    seed: violation === undefined ? undefined : last?.seed,
    seeds,
    found: violation === undefined ? '' : describeViolation(violation),
    isExpected: violation !== undefined && mutant.breaks.includes(violation.invariant),
  }
}

/** Not even a run: the mutant does not fit, or the process has died of it. */
function failed(mutant: Mutant, error: unknown): MutantVerdict {
  return { mutant, seed: undefined, seeds: 0, found: String(error), isExpected: false }
}

/** The mutant of this name. */
export function mutantNamed(name: string): Mutant {
  const mutant = MUTANTS.find((each) => each.name === name)
  if (mutant === undefined) throw new Error(`there is no mutant ${JSON.stringify(name)}`)
  return mutant
}
