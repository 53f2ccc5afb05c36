/**
 * What becomes of the due times that have passed: the occurrence ledger's rows, before they are written.
 *
 * D1. Every due time in (mark, now] is decided exactly once, in order, however the calls are cut.
 * D2. Nothing later than `now` is decided.
 * D3. A decision depends on the schedule, the due time and `now` alone, not on where a call began: cutting changes nothing.
 */
import { CatchUp_Policy, type Schedule } from '../../proto/gen/rota/v1/job.ts'
import { assert } from '../../shared/assert.ts'
import { durationToMs, formatDurationMs } from '../../shared/duration.ts'
import { nextDue } from '../../shared/schedule/next-due.ts'

export interface DueWindow {
  readonly schedule: Schedule
  readonly seed: string
  readonly anchor: Date
  /** Everything up to here has been decided. */
  readonly mark: Date
  readonly now: Date
  /** Most decisions of one call, at least 1. */
  readonly limit: number
}

export interface DueDecision {
  readonly scheduledFor: Date
  readonly decision: 'enqueued' | 'coalesced' | 'missed'
  readonly reason: string
  readonly trigger: 'schedule' | 'catch_up'
}

export interface DueDecisions {
  readonly decisions: readonly DueDecision[]
  /** Everything up to here is decided now. */
  readonly mark: Date
  /** The next due time after `mark`; one that is not after `now` means that the limit was reached: call again. */
  readonly nextDueAt: Date | undefined
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
  const ahead = dueTimesUntilNow(window)
  const isAll = window.schedule.catchUp?.policy === CatchUp_Policy.ALL
  // One newer due time tells whether this one is the newest; ALL counts further.
  const lookAhead = isAll ? maxExecutions(window.schedule) : 1
  const decisions: DueDecision[] = []
  const pending: Date[] = []
  let mark = window.mark
  while (decisions.length < window.limit) {
    fill(pending, ahead, lookAhead + 1)
    const scheduledFor = pending.shift()
    if (scheduledFor === undefined) break
    decisions.push(decide(scheduledFor, pending.length, window))
    mark = scheduledFor
  }
  const [next] = pending
  if (next !== undefined) return { decisions, mark, nextDueAt: next }
  const end = new Date(Math.max(window.now.getTime(), mark.getTime()))
  return { decisions, mark: end, nextDueAt: nextDue({ ...window, after: end }) }
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

function* dueTimesUntilNow(window: DueWindow): Generator<Date, void> {
  let due = nextDue({ ...window, after: window.mark })
  while (due !== undefined && due <= window.now) {
    yield due
    due = nextDue({ ...window, after: due })
  }
}

function fill(pending: Date[], source: Iterator<Date, void>, count: number): void {
  while (pending.length < count) {
    const { value } = source.next()
    if (!value) return
    pending.push(value)
  }
}
