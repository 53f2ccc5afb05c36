/**
 * The attempts that take slots on this host now: accepted and not ended.
 *
 * V1. An attempt takes its slots from the moment it is admitted until its result is journaled.
 * V2. Two attempts of one execution never run here at once: the newer one begins when the older one has ended.
 */
import type { Assignment } from '../../proto/gen/rota/agent/v1/agent_service.ts'
import { AttemptIndex } from '../report/attempt-index.ts'
import type { AttemptRef } from '../report/attempt-ref.ts'
import { type StopCause, StopSwitch } from '../warden/stop-switch.ts'
import { isGuarded, killGraceMs, slotsOf } from './attempt-terms.ts'

interface LiveAttempt extends AttemptRef {
  readonly assignment: Assignment
  readonly stop: StopSwitch
  /** Settles when the attempt has ended. */
  readonly ended: PromiseWithResolvers<void>
}

/** Runs an accepted assignment to its end and hands its result over to be reported. */
export type RunAttempt = (assignment: Assignment, stop: StopSwitch) => Promise<void>

export class LiveAttempts {
  readonly #runAttempt: RunAttempt
  readonly #onChange: () => void
  readonly #live = new AttemptIndex<LiveAttempt>()
  #slotsInUse = 0

  constructor(runAttempt: RunAttempt, onChange: () => void) {
    this.#runAttempt = runAttempt
    this.#onChange = onChange
  }

  get size(): number {
    return this.#live.size
  }

  list(): readonly Assignment[] {
    return [...this.#live].map(({ assignment }) => assignment)
  }

  get slotsInUse(): number {
    return this.#slotsInUse
  }

  /** Takes the slots of an attempt that is about to be journaled. */
  add(assignment: Assignment): void {
    const { execution, epoch } = assignment
    const ended = Promise.withResolvers<void>()
    this.#live.add({ execution, epoch, assignment, stop: new StopSwitch(), ended })
    this.#slotsInUse += slotsOf(assignment)
    this.#onChange()
  }

  /** Gives the slots back. */
  remove(ref: AttemptRef): void {
    const attempt = this.#live.delete(ref)
    if (attempt === undefined) return
    this.#slotsInUse -= slotsOf(attempt.assignment)
    attempt.ended.resolve()
    this.#onChange()
  }

  /** Runs an added and journaled attempt to its end. */
  run(assignment: Assignment): Promise<void> {
    const isAlone = this.#live.countOf(assignment.execution) === 1
    return this.#follow(assignment, (stop) => {
      return isAlone ? this.#runAttempt(assignment, stop) : this.#runAfterOlder(assignment, stop)
    })
  }

  /** Takes back an attempt that has gone on without the agent; `resume` follows it to its end. */
  adopt(assignment: Assignment, resume: (stop: StopSwitch) => Promise<void>): Promise<void> {
    this.add(assignment)
    return this.#follow(assignment, resume)
  }

  async #runAfterOlder(assignment: Assignment, stop: StopSwitch): Promise<void> {
    await this.#endOfOlder(assignment)
    await this.#runAttempt(assignment, stop)
  }

  async #follow(assignment: Assignment, toItsEnd: (stop: StopSwitch) => Promise<void>) {
    const attempt = this.#live.get(assignment)
    if (attempt === undefined) return
    try {
      await toItsEnd(attempt.stop)
    } finally {
      this.remove(assignment)
    }
  }

  /** Asks one attempt to end; false when it is not live. */
  stop(ref: AttemptRef, cause: StopCause, graceMs?: number): boolean {
    const attempt = this.#live.get(ref)
    attempt?.stop.request(cause, graceMs ?? killGraceMs(attempt.assignment))
    return attempt !== undefined
  }

  /** The lease ends in `graceMs`: attempts that must not outlive it are asked to end, and killed then. */
  stopGuarded(graceMs: number): number {
    const guarded = [...this.#live].filter(({ assignment }) => isGuarded(assignment))
    for (const { stop } of guarded) {
      stop.request({ kind: 'lost', reason: 'no contact with any coordinator' }, graceMs)
    }
    return guarded.length
  }

  /** Asks all that `isMeant` to end, by default all there are; resolves when they have. */
  async stopAll(
    cause: StopCause,
    graceMaxMs: number,
    isMeant: (assignment: Assignment) => boolean = () => true,
  ): Promise<void> {
    const all = [...this.#live].filter(({ assignment }) => isMeant(assignment))
    for (const { assignment, stop } of all) {
      stop.request(cause, Math.min(killGraceMs(assignment), graceMaxMs))
    }
    await Promise.all(all.map(({ ended }) => ended.promise))
  }

  /** V2. The older one is asked to end: its epoch has been replaced. */
  async #endOfOlder({ execution, epoch }: Assignment): Promise<void> {
    const older = this.#live.ofExecution(execution).filter((attempt) => attempt.epoch < epoch)
    for (const { assignment, stop } of older) {
      const reason = `a newer attempt, epoch ${epoch}, has replaced this one`
      stop.request({ kind: 'cancelled', reason }, killGraceMs(assignment))
    }
    await Promise.all(older.map(({ ended }) => ended.promise))
  }
}
