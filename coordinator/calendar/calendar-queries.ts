import { sql } from 'kysely'
import type { JobId } from '../job/execution.ts'
import { keysetAfter, orderTerms, type Page } from '../query/keyset-queries.ts'
import type { Db } from '../store/database.ts'

export interface CalendarRow {
  readonly id: number
  readonly name: string
  readonly display_name: string
  readonly description: string
  readonly days: Record<string, unknown>
  readonly revision: number
  readonly created_at: Date
  readonly updated_at: Date
  readonly job_count: number
}

/** Columns that calendars can be filtered and sorted by, by their name in the API. */
export const CALENDAR_COLUMNS = {
  name: sql<string>`c.name`,
  display_name: sql<string>`c.display_name`,
  create_time: sql<Date>`c.created_at`,
  update_time: sql<Date>`c.updated_at`,
} as const

function calendars(db: Db) {
  return db.selectFrom('rota.calendar as c')
}

const CALENDAR_ROW = [
  'c.id',
  'c.name',
  'c.display_name',
  'c.description',
  'c.days',
  'c.revision',
  'c.created_at',
  'c.updated_at',
  sql<number>`(select count(*)::int from rota.job_calendar u where u.calendar_id = c.id)`.as(
    'job_count',
  ),
] as const

export async function readCalendar(db: Db, name: string): Promise<CalendarRow | undefined> {
  const row = await calendars(db).select(CALENDAR_ROW).where('c.name', '=', name).executeTakeFirst()
  return row
}

/** One page, and how many there are in all. */
export async function listCalendars(
  db: Db,
  page: Page<typeof CALENDAR_COLUMNS>,
): Promise<{ rows: CalendarRow[]; total: number }> {
  const matching = calendars(db).where(page.condition)
  const rows = await matching
    .select(CALENDAR_ROW)
    .where(keysetAfter(page))
    .orderBy(orderTerms(page))
    .limit(page.limit)
    .execute()
  const { total } = await matching
    .select(sql<number>`count(*)`.as('total'))
    .executeTakeFirstOrThrow()
  return { rows: rows, total }
}

/** Some names of calendars, for a "did you mean". */
export async function someCalendarNames(db: Db): Promise<string[]> {
  const rows = await calendars(db).select('c.name').orderBy('c.name').limit(1_000).execute()
  return rows.map(({ name }) => name)
}

export interface ChangedCalendar {
  readonly name: string
  /** Null with `days`: there is none of this name any more. */
  readonly stamp: string | null
  readonly days: Record<string, unknown> | null
}

/** Of these calendars those that are not as the stamp says, which a calendar has for ever to itself. */
export async function readChanged(
  db: Db,
  known: readonly { readonly name: string; readonly stamp: string }[],
): Promise<ChangedCalendar[]> {
  const { rows } = await sql<ChangedCalendar>`/* readChangedCalendars */
    select k.name, c.id || '/' || c.revision as stamp, c.days
    from unnest(${known.map(({ name }) => name)}::text[], ${known.map(({ stamp }) => stamp)}::text[]) as k (name, stamp)
    left join rota.calendar c on c.name = k.name
    where c.id is null or c.id || '/' || c.revision <> k.stamp`.execute(db)
  return rows
}

export interface CalendarDefinition {
  readonly name: string
  readonly displayName: string
  readonly description: string
  /** As JSON. */
  readonly days: string
}

/** Fails with the constraint `calendar_name_key` when the name is taken. */
export async function insertCalendar(db: Db, calendar: CalendarDefinition): Promise<void> {
  const { name, displayName, description, days } = calendar
  await sql`/* insertCalendar */
    insert into rota.calendar (name, display_name, description, days)
    values (${name}, ${displayName}, ${description}, ${days}::jsonb)`.execute(db)
}

/** Locks a calendar for a change that leaves its name alone: jobs that begin to use it do not wait. */
export async function lockCalendar(db: Db, name: string): Promise<void> {
  await sql`/* lockCalendar */
    select from rota.calendar where name = ${name} for no key update`.execute(db)
}

/** Locks a calendar that is to go, once the jobs that just begin to use it have done so. */
export async function lockUnused(db: Db, name: string): Promise<void> {
  await sql`/* lockUnusedCalendar */
    select from rota.calendar where name = ${name} for update`.execute(db)
}

export async function updateCalendarRow(db: Db, calendar: CalendarDefinition): Promise<void> {
  const { name, displayName, description, days } = calendar
  await sql`/* updateCalendar */
    update rota.calendar set display_name = ${displayName}, description = ${description}, days = ${days}::jsonb,
      revision = revision + 1, updated_at = clock_timestamp()
    where name = ${name}`.execute(db)
}

export async function deleteCalendarRow(db: Db, id: number): Promise<void> {
  await sql`/* deleteCalendar */
    delete from rota.calendar where id = ${id}`.execute(db)
}

export interface CalendarUser {
  readonly job_id: JobId
  readonly name: string
  readonly version: number
}

/** Jobs whose schedule uses a calendar. */
export async function readUsers(
  db: Db,
  calendarIdNumber: number,
  limit: number,
): Promise<CalendarUser[]> {
  const { rows } = await sql<CalendarUser>`/* readCalendarUsers */
    select j.id as job_id, j.name, j.version
    from rota.job_calendar u join rota.job j on j.id = u.job_id
    where u.calendar_id = ${calendarIdNumber} order by j.name limit ${limit}`.execute(db)
  return rows
}

/** Which calendars the schedule of a job uses from now on; answers how many of them there are. */
export async function replaceJobCalendars(
  db: Db,
  jobId: JobId,
  names: readonly string[],
): Promise<number> {
  await sql`/* deleteJobCalendars */
    delete from rota.job_calendar where job_id = ${jobId}`.execute(db)
  if (names.length === 0) return 0
  const { rows } = await sql`/* insertJobCalendars */
    insert into rota.job_calendar (job_id, calendar_id)
    select ${jobId}::bigint, c.id from rota.calendar c where c.name = any (${names}::text[])
    order by c.id for key share
    returning calendar_id`.execute(db)
  return rows.length
}

/** Has the schedules that use a calendar looked at, so that they say anew when they run next. */
export async function wakeUsers(db: Db, calendarIdNumber: number): Promise<void> {
  await sql`/* wakeCalendarUsers */
    with touched as materialized (
      select s.job_id from rota.schedule s join rota.job_calendar u on u.job_id = s.job_id
      where u.calendar_id = ${calendarIdNumber}
      order by s.job_id for no key update of s
    )
    update rota.schedule s set due_at = greatest(clock_timestamp(), s.marked_at + interval '1 millisecond')
    from touched t where s.job_id = t.job_id and s.due_at > clock_timestamp()`.execute(db)
}
