/**
 * Takes what the coordinator sends: assignments, stops, drains.
 *
 * N1. An assignment is journaled before it is reported accepted, and runs only then (A3); but see S5 of the store.
 * N2. The same assignment twice runs once (A2): its latest state is reported again.
 * N3. An epoch older than the newest known one of its execution is left alone; the coordinator has moved on.
 * N4. What was refused stays refused, however often the same epoch comes: the coordinator may hear of it at any time, and
 *     gives it to somebody else.
 * N5. Nothing grows with what a coordinator sends: one message is taken up to ASSIGNMENTS_MAX and logged up to LINES_MAX,
 *     and while WAITING_MAX items wait to be acknowledged, refusals are kept to oneself; it will ask again.
 */
import type { Assignment, Stop_Target } from '../../proto/gen/rota/agent/v1/agent_service.ts'
import { durationToMs } from '../../shared/duration.ts'
import type { Logger } from '../../shared/logger.ts'
import { type AttemptRef, attemptKey, isExecutionName } from '../report/attempt-ref.ts'
import type { AttemptStore } from '../report/attempt-store.ts'
import type { Outbox } from '../report/outbox.ts'
import type { StoredAttempt } from '../report/stored-attempt.ts'
import type { LiveAttempt, LiveAttempts } from '../run/live-attempts.ts'
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

/** More than the most slots of an agent. */
const ASSIGNMENTS_MAX = 2_000
const LINES_MAX = 50
const WAITING_MAX = 10_000
const TEXT_LENGTH_MAX = 300

export class Inbox {
  readonly #options: InboxOptions
  readonly #state: AgentState
  /** N4, the newest ones. */
  readonly #refused = new Map<string, RefusalReason>()
  /** Lines about the message that is being taken. */
  #lines = 0
  #isDraining = false
  #isClosed = false

  constructor(options: InboxOptions) {
    this.#options = options
    this.#state = this.#stateOf(options)
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
    const told = assignments.slice(0, ASSIGNMENTS_MAX)
    const taken: LiveAttempt[] = []
    for (const assignment of told) {
      const { execution, job } = assignment
      if (!isExecutionName(execution) || !job.startsWith('jobs/')) {
        this.#say('error', { execution, job }, 'malformed assignment')
      } else {
        const attempt = this.#takeOne(assignment)
        if (attempt !== undefined) taken.push(attempt)
      }
    }
    this.#concludeLines(assignments.length - told.length)
    if (taken.length > 0) void this.#accept(taken)
  }

  /** Stops the named attempts whose epoch is the one that runs here. */
  stop(targets: readonly Stop_Target[]): void {
    for (const target of targets) {
      const { execution, epoch, reason } = target
      const cause = { kind: target.giveUp ? 'lost' : 'cancelled', reason } as const
      const isLive = this.#options.live.stop(target, cause, durationToMs(target.killGrace))
      this.#say('info', { execution, epoch: String(epoch), reason, isLive }, 'told to stop')
    }
    this.#concludeLines(0)
  }

  /** Undefined for what is not new, and for what is refused; the others are known and take their slots from here on. */
  #takeOne(assignment: Assignment): LiveAttempt | undefined {
    const { store, live } = this.#options
    const { execution, epoch } = assignment
    const newest = store.newest(execution)
    const known = newest && store.get(assignment)
    if (known !== undefined) this.#reportAgain(known)
    else if (newest !== undefined && newest.epoch > epoch) {
      const line = { execution, epoch: String(epoch), newest: String(newest.epoch) }
      this.#say('warn', line, 'stale assignment')
    } else {
      const refusal = this.#refusedBefore(assignment) ?? admit(assignment, this.#state)
      if (refusal === undefined) {
        store.add(assignment)
        return live.add(assignment)
      }
      this.#refuse(assignment, refusal)
    }
    return undefined
  }

  /** N4. */
  #refusedBefore(assignment: Assignment): RefusalReason | undefined {
    return this.#refused.size === 0 ? undefined : this.#refused.get(attemptKey(assignment))
  }

  /** N1. All of one message share one write to the journal. */
  async #accept(attempts: readonly LiveAttempt[]): Promise<void> {
    const { store, outbox, live, logger } = this.#options
    try {
      await store.accept(attempts)
    } catch (error) {
      logger.error({ err: error, count: attempts.length }, 'assignments could not be journaled')
      for (const attempt of attempts) {
        live.remove(attempt)
        this.#refuse(attempt, 'NO_SPACE')
      }
      return
    }
    outbox.announce(attempts)
    for (const attempt of attempts) live.run(attempt)
  }

  #refuse({ execution, epoch }: AttemptRef, reason: RefusalReason): void {
    const { outbox } = this.#options
    this.#say('info', { execution, epoch: String(epoch), reason }, 'assignment refused')
    if (outbox.size >= WAITING_MAX) return
    outbox.put({ kind: 'refused', value: { execution, epoch, reason } })
    this.#refused.set(attemptKey({ execution, epoch }), reason)
    if (this.#refused.size > WAITING_MAX)
      this.#refused.delete(this.#refused.keys().next().value ?? '')
  }

  /** Names of anything come from outside: no line is longer for it. */
  #say(level: 'info' | 'warn' | 'error', line: Record<string, unknown>, text: string): void {
    this.#lines += 1
    if (this.#lines > LINES_MAX) return
    const short = Object.entries(line).map(([key, value]) => {
      return [key, typeof value === 'string' ? value.slice(0, TEXT_LENGTH_MAX) : value]
    })
    this.#options.logger[level](Object.fromEntries(short), text)
  }

  #concludeLines(ignored: number): void {
    const unsaid = this.#lines - LINES_MAX
    this.#lines = 0
    if (unsaid <= 0 && ignored === 0) return
    const line = { unsaid: Math.max(0, unsaid), ignored }
    this.#options.logger.warn(line, 'a message of the coordinator was very long')
  }

  /** N2. What is not journaled yet is reported when it is. */
  #reportAgain(attempt: StoredAttempt): void {
    const { execution, epoch, result } = attempt
    if (!attempt.isAccepted) return
    const { outbox } = this.#options
    if (result === undefined) outbox.put({ kind: 'accepted', value: { execution, epoch } })
    else outbox.put({ kind: 'finished', value: result.finished })
  }

  /** As it is whenever it is looked at. */
  #stateOf({ capabilities, handlers, hasSpace, live, slots }: InboxOptions): AgentState {
    const isDraining = () => this.isDraining
    return {
      get isDraining() {
        return isDraining()
      },
      get freeSlots() {
        return slots - live.slotsInUse
      },
      get hasSpace() {
        return hasSpace()
      },
      capabilities,
      handlers,
    }
  }
}
