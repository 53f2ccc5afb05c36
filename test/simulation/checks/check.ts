import type { AttemptRef } from '../../../agent/report/attempt-ref.ts'
import type { AgentNode } from '../cluster/agent-node.ts'
import type { SimulatedJob } from '../cluster/jobs.ts'
import type { Life, Witness } from '../cluster/witness.ts'
import type { StoreTables } from '../store/schema.ts'
import type { Commit, VirtualDatabase } from '../store/virtual-database.ts'
import type { World } from '../world/world.ts'
import type { Findings } from './findings.ts'

/** What a check may look at. */
export interface CheckSurroundings {
  readonly world: World
  readonly database: VirtualDatabase
  readonly tables: StoreTables
  readonly witness: Witness
  readonly findings: Findings
  readonly agents: readonly AgentNode[]
  /** By its id in the database. */
  readonly jobs: ReadonlyMap<number, SimulatedJob>
  /** Since when nothing is broken, in ms of the world; undefined while something is. */
  readonly quietSinceMs: () => number | undefined
}

/** Watches a group of invariants; says nothing while they hold. */
export interface Check {
  onCommit?(commit: Commit): void
  onStart?(life: Life): void
  onEnd?(life: Life): void
  /** The agent has a session. */
  onWelcome?(agent: AgentNode): void
  /** An agent was told that its result is safe. */
  onAcknowledged?(ref: AttemptRef): void
  /** Twice a second. */
  onLook?(): void
  /** After the healing, when everything must have come to rest. */
  onRest?(): void
}
