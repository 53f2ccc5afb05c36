import type { AttemptRef } from './attempt-ref.ts'

/** An accepted attempt as long as nobody has been told of it: most short ones end before (O6 of the outbox). */
export class YoungAttempt implements AttemptRef {
  readonly execution: string
  readonly epoch: bigint
  /** When it began, for whoever is told that it was accepted. */
  startTime: Date | undefined
  isAnnounced = false
  hasEnded = false

  constructor({ execution, epoch }: AttemptRef) {
    this.execution = execution
    this.epoch = epoch
  }
}
