import type { Outcome, Run, Side } from './measure/result.ts'
import { toSide } from './measure/result.ts'
import { RUNS } from './options.ts'
import type { Stage } from './stage.ts'

/** One question about Rota, and how its answer is measured. */
export interface Scenario {
  /** What it measures, in one line. */
  readonly what: string
  /** What `--only` takes; undefined: it is one whole. */
  readonly parts?: readonly string[]
  readonly run: (stage: Stage) => Promise<Measured>
}

/** Why these parts cannot be asked for; undefined: they can. */
export function whyNoParts(
  name: string,
  { parts = [] }: Pick<Scenario, 'parts'>,
  only: readonly string[] = [],
): string | undefined {
  const stranger = only.find((part) => !parts.includes(part))
  if (stranger === undefined) return undefined
  const those = parts.length === 0 ? 'it has none' : `it has ${parts.join(', ')}`
  return `${name} has no part ${JSON.stringify(stranger)}: ${those}`
}

/** Whether a part of a scenario is asked for. */
export function hasPart({ options: { only } }: Stage, part: string): boolean {
  return only === undefined || only.includes(part)
}

/** Said when parts were left out. */
export function notesOfParts({ options: { only } }: Stage): string[] {
  return only === undefined ? [] : [`only ${only.join(', ')}`]
}

/** What a scenario answers, and facts for the machine's line. */
export interface Measured {
  readonly outcome: Outcome
  readonly facts: Readonly<Record<string, string | number>>
}

/** One system of a comparison. */
export interface Contender {
  readonly name: string
  readonly run: () => Promise<Run>
}

/** Runs all in turn, again and again, so that what disturbs the machine for a while disturbs all of them. */
export async function alternate(
  stage: Stage,
  contenders: readonly Contender[],
): Promise<Readonly<Record<string, Side>>> {
  const { runs } = stage.options
  const measured = new Map<string, Run[]>(contenders.map(({ name }) => [name, []]))
  for (let round = 1; round <= runs; round += 1) {
    if (round > 1 && stage.isLate()) break
    for (const { name, run } of contenders) {
      const one = await run()
      measured.get(name)?.push(one)
      const figures = Object.entries(one.figures).map(
        ([key, value]) => `${key} ${value.toFixed(1)}`,
      )
      stage.say(`${round}/${runs} ${name}: ${figures.join(', ')}`)
    }
  }
  return Object.fromEntries([...measured].map(([name, all]) => [name, toSide(all)]))
}

/** Said when fewer repetitions ran than a median wants. */
export function notesOfRuns({ spread }: Side): string[] {
  const counts = Object.values(spread).map(({ count }) => count)
  const fewest = Math.min(...counts)
  return fewest < RUNS.full ? [`${fewest} repetitions only: a median wants ${RUNS.full}`] : []
}
