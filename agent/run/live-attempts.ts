/**
 * The attempts that take slots on this host now: accepted and not ended.
 *
 * V1. An attempt takes its slots from the moment it is admitted until its result is journaled.
 * V2. Two attempts of one execution never run here at once: the newer one begins when the older one has ended.
 */
import type { Assignment } from '../../proto/gen/rota/agent/v1/agent_service.ts'
import { AttemptIndex } from '../report/attempt-index.ts'
import type { AttemptRef } from '../report/attempt-ref.ts'
import { YoungAttempt } from '../report/young-attempt.ts'
import { type StopCause, StopSwitch } from '../warden/stop-switch.ts'
import { isGuarded, killGraceMs, slotsOf } from './attempt-terms.ts'

export class LiveAttempt extends YoungAttempt {
  readonly assignment: Assignment
  readonly stop = new StopSwitch()
  /** Made when somebody waits for it. */
  #ended: PromiseWithResolvers<void> | undefined

  constructor(assignment: Assignment) {
    super(assignment)
    this.assignment = assignment
  }

  /** Resolves when the attempt has ended. */
  whenEnded(): Promise<void> {
    this.#ended ??= Promise.withResolvers()
    return this.#ended.promise
  }

  end(): void {
    this.hasEnded = true
    this.#ended?.resolve()
  }
}

/** Runs an accepted assignment to its end, hands its result over to be reported, and then calls `onEnded`. */
export type RunAttempt = (attempt: LiveAttempt, onEnded: () => void) => void

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
  add(assignment: Assignment): LiveAttempt {
    const attempt = new LiveAttempt(assignment)
    this.#live.add(attempt)
    this.#slotsInUse += slotsOf(assignment)
    this.#onChange()
    return attempt
  }

  /** Gives the slots back. */
  remove(ref: AttemptRef): void {
    const attempt = this.#live.delete(ref)
    if (attempt === undefined) return
    this.#slotsInUse -= slotsOf(attempt.assignment)
    attempt.end()
    this.#onChange()
  }

  /** Runs an added and journaled attempt to its end. */
  run(attempt: LiveAttempt): void {
    const onEnded = () => this.remove(attempt)
    if (this.#live.isAlone(attempt)) this.#runAttempt(attempt, onEnded)
    else void this.#endOfOlder(attempt).then(() => this.#runAttempt(attempt, onEnded))
  }

  /** Takes back an attempt that has gone on without the agent; `resume` follows it to its end. */
  adopt(assignment: Assignment, resume: (attempt: LiveAttempt) => Promise<void>): Promise<void> {
    const attempt = this.add(assignment)
    return resume(attempt).finally(() => this.remove(attempt))
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
    await Promise.all(all.map((attempt) => attempt.whenEnded()))
  }

  /** V2. The older one is asked to end: its epoch has been replaced. */
  async #endOfOlder({ execution, epoch }: AttemptRef): Promise<void> {
    const older = this.#live.ofExecution(execution).filter((attempt) => attempt.epoch < epoch)
    for (const { assignment, stop } of older) {
      const reason = `a newer attempt, epoch ${epoch}, has replaced this one`
      stop.request({ kind: 'cancelled', reason }, killGraceMs(assignment))
    }
    await Promise.all(older.map((attempt) => attempt.whenEnded()))
  }
}
