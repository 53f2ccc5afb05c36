/**
 * Takes what the coordinator sends: assignments, stops, drains.
 *
 * N1. An assignment is journaled before it is reported accepted, and runs only then (A3).
 * N2. The same assignment twice runs once (A2): its latest state is reported again.
 * N3. An epoch older than the newest known one of its execution is left alone; the coordinator has moved on.
 */
import type { Assignment, Stop_Target } from '../../proto/gen/rota/agent/v1/agent_service.ts'
import { durationToMs } from '../../shared/duration.ts'
import type { Logger } from '../../shared/logger.ts'
import { isExecutionName } from '../report/attempt-ref.ts'
import { type AttemptStore, finishedOf, type StoredAttempt } from '../report/attempt-store.ts'
import type { Outbox } from '../report/outbox.ts'
import type { LiveAttempts } from '../run/live-attempts.ts'
import { type AgentState, admit, type RefusalReason } from './admit.ts'

export interface InboxOptions {
  readonly store: AttemptStore
  readonly outbox: Outbox
  readonly live: LiveAttempts
  readonly logger: Logger
  readonly slots: number
  readonly capabilities: ReadonlySet<string>
  readonly handlers: ReadonlySet<string>
  readonly hasSpace: () => boolean
}

export class Inbox {
  readonly #options: InboxOptions
  #isDraining = false
  #isClosed = false

  constructor(options: InboxOptions) {
    this.#options = options
  }

  get isDraining(): boolean {
    return this.#isDraining || this.#isClosed
  }

  /** The agent ends: nothing more is taken, whatever a coordinator says. */
  close(): void {
    this.#isClosed = true
  }

  /** Nothing more is taken in this session. */
  drain(): void {
    this.#isDraining = true
  }

  /** A new session begins: a coordinator that still drains this worker says so again. */
  release(): void {
    this.#isDraining = false
  }

  take(assignments: readonly Assignment[]): void {
    for (const assignment of assignments) {
      const { execution, job } = assignment
      if (isExecutionName(execution) && job.startsWith('jobs/')) this.#takeOne(assignment)
      else this.#options.logger.error({ execution, job }, 'malformed assignment')
    }
  }

  /** Stops the named attempts whose epoch is the one that runs here. */
  stop(targets: readonly Stop_Target[]): void {
    for (const target of targets) {
      const { execution, epoch, reason } = target
      const cause = { kind: target.giveUp ? 'lost' : 'cancelled', reason } as const
      const isLive = this.#options.live.stop(target, cause, durationToMs(target.killGrace))
      this.#options.logger.info({ execution, epoch: String(epoch), reason, isLive }, 'told to stop')
    }
  }

  #takeOne(assignment: Assignment): void {
    const { store, live, logger } = this.#options
    const { execution, epoch } = assignment
    const known = store.get(assignment)
    const newest = store.newest(execution)
    const refusal = admit(assignment, this.#state())
    if (known !== undefined) this.#reportAgain(known)
    else if (newest !== undefined && newest.epoch > epoch) {
      logger.warn(
        { execution, epoch: String(epoch), newest: String(newest.epoch) },
        'stale assignment',
      )
    } else if (refusal !== undefined) this.#refuse(assignment, refusal)
    else {
      live.add(assignment)
      void this.#accept(assignment)
    }
  }

  async #accept(assignment: Assignment): Promise<void> {
    const { store, outbox, live, logger } = this.#options
    const { execution, epoch } = assignment
    try {
      await store.accept(assignment)
    } catch (error) {
      logger.error({ err: error, execution }, 'an assignment could not be journaled')
      live.remove(assignment)
      this.#refuse(assignment, 'NO_SPACE')
      return
    }
    outbox.put({ kind: 'accepted', value: { execution, epoch } })
    await live.run(assignment)
  }

  #refuse({ execution, epoch }: Assignment, reason: RefusalReason): void {
    this.#options.logger.info({ execution, epoch: String(epoch), reason }, 'assignment refused')
    this.#options.outbox.put({ kind: 'refused', value: { execution, epoch, reason } })
  }

  /** N2. What is not journaled yet is reported when it is. */
  #reportAgain(attempt: StoredAttempt): void {
    const { execution, epoch, result } = attempt
    if (!attempt.isJournaled) return
    const { outbox } = this.#options
    outbox.put({ kind: 'accepted', value: { execution, epoch } })
    if (result !== undefined) outbox.put({ kind: 'finished', value: finishedOf(result) })
  }

  #state(): AgentState {
    const { capabilities, handlers, hasSpace, live, slots } = this.#options
    return {
      isDraining: this.isDraining,
      freeSlots: slots - live.slotsInUse,
      hasSpace: hasSpace(),
      capabilities,
      handlers,
    }
  }
}
