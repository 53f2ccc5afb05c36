/** What enters at enqueue, whoever asks for it: the schedule, a person, a dependency. */
import type { ExecutionId, JobId, Trigger } from './execution.ts'

export interface NewExecution {
  readonly id: ExecutionId
  readonly jobId: JobId
  readonly jobVersion: number
  readonly trigger: Trigger
  /** The due time that it stands for; none for triggers by hand. */
  readonly scheduledFor: Date | undefined
  /** Not before this time; none: at once. */
  readonly availableAt: Date | undefined
  /** Wait until the dependencies of the job are ready. */
  readonly waitsForDependencies: boolean
  /** Over the defaults of the job. */
  readonly parameters: Readonly<Record<string, unknown>>
  /** Name of a worker: only there. */
  readonly pinnedWorker: string | undefined
  /** The backfill that it belongs to, which lets it in when its turn has come. */
  readonly backfillId?: string
  /** Who asked: `token:<name>`, `schedule`, `dependency`. */
  readonly requestedBy: string
}

/** An execution that ends without an attempt: cancelled while it waited, or given up. */
export interface EndedExecution {
  readonly id: ExecutionId
  readonly state: 'failed' | 'cancelled' | 'skipped'
  readonly reasonCode: string
  readonly reasonMessage: string
}
