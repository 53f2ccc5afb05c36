/** Calendars as the steps need them: read again only when they have changed. */
import { CalendarDays } from '../../proto/gen/rota/v1/calendar.ts'
import type { Schedule } from '../../proto/gen/rota/v1/job.ts'
import { createDayFilter, type DayFilter } from '../../shared/schedule/calendar/day-filter.ts'
import { compileDays, type DaySet } from '../../shared/schedule/calendar/day-set.ts'
import type { Db } from '../store/database.ts'
import { readChanged } from './calendar-queries.ts'

export interface KnownCalendars {
  /** Those of these ids that there are, as they are now. Of what is known only what has changed is sent. */
  load(db: Db, names: readonly string[]): Promise<ReadonlyMap<string, DaySet>>
  /** The database has gone back: what is known may be of a change that is undone. */
  forget(): void
}

/** More are in use by few clusters; then they are read again and again. */
const CALENDARS_MAX = 1_000

export function createKnownCalendars(): KnownCalendars {
  const known = new Map<string, { readonly stamp: string; readonly days: DaySet }>()
  return {
    async load(db, names) {
      const wanted = [...new Set(names)]
      const changed = await readChanged(
        db,
        wanted.map((name) => ({ name, stamp: known.get(name)?.stamp ?? '' })),
      )
      for (const { name, stamp, days } of changed) {
        if (stamp === null || days === null) known.delete(name)
        else known.set(name, { stamp, days: compileDays(CalendarDays.fromJSON(days)) })
      }
      const found = new Map(
        wanted.flatMap((name) => {
          const calendar = known.get(name)
          return calendar === undefined ? [] : [[name, calendar.days] as const]
        }),
      )
      if (known.size > CALENDARS_MAX) known.clear()
      return found
    },
    forget: () => known.clear(),
  }
}

/** `holidays` of `calendars/holidays`; both may be written. */
export function calendarId(name: string): string {
  return name.replace(/^calendars\//, '')
}

/** Ids of all calendars of a schedule, each once. */
export function calendarsOf(schedule: Schedule | undefined): string[] {
  if (schedule === undefined) return []
  const { excludeCalendars, onlyCalendars } = schedule
  if (excludeCalendars.length === 0 && onlyCalendars.length === 0) return []
  return [...new Set([...excludeCalendars, ...onlyCalendars].map(calendarId))]
}

/** On which days the schedule may run; undefined: on all. Throws when one of its calendars is not in `calendars`. */
export function dayFilterOf(
  { excludeCalendars, onlyCalendars }: Schedule,
  calendars: ReadonlyMap<string, DaySet>,
): DayFilter | undefined {
  const named = (names: readonly string[]) =>
    names.map((each) => {
      const name = calendarId(each)
      const days = calendars.get(name)
      if (days === undefined) throw new Error(`calendar ${name} does not exist`)
      return { name, days }
    })
  return createDayFilter(named(excludeCalendars), named(onlyCalendars))
}
