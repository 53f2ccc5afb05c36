/** When a schedule is due next. */
import type { Schedule } from '../../proto/gen/rota/v1/job.ts'
import { nextOfRecurrence, type RecurrenceWalk } from './recurrence.ts'

export interface DueSearch extends Omit<RecurrenceWalk, 'timeZone'> {
  readonly schedule: Schedule
}

/**
 * The first due time strictly after `after`: of any recurrence, not before `not_before`, not after `not_after` (both
 * inclusive). Undefined when there is none any more.
 */
export function nextDue({ schedule, after, seed, anchor }: DueSearch): Date | undefined {
  const startMs = (schedule.notBefore?.getTime() ?? -Infinity) - 1
  const from = new Date(Math.max(after.getTime(), startMs))
  const walk: RecurrenceWalk = { timeZone: schedule.timeZone, after: from, seed, anchor }
  const dueMs = schedule.recurrences.map(
    (recurrence) => nextOfRecurrence(recurrence, walk)?.getTime() ?? Infinity,
  )
  const firstMs = Math.min(...dueMs)
  const isOver = firstMs > (schedule.notAfter?.getTime() ?? Infinity) || firstMs === Infinity
  return isOver ? undefined : new Date(firstMs)
}
