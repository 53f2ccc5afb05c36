import type { SeededRandom } from '../world/seeded-random.ts'
import type { Cluster } from './cluster.ts'

/** What a fault gets: something to strike, and a way to end. */
export interface FaultContext {
  readonly cluster: Cluster
  readonly random: SeededRandom
  /** Runs `mend` after `delayMs`, or when everything heals. */
  mendAfter(delayMs: number, mend: () => void): void
  /** Runs `fn` after `delayMs`, unless everything has healed by then. */
  later(delayMs: number, fn: () => void): void
}

export interface FaultKind {
  readonly name: string
  readonly weight: number
  /** False when there was nothing to strike. */
  strike(context: FaultContext): boolean
}
