/** How many executions of a job may live at once, and what becomes of one that is one too many. Pure. */
import { Concurrency_Overlap, type JobSpec } from '../../proto/gen/rota/v1/job.ts'

export interface OverlapPolicy {
  readonly kind: 'skip' | 'queue_one' | 'queue_all' | 'cancel_running'
  /** Live at once, at least 1. */
  readonly limit: number
}

/** The policy of a job; undefined: any number at once. A limit alone queues what is beyond it. */
export function overlapPolicy({
  concurrency,
}: Pick<JobSpec, 'concurrency'>): OverlapPolicy | undefined {
  if (concurrency === undefined) return undefined
  const limit = concurrency.max || 1
  switch (concurrency.overlap) {
    case Concurrency_Overlap.SKIP:
      return { kind: 'skip', limit }
    case Concurrency_Overlap.QUEUE_ONE:
      return { kind: 'queue_one', limit }
    case Concurrency_Overlap.QUEUE_ALL:
      return { kind: 'queue_all', limit }
    case Concurrency_Overlap.CANCEL_RUNNING:
      return { kind: 'cancel_running', limit }
    default:
      return concurrency.max === 0 ? undefined : { kind: 'queue_all', limit }
  }
}
