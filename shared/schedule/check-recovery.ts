/** Whether a schedule can go on from an earlier time than now. Pure. */
import type { Schedule } from '../../proto/gen/rota/v1/job.ts'
import { violation } from '../errors/check-field.ts'
import type { FieldViolation } from '../errors/rota-error.ts'
import { dueTimesWithin } from './due-times.ts'
import type { ScheduleContext } from './next-due.ts'

/** Due times that one request may have decided. */
const DUE_TIMES_MAX = 10_000

export function checkRecovery(
  field: string,
  from: Date,
  known: ScheduleContext & { readonly schedule: Schedule | undefined; readonly now: Date },
): FieldViolation[] {
  const { anchor: createdAt, now, schedule } = known
  const wrong = (message: string, hint: string) => [
    violation(field, { reason: 'RECOVERY_INVALID', message, hint }),
  ]
  if (schedule === undefined) {
    return wrong('the job has no schedule, so nothing was due', `Leave out ${field}.`)
  }
  if (from > now) return wrong(`is in the future: it is ${now.toISOString()}`, 'Give a time past.')
  if (from < createdAt) {
    const created = createdAt.toISOString()
    return wrong(`is before the job was created, ${created}`, `Give ${created} or later.`)
  }
  const range = { start: new Date(from.getTime() + 1), end: new Date(now.getTime() + 1) }
  const due = dueTimesWithin(schedule, known, { ...range, max: DUE_TIMES_MAX + 1 })
  if (due.length <= DUE_TIMES_MAX) return []
  return wrong(
    `more than ${DUE_TIMES_MAX} due times have passed since then`,
    'Give a later time; older ones can be run with `rota job backfill`.',
  )
}
