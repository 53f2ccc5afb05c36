/** What becomes of an attempt that an agent says it has, or had, after the database went back. Pure. */
import type { Epoch, ExecutionId, LiveState, SessionId } from '../../job/execution.ts'
import type { HeldAttempt } from '../dispatch-queries.ts'

/** The live row of an execution, as the database has it now. */
export interface LiveExecution {
  readonly id: ExecutionId
  readonly epoch: Epoch
  readonly state: LiveState
  readonly session_id: SessionId | null
}

export type ReclaimVerdict =
  /** The session's own and current, as if nothing had happened. */
  | 'own'
  /** Its assignment was lost: the row takes it up again. */
  | 'restore'
  /** There is no row (yet): the schedule loop may make it anew, with the same id. */
  | 'wait'
  /** Something newer is known, or the execution has ended. */
  | 'gone'

export interface ReclaimView {
  readonly live: LiveExecution | undefined
  /** The execution is in history. */
  readonly isSettled: boolean
  readonly sessionId: SessionId
  /** Epochs up to here were given before the failover; nobody can have had a later one. */
  readonly epochFloor: number
}

/**
 * Epochs of one execution strictly rise, and a new one is given only when the one before is over. So who shows a newer
 * epoch than the row, and one that was given before the failover, has had the assignment that the row has lost.
 */
export function decideReclaim({ epoch }: HeldAttempt, view: ReclaimView): ReclaimVerdict {
  const { live, isSettled, sessionId, epochFloor } = view
  if (live === undefined) return isSettled ? 'gone' : 'wait'
  if (live.epoch > epoch) return 'gone'
  if (live.epoch === epoch) return live.session_id === sessionId ? 'own' : 'gone'
  return epoch <= epochFloor ? 'restore' : 'gone'
}
