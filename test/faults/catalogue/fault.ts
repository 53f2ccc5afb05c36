/** One fault: what is done, what must come of it, and in what time. */
import type { ClusterShape } from '../cluster/shape.ts'
import type { FaultWindow } from '../evidence/evidence.ts'
import type { ProbeEnd, Stage } from '../run/stage.ts'

export interface Fault {
  readonly name: string
  /** What is done, in one line. */
  readonly what: string
  /** What the time is taken of, and how long it may be for a lease of L; undefined: the promise is no effect at all. */
  readonly target: { readonly what: string; readonly ms: (leaseMs: number) => number } | undefined
  readonly allowsOverlap: FaultWindow['allowsOverlap']
  /** Where it needs another cluster than the usual one. */
  readonly shape?: Partial<ClusterShape>
  /** True: it leaves a cluster behind that the next fault cannot use. */
  readonly wantsOwnCluster?: boolean
  /** True: what was acknowledged while it lasted may be gone. */
  readonly losesWrites?: boolean
  /** Why it cannot be done here; undefined: it can. */
  readonly unable?: () => string | undefined
  /** Does it, waits for the recovery, and heals what it did. */
  run(stage: Stage): Promise<Outcome>
}

export interface Outcome {
  /** Undefined: there was nothing to take the time of. */
  readonly recoveryMs: number | undefined
  /** What should have been otherwise; the invariants are judged apart. */
  readonly problems: readonly string[]
}

/** Of a time taken from the outside; negative when it was over before it began. */
export function since(startMs: number, endMs: number = Date.now()): number {
  return endMs - startMs
}

/** What is wrong with the end of a probe. */
export function unless(end: ProbeEnd, state: string, outcomes: readonly string[]): string[] {
  const is = `${end.state}, attempts [${end.outcomes}]`
  const should = `${state}, attempts [${outcomes}]`
  return is === should ? [] : [`the execution ended ${is}; it should have ended ${should}`]
}
