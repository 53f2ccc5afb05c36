/** What a change of a job does to its due times. Pure. */
import { Schedule } from '../../proto/gen/rota/v1/job.ts'
import { type DstSurprise, dstSurprises } from '../../shared/schedule/dst-surprises.ts'
import { dstRule } from '../../shared/schedule/next-due.ts'
import { rulesOf } from '../../shared/schedule/recurrence-rules.ts'
import type { ScheduleRule } from '../../shared/schedule/rule-text.ts'
import { ruleWarnings } from '../../shared/schedule/warnings.ts'
import { ZoneOffsets } from '../../shared/schedule/zone/zone-offsets.ts'
import { decideDue } from '../schedule/decide-due.ts'
import type { JobState } from '../store/tables.ts'
import type { Restraints } from './restraints.ts'

/** A job as it is stored, before or after a change. */
export interface ScheduledJob {
  readonly uid: string
  readonly created_at: Date
  readonly updated_at: Date
  /** The contract's JSON. */
  readonly spec: Record<string, unknown>
  readonly state: JobState
  /** Null: it is not due by itself, because it has no schedule, or is over. */
  readonly due_at: Date | null
  readonly marked_at: Date | null
}

export interface ScheduleImpact extends Restraints {
  readonly nextBefore: readonly Date[]
  readonly nextAfter: readonly Date[]
  readonly pastExecutionCount: number
  readonly dstSurprises: readonly DstSurprise[]
  readonly warnings: readonly string[]
}

const NEXT = 10
/** Past executions that are counted; recovery itself is bounded by the catch-up policy. */
const PAST_MAX = 10_000
/** The mark is taken a moment before the row is written. */
const SAVED_WITHIN_MS = 1_000

/** What is known beside the job itself. */
export interface Foresight<J extends ScheduledJob> {
  /** When the change is made. */
  readonly now: Date
  /** The due times of a job that will really run (restraints.ts). */
  readonly runsAfter: (job: J, schedule: Schedule, after: Date) => Iterable<Date>
  readonly restraintsOf: (job: J | undefined, schedule: Schedule | undefined) => Restraints
}

/** Undefined stands for a job that is not there. */
export function foreseeImpact<J extends ScheduledJob>(
  before: J | undefined,
  after: J | undefined,
  foresight: Foresight<J>,
): ScheduleImpact {
  const { now } = foresight
  const schedule = after && scheduleOf(after)
  return {
    nextBefore: before === undefined ? [] : nextTimes(before, foresight),
    nextAfter: after === undefined ? [] : nextTimes(after, foresight),
    pastExecutionCount: after === undefined || after.state === 'paused' ? 0 : countPast(after),
    ...foresight.restraintsOf(after, schedule),
    dstSurprises:
      after === undefined || schedule === undefined ? [] : surprises(after, schedule, now),
    warnings: rulesIn(schedule)
      .flatMap(ruleWarnings)
      .map(({ message }) => message),
  }
}

/** True when a change touches when the job is due. */
export function isScheduleChange(
  before: ScheduledJob | undefined,
  after: ScheduledJob | undefined,
): boolean {
  const text = (job: ScheduledJob | undefined) => JSON.stringify(job?.spec['schedule'] ?? null)
  return text(before) !== text(after)
}

function rulesIn(schedule: Schedule | undefined): ScheduleRule[] {
  return schedule?.recurrences.flatMap(rulesOf) ?? []
}

export function scheduleOf({ spec }: Pick<ScheduledJob, 'spec'>): Schedule | undefined {
  return spec['schedule'] === undefined ? undefined : Schedule.fromJSON(spec['schedule'])
}

function nextTimes<J extends ScheduledJob>(job: J, { now, runsAfter }: Foresight<J>): Date[] {
  const schedule = scheduleOf(job)
  if (schedule === undefined || job.due_at === null || job.marked_at === null) return []
  const after = new Date(Math.max(now.getTime(), job.marked_at.getTime()))
  const times: Date[] = []
  for (const time of runsAfter(job, schedule, after)) {
    times.push(time)
    if (times.length === NEXT) break
  }
  return times
}

/** What the schedule step would create at once, because the mark lies behind: none when the change has moved it to now. */
function countPast(job: ScheduledJob): number {
  const schedule = scheduleOf(job)
  const now = job.updated_at
  let mark = job.marked_at
  if (schedule === undefined || mark === null) return 0
  if (now.getTime() - mark.getTime() <= SAVED_WITHIN_MS) return 0
  let count = 0
  for (let decided = 0; decided < PAST_MAX; ) {
    const context = { schedule, seed: job.uid, anchor: job.created_at }
    const window = { ...context, mark, now, limit: PAST_MAX }
    const { decisions, mark: next, nextDueAt } = decideDue(window)
    count += decisions.filter(({ decision }) => decision === 'enqueued').length
    decided += decisions.length
    if (decisions.length === 0 || nextDueAt === undefined || nextDueAt > now) return count
    mark = next
  }
  return count
}

function surprises(job: ScheduledJob, schedule: Schedule, now: Date): DstSurprise[] {
  if (job.due_at === null || job.state === 'paused') return []
  const zoneName = schedule.timeZone || 'UTC'
  return dstSurprises({
    rules: schedule.recurrences.flatMap(rulesOf),
    zoneName,
    zone: new ZoneOffsets(zoneName),
    dst: dstRule(schedule),
    from: Math.floor(now.getTime() / 1_000),
    seed: job.uid,
  })
}
