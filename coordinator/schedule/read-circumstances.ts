/**
 * What keeps due schedules from running. Jobs that are not paused, name no calendar and lie in no freeze cost no statement;
 * the others share one or two in each transaction.
 */
import { assert } from '../../shared/assert.ts'
import type { DaySet } from '../../shared/schedule/calendar/day-set.ts'
import {
  calendarsOf,
  createKnownCalendars,
  dayFilterOf,
  type KnownCalendars,
} from '../calendar/known-calendars.ts'
import type { Deps } from '../deps.ts'
import { type FreezeWindow, holdFreezes } from '../freeze/freeze-queries.ts'
import { isInScope } from '../freeze/freeze-scope.ts'
import type { JobId } from '../job/execution.ts'
import type { Db } from '../store/database.ts'
import type { StoredSpec } from '../store/job-specs.ts'
import type { Circumstances, FreezeHold } from './circumstances.ts'
import { type DueSchedule, readLabels } from './schedule-queries.ts'

export interface DueJob {
  readonly row: DueSchedule
  readonly stored: StoredSpec
}

/** Those of one job; undefined when nothing keeps it from running. Throws when a calendar of it does not exist. */
export type CircumstancesOf = (job: DueJob) => Circumstances | undefined

export type ReadCircumstances = (tx: Db, due: readonly DueJob[]) => Promise<CircumstancesOf>

export function createReadCircumstances({ hints }: Pick<Deps, 'hints'>): ReadCircumstances {
  const calendars = createKnownCalendars()
  hints.on('recovery', calendars.forget)
  return async (tx, due) => {
    const days = await readCalendars(tx, calendars, due)
    const freezesOf = await readFreezesOf(tx, due)
    return ({ row, stored }) => {
      const { schedule } = stored.spec
      const filter = schedule && dayFilterOf(schedule, days)
      const freezes = freezesOf(row, stored)
      const isPlain = filter === undefined && freezes.length === 0
      if (isPlain && !row.is_paused && row.skip_left === 0) return undefined
      return { days: filter, pause: pauseOf(row), freezes, skip: skipOf(row) }
    }
  }
}

async function readCalendars(
  tx: Db,
  calendars: KnownCalendars,
  due: readonly DueJob[],
): Promise<ReadonlyMap<string, DaySet>> {
  const names = due.flatMap(({ stored }) => calendarsOf(stored.spec.schedule))
  return names.length === 0 ? new Map() : calendars.load(tx, names)
}

async function readFreezesOf(
  tx: Db,
  due: readonly DueJob[],
): Promise<(row: DueSchedule, stored: StoredSpec) => FreezeHold[]> {
  const marks = due.map(({ row }) => row.marked_at.getTime())
  const oldestMark = new Date(Math.min(...marks))
  const until = due[0]?.row.frozen_until
  if (until === undefined || until === null || until <= oldestMark) return () => []
  const freezes = await holdFreezes(tx, oldestMark)
  const labels = freezes.some(({ selector }) => selector !== '')
    ? await readLabels(
        tx,
        due.map(({ row }) => row.job_id),
      )
    : new Map<JobId, Readonly<Record<string, string>>>()
  return (row, { jobName: name }) =>
    freezes
      .filter((freeze) => isInScope(freeze, { name, labels: labels.get(row.job_id) ?? {} }))
      .map(toHold)
}

export function toHold({ id, name, reason, starts_at, ends_at }: FreezeWindow): FreezeHold {
  return { id, name, reason, fromMs: starts_at.getTime(), untilMs: ends_at.getTime() }
}

function pauseOf(row: DueSchedule): Circumstances['pause'] {
  if (!row.is_paused) return undefined
  return { untilMs: row.resume_at?.getTime() ?? Infinity, note: row.pause_note }
}

function skipOf(row: DueSchedule): Circumstances['skip'] {
  if (row.skip_left === 0) return undefined
  assert(row.skip_after !== null, 'what is to be skipped lies behind the request')
  return { left: row.skip_left, afterMs: row.skip_after.getTime(), note: row.skip_note }
}
