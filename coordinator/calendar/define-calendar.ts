/** Creating, changing and deleting calendars. What follows for schedules changes in the same transaction. */
import { Calendar, CalendarDays } from '../../proto/gen/rota/v1/calendar.ts'
import { Job } from '../../proto/gen/rota/v1/job.ts'
import { checkLength, didYouMean, show } from '../../shared/errors/check-field.ts'
import { RotaError, refuseViolations } from '../../shared/errors/rota-error.ts'
import { nearNames } from '../../shared/near-names.ts'
import { compileDays } from '../../shared/schedule/calendar/day-set.ts'
import { settleDays } from '../../shared/schedule/calendar/settle-days.ts'
import { databaseNow } from '../definition/definition-queries.ts'
import { once, type RequestKey } from '../definition/request-key.ts'
import { transact } from '../definition/transact.ts'
import { isEverRun } from '../definition/validate-calendars.ts'
import { checkResourceId } from '../definition/validate-job-id.ts'
import type { Deps } from '../deps.ts'
import { readJobs } from '../query/job-queries.ts'
import type { Db } from '../store/database.ts'
import { isUniqueViolation } from '../store/database-errors.ts'
import { applyCalendarMask } from './calendar-mask.ts'
import {
  type CalendarDefinition,
  type CalendarRow,
  deleteCalendarRow,
  insertCalendar,
  lockCalendar,
  lockUnused,
  readCalendar,
  readUsers,
  someCalendarNames,
  updateCalendarRow,
  wakeUsers,
} from './calendar-queries.ts'
import { calendarsOf, createKnownCalendars } from './known-calendars.ts'

export interface CreateCalendar {
  readonly id: string
  readonly calendar: Calendar
  readonly request: RequestKey | undefined
  readonly validateOnly: boolean
}

export interface UpdateCalendar {
  readonly id: string
  readonly calendar: Calendar
  readonly mask: readonly string[] | undefined
  readonly validateOnly: boolean
}

const DISPLAY_NAME_BYTES_MAX = 200
const DESCRIPTION_BYTES_MAX = 4 * 1_024
/** Jobs that are looked at, or told of, when a calendar that they use is changed or deleted. */
const USERS_MAX = 1_000
const TOLD_MAX = 10

export async function createCalendar(deps: Deps, create: CreateCalendar): Promise<CalendarRow> {
  const { id, calendar, request, validateOnly } = create
  refuseViolations(checkResourceId('calendar_id', id, 'calendar'))
  const definition = settle(id, calendar)
  return transact(deps.db, validateOnly, async (tx) => {
    const { resource, isNew } = await once(tx, request, id)
    if (isNew) await insertCalendar(tx, definition)
    return requireCalendar(tx, resource)
  }).catch((error: unknown) => {
    if (!isUniqueViolation(error, 'calendar_name_key')) throw error
    throw new RotaError('CALENDAR_ALREADY_EXISTS', `calendar ${id} exists already`, {
      cause: error,
    })
  })
}

export async function updateCalendar(deps: Deps, update: UpdateCalendar): Promise<CalendarRow> {
  const { id, calendar, mask } = update
  const row = await transact(deps.db, update.validateOnly, async (tx) => {
    await lockCalendar(tx, id)
    const before = await requireCalendar(tx, id)
    refuseStale(before, calendar.etag)
    await save(tx, before, settle(id, applyCalendarMask(toDefinition(before), calendar, mask)))
    return requireCalendar(tx, id)
  })
  deps.hints.give('schedules')
  return row
}

/** Deletes a calendar that nothing uses. */
export async function deleteCalendar(
  deps: Deps,
  { id, etag }: { readonly id: string; readonly etag: string },
): Promise<void> {
  await deps.db.transaction().execute(async (tx) => {
    await lockUnused(tx, id)
    const row = await requireCalendar(tx, id)
    refuseStale(row, etag)
    const users = await readUsers(tx, row.id, TOLD_MAX)
    if (users.length > 0) {
      const names = users.map(({ name }) => name).join(', ')
      const more = row.job_count > users.length ? ` and ${row.job_count - users.length} more` : ''
      throw new RotaError('CALENDAR_IN_USE', `calendar ${id} is used by ${names}${more}`, {
        metadata: { jobs: users.map(({ name }) => name).join(',') },
      })
    }
    await deleteCalendarRow(tx, row.id)
  })
}

/** The calendar of this id, or CALENDAR_NOT_FOUND with names that are near. */
export async function requireCalendar(db: Db, id: string): Promise<CalendarRow> {
  const row = await readCalendar(db, id)
  if (row !== undefined) return row
  const hint = didYouMean(nearNames(id, await someCalendarNames(db)))
  throw new RotaError('CALENDAR_NOT_FOUND', `there is no calendar ${show(id)}`, {
    ...(hint === undefined ? {} : { hint }),
  })
}

/** The token for optimistic concurrency (AIP-154). */
export function calendarEtag({ revision }: Pick<CalendarRow, 'revision'>): string {
  return `"${revision}"`
}

/** The part of a calendar that its author writes. */
export function toDefinition(row: CalendarRow): Calendar {
  return Calendar.fromPartial({
    displayName: row.display_name,
    description: row.description,
    days: CalendarDays.fromJSON(row.days),
  })
}

function refuseStale(row: CalendarRow, etag: string): void {
  if (etag === '' || etag === calendarEtag(row)) return
  throw new RotaError('ETAG_MISMATCH', `calendar ${row.name} has changed since it was read`)
}

/** What is stored; refuses what is wrong. */
function settle(id: string, calendar: Calendar): CalendarDefinition {
  const { description, displayName } = calendar
  const { days, violations } = settleDays('calendar.days', calendar.days)
  refuseViolations([
    ...checkLength('calendar.display_name', displayName, DISPLAY_NAME_BYTES_MAX),
    ...checkLength('calendar.description', description, DESCRIPTION_BYTES_MAX),
    ...violations,
  ])
  return { name: id, displayName, description, days: JSON.stringify(CalendarDays.toJSON(days)) }
}

async function save(tx: Db, before: CalendarRow, definition: CalendarDefinition): Promise<void> {
  await updateCalendarRow(tx, definition)
  if (before.job_count === 0) return
  await refuseIfUsersStop(tx, before, definition)
  await wakeUsers(tx, before.id)
}

/** A schedule that ran and would never run again: nobody meant that. */
async function refuseIfUsersStop(
  tx: Db,
  { id, name, days }: CalendarRow,
  definition: CalendarDefinition,
): Promise<void> {
  const users = await readUsers(tx, id, USERS_MAX)
  const rows = await readJobs(
    tx,
    users.map((user) => user.job_id),
  )
  const schedules = rows.flatMap((row) => {
    const schedule = Job.fromJSON({ spec: row.spec }).spec?.schedule
    return schedule === undefined ? [] : [{ job: row.name, schedule }]
  })
  const names = schedules.flatMap(({ schedule }) => calendarsOf(schedule))
  const after = await createKnownCalendars().load(tx, names)
  const before = new Map([...after, [name, compileDays(CalendarDays.fromJSON(days))]])
  const now = await databaseNow(tx)
  const stopped = schedules.filter(
    ({ schedule }) => isEverRun(schedule, before, now) && !isEverRun(schedule, after, now),
  )
  const [first] = stopped
  if (first === undefined) return
  const more = stopped.length > 1 ? ` and ${stopped.length - 1} more` : ''
  const message = `with these days job ${first.job}${more} would not run in 30 years`
  const field = 'calendar.days'
  const hint = `Take ${definition.name} out of their schedules first.`
  refuseViolations([{ field, reason: 'SCHEDULE_NEVER_RUNS', message, hint }])
}
