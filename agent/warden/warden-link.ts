/** The warden as an agent knows it, whichever process it lives in. */
import type { LeftAttempt } from './leftovers.ts'
import type { HeldAttempt, LeaseTimes, ProcessEnd, Started, StartOrder } from './messages.ts'
import type { StopCause } from './stop-switch.ts'

/**
 * K1. Every start and every adoption gets its end, also when the warden is killed: then, after all processes of the
 *     attempt are gone, it has been lost.
 * K2. After `leave` nothing is told any more.
 */
export interface WardenLink {
  /**
   * Finds the warden of an earlier life of the agent and answers what it has. What of `left` no living warden has is
   * ended, and answered only if its end was written down.
   */
  open(left: readonly LeftAttempt[]): Promise<ReadonlyMap<string, HeldAttempt>>
  /** Runs the process of an attempt; resolves with its end and never rejects. */
  start(order: StartOrder, onStarted: (started: Started) => void): Promise<ProcessEnd>
  /** Resolves with the end of an attempt that `open` has answered. */
  adopt(held: HeldAttempt): Promise<ProcessEnd>
  /** Asks an attempt to end, and to be killed after `graceMs`. */
  stop(key: string, cause: StopCause, graceMs: number): void
  renewLease(lease: LeaseTimes): void
  /** The end is in the journal. */
  forget(key: string): void
  /** Lets go of the warden; what it has goes on. */
  leave(): Promise<void>
  /** Ends what the warden has, and the warden. */
  quit(): Promise<void>
}

/** The end of an attempt whose warden was killed, and with it the attempt. */
export function lostWithWarden(startTimeMs: number | undefined, endTimeMs: number): ProcessEnd {
  return {
    exit: { kind: 'signalled', signal: 'SIGKILL' },
    cause: { kind: 'lost', reason: 'the warden of the agent was killed' },
    startTimeMs,
    endTimeMs,
    usage: {},
  }
}
