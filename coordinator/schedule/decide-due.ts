/**
 * What becomes of the due times that have passed: the occurrence ledger's rows, before they are written.
 *
 * D1. Every due time in (mark, now] is decided exactly once, in order, however the calls are cut.
 * D2. Nothing later than `now` is decided.
 * D3. A decision depends on the schedule, its circumstances, the due time and `now` alone, not on where a call began:
 *     cutting changes nothing.
 */
import { CatchUp_Policy, type Schedule } from '../../proto/gen/rota/v1/job.ts'
import { assert } from '../../shared/assert.ts'
import { durationToMs, formatDurationMs } from '../../shared/duration.ts'
import { nextDue } from '../../shared/schedule/next-due.ts'
import { runsAfter } from '../../shared/schedule/next-run.ts'
import { type Circumstances, type Refusal, refusalOf, toRunFilter } from './circumstances.ts'

export interface DueWindow {
  readonly schedule: Schedule
  readonly seed: string
  readonly anchor: Date
  /** Everything up to here has been decided. */
  readonly mark: Date
  readonly now: Date
  /** Most decisions of one call, at least 1. */
  readonly limit: number
  /** Left out: nothing keeps it from running. */
  readonly around?: Circumstances | undefined
}

export interface DueDecision {
  readonly scheduledFor: Date
  readonly decision: 'enqueued' | 'coalesced' | 'missed' | Refusal['decision']
  readonly reason: string
  readonly trigger: 'schedule' | 'catch_up'
  /** The freeze that holds it back. */
  readonly freezeId?: number | null
}

export interface DueDecisions {
  readonly decisions: readonly DueDecision[]
  /** Everything up to here is decided now. */
  readonly mark: Date
  /** The next due time after `mark`; one that is not after `now` means that the limit was reached: call again. */
  readonly nextDueAt: Date | undefined
  /** The next due time that will really run; undefined when there is none for years. */
  readonly nextRunAt: Date | undefined
  /** How many are still to be skipped on request. */
  readonly skipLeft: number
}

/**
 * As late as this is still on time, in ms: a fire is caught up only when nothing was there to decide it, which a busy
 * tick, a pause of the garbage collector or the take-over from a killed coordinator (2 s) is not.
 */
export const ON_TIME_MS = 5_000

const MAX_LATENESS_MS = 3_600_000
const MAX_EXECUTIONS = 100

export function decideDue(window: DueWindow): DueDecisions {
  assert(window.limit >= 1, 'a call decides at least one due time')
  const { around, schedule } = window
  // Those that run, ahead of what is decided: newer ones tell what becomes of one that is late.
  const runs = new Ahead(around === undefined ? dueTimes(window) : runTimes(window, around))
  const dues = around === undefined ? runs : new Ahead(dueTimes(window))
  const isAll = schedule.catchUp?.policy === CatchUp_Policy.ALL
  // One newer run tells whether this one is the newest; ALL counts further.
  const lookAhead = isAll ? maxExecutions(schedule) : 1
  const decisions: DueDecision[] = []
  let skipLeft = around?.skip?.left ?? 0
  let mark = window.mark
  while (decisions.length < window.limit) {
    const due = dues.first()
    if (due === undefined || due > window.now) break
    dues.shift()
    mark = due
    if (runs !== dues && runs.first()?.getTime() !== due.getTime()) {
      const refused = refuse(due, window)
      if (refused.decision === 'skipped_requested') skipLeft -= 1
      decisions.push(refused)
      continue
    }
    if (runs !== dues) runs.shift()
    decisions.push(decide(due, runs.count(window.now, lookAhead), window))
  }
  const nextDueAt = dues.first()
  const isCut = nextDueAt !== undefined && nextDueAt <= window.now
  return {
    decisions,
    mark: isCut || mark > window.now ? mark : window.now,
    nextDueAt,
    nextRunAt: runs.first(),
    skipLeft,
  }
}

function refuse(scheduledFor: Date, { around, schedule }: DueWindow): DueDecision {
  assert(around !== undefined, 'only circumstances hold something back')
  return { scheduledFor, ...refusalOf(scheduledFor, schedule, around), trigger: 'schedule' }
}

/** `newer`: how many due times up to `now` come after this one, counted no further than matters. */
function decide(scheduledFor: Date, newer: number, { schedule, now }: DueWindow): DueDecision {
  const latenessMs = now.getTime() - scheduledFor.getTime()
  if (latenessMs <= ON_TIME_MS) {
    return { scheduledFor, decision: 'enqueued', reason: 'on time', trigger: 'schedule' }
  }
  const late = `${formatDurationMs(latenessMs)} late`
  const decided = (decision: DueDecision['decision'], reason: string): DueDecision => ({
    scheduledFor,
    decision,
    reason: `${late}; ${reason}`,
    trigger: 'catch_up',
  })
  const maxLatenessMs = durationToMs(schedule.catchUp?.maxLateness) ?? MAX_LATENESS_MS
  if (latenessMs > maxLatenessMs) {
    return decided('missed', `catch-up goes back ${formatDurationMs(maxLatenessMs)}`)
  }
  switch (schedule.catchUp?.policy) {
    case CatchUp_Policy.NONE:
      return decided('missed', 'nothing is caught up')
    case CatchUp_Policy.ALL:
      return newer < maxExecutions(schedule)
        ? decided('enqueued', 'all are caught up')
        : decided('missed', `the newest ${maxExecutions(schedule)} are caught up`)
    default:
      return newer === 0
        ? decided('enqueued', 'the newest is caught up')
        : decided('coalesced', 'a newer due time stands for it')
  }
}

/** How many due times catch-up ALL keeps. */
function maxExecutions(schedule: Schedule): number {
  return schedule.catchUp?.maxExecutions || MAX_EXECUTIONS
}

function* dueTimes(window: DueWindow): Generator<Date, void> {
  let due = nextDue({ ...window, after: window.mark })
  while (due !== undefined) {
    yield due
    due = nextDue({ ...window, after: due })
  }
}

function runTimes(window: DueWindow, around: Circumstances): Generator<Date, void> {
  return runsAfter({ ...window, after: window.mark, filter: toRunFilter(around) })
}

/** Times in order, read only as far as they are asked for. */
class Ahead {
  readonly #source: Iterator<Date, void>
  readonly #read: Date[] = []

  constructor(source: Iterator<Date, void>) {
    this.#source = source
  }

  first(): Date | undefined {
    return this.#at(0)
  }

  shift(): void {
    this.#read.shift()
  }

  /** How many there are up to `now`, counted no further than `max`. */
  count(now: Date, max: number): number {
    let count = 0
    while (count < max) {
      const time = this.#at(count)
      if (time === undefined || time > now) break
      count += 1
    }
    return count
  }

  #at(index: number): Date | undefined {
    while (this.#read.length <= index) {
      const { value } = this.#source.next()
      if (!value) return undefined
      this.#read.push(value)
    }
    return this.#read[index]
  }
}
