import type { SessionId, WorkerId } from './execution.ts'
import type { WorkerHealth } from './worker-health.ts'

/** What one connected worker offers right now. */
export interface WorkerOffer {
  readonly workerId: WorkerId
  readonly sessionId: SessionId
  readonly name: string
  readonly capabilities: ReadonlySet<string>
  readonly handlers: ReadonlySet<string>
  readonly labels: Readonly<Record<string, string>>
  readonly slots: number
  readonly freeSlots: number
  /** A degraded one gets a single execution, however many slots are free. */
  readonly health: WorkerHealth
  readonly consecutiveFailures: number
  /** 0 to 1, as the agent last said. */
  readonly loadRatio: number
}
