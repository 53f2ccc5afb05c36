/** What names an attempt in every message and file. */
import { isUuid } from '../../shared/ids.ts'

export interface AttemptRef {
  /** `executions/{uuid}` */
  readonly execution: string
  readonly epoch: bigint
}

const COLLECTION = 'executions/'

/** True for a name that can be one; only such names become names of folders. */
export function isExecutionName(execution: string): boolean {
  return execution.startsWith(COLLECTION) && isUuid(execution.slice(COLLECTION.length))
}

/** The bare id of the execution. */
export function executionId({ execution }: AttemptRef): string {
  return execution.slice(COLLECTION.length)
}

/** One text per attempt; the name of its folder. */
export function attemptKey(ref: AttemptRef): string {
  return `${executionId(ref)}.${ref.epoch}`
}
