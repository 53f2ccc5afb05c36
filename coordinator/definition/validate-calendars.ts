/** The calendars of a schedule: they must be there, and leave it something to do. */
import type { Schedule } from '../../proto/gen/rota/v1/job.ts'
import { didYouMean, show, violation } from '../../shared/errors/check-field.ts'
import type { FieldViolation } from '../../shared/errors/rota-error.ts'
import { nearNames } from '../../shared/near-names.ts'
import type { DaySet } from '../../shared/schedule/calendar/day-set.ts'
import { nextDue } from '../../shared/schedule/next-due.ts'
import { LOOK_AHEAD_DAYS, nextRun } from '../../shared/schedule/next-run.ts'
import { someCalendarNames } from '../calendar/calendar-queries.ts'
import {
  calendarId,
  calendarsOf,
  createKnownCalendars,
  dayFilterOf,
} from '../calendar/known-calendars.ts'
import type { Db } from '../store/database.ts'

interface CheckedSchedule {
  readonly field: string
  readonly schedule: Schedule
  readonly now: Date
}

/** Of a schedule that is right otherwise. */
export async function validateCalendars(
  db: Db,
  checked: CheckedSchedule,
): Promise<FieldViolation[]> {
  const names = calendarsOf(checked.schedule)
  if (names.length === 0) return []
  const calendars = await createKnownCalendars().load(db, names)
  const missing = names.filter((name) => !calendars.has(name))
  if (missing.length === 0) return refuseNever(checked, calendars)
  const known = await someCalendarNames(db)
  return missing.map((name) => refuseUnknown(checked, name, known))
}

function refuseUnknown(
  { field, schedule }: CheckedSchedule,
  name: string,
  known: readonly string[],
): FieldViolation {
  const isName = (each: string) => calendarId(each) === name
  const excluded = schedule.excludeCalendars.findIndex(isName)
  const path =
    excluded >= 0
      ? `exclude_calendars[${excluded}]`
      : `only_calendars[${schedule.onlyCalendars.findIndex(isName)}]`
  return violation(`${field}.${path}`, {
    reason: 'CALENDAR_NOT_FOUND',
    message: `there is no calendar ${show(name)}`,
    hint: didYouMean(nearNames(name, known)),
  })
}

/** Whether a schedule ever runs under its calendars; also asked when a calendar changes. */
export function isEverRun(
  schedule: Schedule,
  calendars: ReadonlyMap<string, DaySet>,
  now: Date,
): boolean {
  const filter = { days: dayFilterOf(schedule, calendars), holds: [], skip: undefined }
  const search = { schedule, filter, after: now, seed: '', anchor: now }
  return nextRun({ ...search, horizonDays: LOOK_AHEAD_DAYS }) !== undefined
}

function refuseNever(
  { field, schedule, now }: CheckedSchedule,
  calendars: ReadonlyMap<string, DaySet>,
): FieldViolation[] {
  if (isEverRun(schedule, calendars, now)) return []
  const due = nextDue({ schedule, after: now, seed: '', anchor: now })
  const first = due === undefined ? '' : `, from ${due.toISOString()} on`
  return [
    violation(field, {
      reason: 'SCHEDULE_NEVER_RUNS',
      message: `its calendars leave it no due time in 30 years${first}`,
      hint: 'See their days with `rota calendar get`; exclude fewer of them, or keep to more.',
    }),
  ]
}
