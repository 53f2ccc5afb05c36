/** A promise of failure-model.md as a check over the evidence. */
import type { Evidence } from '../evidence/evidence.ts'

export interface Finding {
  /** How many things were looked at; none is a failure of the check itself. */
  readonly checked: number
  /** What is wrong, each with its evidence. */
  readonly violations: readonly string[]
}

export interface Invariant {
  /** Numbers of failure-model.md. */
  readonly numbers: readonly number[]
  readonly says: string
  /** True: it can only be judged when everything had time to end. */
  readonly needsQuiet?: boolean
  check(evidence: Evidence): Finding
}

/** Looks at each thing; the answer of `look` is what is wrong with it. */
export function checkEach<T>(things: readonly T[], look: (thing: T) => readonly string[]): Finding {
  return { checked: things.length, violations: things.flatMap((thing) => [...look(thing)]) }
}

export function groupBy<K, V>(values: readonly V[], key: (value: V) => K): Map<K, V[]> {
  return Map.groupBy(values, key)
}
