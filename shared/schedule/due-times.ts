import type { Schedule } from '../../proto/gen/rota/v1/job.ts'
import { compileSchedule, type ScheduleContext } from './next-due.ts'

/** From `start` on, before `end`. */
export interface DueRange {
  readonly start: Date
  readonly end: Date
}

/** The due times of a range in their order, and no more than `max` of them. */
export function dueTimesWithin(
  schedule: Schedule,
  context: ScheduleContext,
  { start, end, max }: DueRange & { readonly max: number },
): Date[] {
  const walk = compileSchedule(schedule, context)
  const times: Date[] = []
  let dueMs = walk.next(start.getTime() - 1)
  for (; dueMs < end.getTime() && times.length < max; dueMs = walk.next(dueMs)) {
    times.push(new Date(dueMs))
  }
  return times
}
