/** Which due times a backfill makes executions for. Pure. */
import type { Schedule } from '../../proto/gen/rota/v1/job.ts'
import { checkInteger, refuseUnless, violation } from '../../shared/errors/check-field.ts'
import type { FieldViolation } from '../../shared/errors/rota-error.ts'
import { type DueRange, dueTimesWithin } from '../../shared/schedule/due-times.ts'
import type { ScheduleContext } from '../../shared/schedule/next-due.ts'

/** Due times in one range. */
export const DUE_TIMES_MAX = 10_000

export interface BackfillRequest {
  readonly startTime: Date | undefined
  readonly endTime: Date | undefined
  /** 0: 1. */
  readonly maxParallel: number
}

/** What is wrong with the range or the number at once; a range that is right has both its ends. */
export function checkBackfill(
  request: BackfillRequest,
  known: { readonly createdAt: Date; readonly now: Date },
): FieldViolation[] {
  const { startTime, endTime, maxParallel } = request
  const missing = { reason: 'FIELD_REQUIRED', message: 'is missing' } as const
  return [
    ...(startTime === undefined ? [violation('start_time', missing)] : []),
    ...(endTime === undefined ? [violation('end_time', missing)] : []),
    ...(startTime === undefined || endTime === undefined
      ? []
      : checkRange({ start: startTime, end: endTime }, known)),
    ...checkInteger('max_parallel', maxParallel, { min: 0, max: DUE_TIMES_MAX }),
  ]
}

function checkRange(
  { start, end }: DueRange,
  { createdAt, now }: { readonly createdAt: Date; readonly now: Date },
): FieldViolation[] {
  const reason = 'BACKFILL_RANGE_INVALID'
  if (!(start < end)) {
    return [violation('end_time', { reason, message: 'is not after start_time' })]
  }
  return [
    ...refuseUnless(start >= createdAt, 'start_time', {
      reason,
      message: `is before the job was created, ${createdAt.toISOString()}`,
      hint: `Begin at ${createdAt.toISOString()} or later: before it the job had no due times.`,
    }),
    ...refuseUnless(end <= now, 'end_time', {
      reason,
      message: `is in the future: it is ${now.toISOString()}`,
      hint: 'End now or earlier: what is due later is run by the schedule.',
    }),
  ]
}

export interface BackfillPlan {
  /** In their order. */
  readonly dueTimes: readonly Date[]
  readonly succeededCount: number
  readonly liveCount: number
}

/** What the executions of the due times of the range have come to, by due time in ms. */
export interface KnownRuns {
  readonly succeeded: ReadonlySet<number>
  readonly live: ReadonlySet<number>
}

/** Undefined: the range holds too many due times. What lives is left out in any case. */
export function planBackfill(
  schedule: Schedule,
  context: ScheduleContext,
  options: DueRange & { readonly known: KnownRuns; readonly withSucceeded: boolean },
): BackfillPlan | undefined {
  const { known, withSucceeded } = options
  const all = dueTimesWithin(schedule, context, { ...options, max: DUE_TIMES_MAX + 1 })
  if (all.length > DUE_TIMES_MAX) return undefined
  const settled = all.filter((due) => !known.live.has(due.getTime()))
  const dueTimes = settled.filter((due) => withSucceeded || !known.succeeded.has(due.getTime()))
  return {
    dueTimes,
    succeededCount: settled.length - dueTimes.length,
    liveCount: all.length - settled.length,
  }
}
