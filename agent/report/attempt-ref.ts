/** What names an attempt in every message and file. */
import { parseResourceName } from '../../shared/wire.ts'

export interface AttemptRef {
  /** `executions/{uuid}` */
  readonly execution: string
  readonly epoch: bigint
}

/** The bare id of the execution. */
export function executionId({ execution }: AttemptRef): string {
  return parseResourceName('executions', execution, 'execution')
}

/** One text per attempt; the name of its folder. */
export function attemptKey(ref: AttemptRef): string {
  return `${executionId(ref)}.${ref.epoch}`
}
