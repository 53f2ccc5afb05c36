/** How an attempt ended, as its agent says, or as the coordinator concludes when the agent is gone. */
import type { AttemptOutcome, Epoch, ExecutionId, SessionId, WorkerId } from './execution.ts'

export interface AttemptReport {
  readonly executionId: ExecutionId
  readonly epoch: Epoch
  readonly outcome: AttemptOutcome
  readonly reasonCode: string
  readonly message: string
  readonly exitCode: number | undefined
  readonly signal: string
  readonly outputs: Readonly<Record<string, unknown>> | undefined
  readonly startedAt: Date | undefined
  readonly endedAt: Date | undefined
  readonly cpuMs: number | undefined
  readonly peakMemoryBytes: number | undefined
  readonly logBytes: number
  readonly logBytesDropped: number
}

/** What the agent of a session says. */
export interface SessionReport extends AttemptReport {
  readonly sessionId: SessionId
  readonly workerId: WorkerId
}
