/** What a scenario has found out, and whether it may be compared. Pure. */
import { type Summary, summarise } from './statistics.ts'

/** Executions that went wrong; a run with any of them measured something else than what it was asked to. */
export interface Checks {
  readonly lost: number
  readonly doubled: number
  readonly failed: number
}

export type Figures = Readonly<Record<string, number>>

/** One run of one system. */
export interface Run {
  readonly figures: Figures
  readonly checks: Checks
}

/** What was promised for a figure of Rota, and how it went. */
export interface Target {
  readonly what: string
  readonly isMet: boolean
  /** True: to miss it fails the run. Goals in ms are missed on a busy machine also by what is good. */
  readonly isLimit: boolean
}

/** A target that is only told. */
export function goal(what: string, isMet: boolean): Target {
  return { what, isMet, isLimit: false }
}

/** All runs of one system: medians, and between which ends they lie. */
export interface Side {
  readonly figures: Figures
  readonly spread: Readonly<Record<string, Summary>>
  readonly checks: Checks
}

/** `figure` of Rota over the same of a peer; for what should be small, the other way round, so that more is better. */
export interface Comparison {
  readonly figure: string
  readonly isSmallBetter: boolean
  /** Appended to the name of the peer, for a second comparison with it. */
  readonly label?: string
}

export interface Outcome {
  readonly scenario: string
  readonly rota: Side
  readonly peers: Readonly<Record<string, Side>>
  readonly ratios: Figures
  readonly targets: readonly Target[]
  /** Why ratios are missing; empty when none is. */
  readonly refused: readonly string[]
  /** What else a reader must know: peers that are absent, runs that were cut short. */
  readonly notes: readonly string[]
  /** Points of curves, by name. */
  readonly curves: Readonly<Record<string, readonly (readonly [number, number])[]>>
}

export const CLEAN: Checks = { lost: 0, doubled: 0, failed: 0 }

export function addChecks(all: readonly Checks[]): Checks {
  return all.reduce(
    (sum, { doubled, failed, lost }) => ({
      lost: sum.lost + lost,
      doubled: sum.doubled + doubled,
      failed: sum.failed + failed,
    }),
    CLEAN,
  )
}

/** Why these runs may not be compared; undefined: they may. */
export function whyRefused(name: string, { doubled, failed, lost }: Checks): string | undefined {
  const wrong = Object.entries({ lost, doubled, failed }).filter(([, count]) => count !== 0)
  if (wrong.length === 0) return undefined
  return `${name} ${wrong.map(([what, count]) => `${what} ${count}`).join(', ')}`
}

/** Medians of each figure over all runs of a system. */
export function toSide(runs: readonly Run[]): Side {
  const names = [...new Set(runs.flatMap(({ figures }) => Object.keys(figures)))]
  const spread = Object.fromEntries(
    names.map((name) => {
      const values = runs.map(({ figures }) => figures[name]).filter((value) => value !== undefined)
      return [name, summarise(values)]
    }),
  )
  return {
    figures: Object.fromEntries(Object.entries(spread).map(([name, { median }]) => [name, median])),
    spread,
    checks: addChecks(runs.map(({ checks }) => checks)),
  }
}

/** Ratios of those runs only in which nothing went wrong. */
export function compare(
  rota: Side,
  peers: Readonly<Record<string, Side>>,
  comparisons: readonly Comparison[],
): { readonly ratios: Figures; readonly refused: readonly string[] } {
  const ratios: Record<string, number> = {}
  const own = whyRefused('rota', rota.checks)
  const refused = own === undefined ? [] : [own]
  for (const [name, peer] of Object.entries(peers)) {
    const why = whyRefused(name, peer.checks)
    if (why !== undefined) refused.push(why)
    if (why !== undefined || own !== undefined) continue
    for (const { figure, isSmallBetter, label = '' } of comparisons) {
      const [ours, theirs] = [rota.figures[figure], peer.figures[figure]]
      if (ours === undefined || theirs === undefined) continue
      const [above, below] = isSmallBetter ? [theirs, ours] : [ours, theirs]
      if (below > 0) ratios[`${name}${label}`] = above / below
    }
  }
  return { ratios, refused }
}

/** What `toOutcome` is told; what is left out is empty. */
export interface Findings {
  readonly scenario: string
  readonly rota: Side
  readonly peers?: Readonly<Record<string, Side>>
  readonly comparisons?: readonly Comparison[]
  readonly targets?: (compared: Figures) => readonly Target[]
  readonly notes?: readonly string[]
  readonly curves?: Outcome['curves']
}

/** Compares what may be compared. */
export function toOutcome(findings: Findings): Outcome {
  const { comparisons = [], curves = {}, notes = [], peers = {}, rota, scenario } = findings
  const { ratios, refused } = compare(rota, peers, comparisons)
  return {
    ...{ scenario, rota, peers, ratios, refused, notes, curves },
    targets: findings.targets?.(ratios) ?? [],
  }
}
