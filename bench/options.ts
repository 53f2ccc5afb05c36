/** The command line of `npm run bench`. Pure. */
import { parseArgs } from 'node:util'
import { nearNames } from '../shared/near-names.ts'

/** How much is measured. */
export interface BenchOptions {
  readonly isJson: boolean
  readonly isQuick: boolean
  readonly hasPeers: boolean
  /** Repetitions of each system, alternating. */
  readonly runs: number
  /** Executions per run; undefined: as the scenario has it. */
  readonly jobs: number | undefined
  readonly agents: number
  /** Slots per agent. */
  readonly slots: number
  /** Parts of a scenario that has such; undefined: all. */
  readonly only: readonly string[] | undefined
}

/** Measurements with flags of their own: only by name, one at a time. */
const ALONE = ['leases', 'next-time', 'schedules'] as const
export type AloneName = (typeof ALONE)[number]

export type Command =
  | { readonly kind: 'run'; readonly scenarios: readonly string[]; readonly options: BenchOptions }
  | {
      readonly kind: 'profile'
      readonly scenario: string
      readonly options: BenchOptions
      /** Keeps the budget for the page. */
      readonly isSaved: boolean
    }
  | {
      readonly kind: 'report'
      readonly scenarios: readonly string[]
      readonly options: BenchOptions
      /** False: only from what was measured before. */
      readonly isMeasured: boolean
    }
  | { readonly kind: 'alone'; readonly name: AloneName; readonly args: readonly string[] }
  | { readonly kind: 'list' }
  | { readonly kind: 'help' }
  | { readonly kind: 'wrong'; readonly message: string; readonly hint: string }

/** Repetitions when nobody says how many: the least from which a median is believed. */
export const RUNS = { full: 5, quick: 3 } as const

const FLAGS = {
  json: { type: 'boolean' },
  quick: { type: 'boolean' },
  'no-peers': { type: 'boolean' },
  runs: { type: 'string' },
  jobs: { type: 'string' },
  agents: { type: 'string' },
  slots: { type: 'string' },
  only: { type: 'string' },
  save: { type: 'boolean' },
  render: { type: 'boolean' },
  list: { type: 'boolean' },
  help: { type: 'boolean', short: 'h' },
} as const

/** `known` are the names of scenarios; without any on the command line, all of them run. */
export function readCommand(args: readonly string[], known: readonly string[]): Command {
  const alone = ALONE.find((name) => name === args[0])
  if (alone !== undefined) return { kind: 'alone', name: alone, args: args.slice(1) }
  try {
    const { positionals, values } = parseArgs({
      args: [...args],
      options: FLAGS,
      allowPositionals: true,
    })
    if (values.help === true) return { kind: 'help' }
    if (values.list === true) return { kind: 'list' }
    const isVerb = positionals[0] === 'profile' || positionals[0] === 'report'
    const names = isVerb ? positionals.slice(1) : positionals
    const stranger = names.find((name) => !known.includes(name))
    if (stranger !== undefined) return unknownScenario(stranger, known)
    const options = readOptions(values)
    const scenarios = known.filter((name) => names.length === 0 || names.includes(name))
    switch (positionals[0]) {
      case 'profile':
        return readProfile(names, options, values.save === true)
      case 'report':
        if (options.only !== undefined) return partialReport()
        return { kind: 'report', scenarios, options, isMeasured: values.render !== true }
      default:
        return { kind: 'run', scenarios, options }
    }
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error)
    return { kind: 'wrong', message, hint: 'See npm run bench -- --help.' }
  }
}

/** The page has whole scenarios: a part would take the place of all that was measured before. */
function partialReport(): Command {
  const hint = 'Measure a part without it: npm run bench -- SCENARIO --only PART.'
  return { kind: 'wrong', message: '--only does not go with report', hint }
}

interface FlagValues {
  readonly json?: boolean
  readonly quick?: boolean
  readonly 'no-peers'?: boolean
  readonly runs?: string
  readonly jobs?: string
  readonly agents?: string
  readonly slots?: string
  readonly only?: string
}

function readOptions(values: FlagValues): BenchOptions {
  const isQuick = values.quick === true
  const runs = { fallback: isQuick ? RUNS.quick : RUNS.full, max: 99 }
  const { jobs } = values
  return {
    isJson: values.json === true,
    isQuick,
    hasPeers: values['no-peers'] !== true,
    runs: count('--runs', values.runs, runs),
    jobs: jobs === undefined ? undefined : count('--jobs', jobs, { max: 10_000_000 }),
    agents: count('--agents', values.agents, { fallback: 12, max: 100 }),
    slots: count('--slots', values.slots, { fallback: 500, max: 1_000 }),
    only: values.only?.split(','),
  }
}

function readProfile(names: readonly string[], options: BenchOptions, isSaved: boolean): Command {
  const [scenario] = names
  if (scenario !== undefined && names.length === 1) {
    // Others would be in the profile of PostgreSQL, and in the way.
    return { kind: 'profile', scenario, options: { ...options, hasPeers: false }, isSaved }
  }
  const hint = 'For example: npm run bench -- profile throughput'
  return { kind: 'wrong', message: 'profile takes one scenario', hint }
}

function unknownScenario(name: string, known: readonly string[]): Command {
  const [near] = nearNames(name, [...known, ...ALONE])
  const others = `Scenarios: ${[...known, ...ALONE].join(', ')}.`
  return {
    kind: 'wrong',
    message: `there is no scenario ${JSON.stringify(name)}`,
    hint: near === undefined ? others : `Did you mean ${near}? ${others}`,
  }
}

function count(
  flag: string,
  text: string | undefined,
  { fallback = 0, max }: { readonly fallback?: number; readonly max: number },
): number {
  if (text === undefined) return fallback
  const value = Number(text)
  if (/^\d+$/.test(text) && value >= 1 && value <= max) return value
  throw new RangeError(`${flag} ${JSON.stringify(text)} is not a whole number from 1 to ${max}`)
}
