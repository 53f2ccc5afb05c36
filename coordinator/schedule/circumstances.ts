/** What keeps due times of a schedule from running, as it stands when they are decided. Pure. */
import type { Schedule } from '../../proto/gen/rota/v1/job.ts'
import type { DayFilter } from '../../shared/schedule/calendar/day-filter.ts'
import { DAY_S } from '../../shared/schedule/civil.ts'
import { formatDay } from '../../shared/schedule/describe/day-text.ts'
import type { Hold, RunFilter } from '../../shared/schedule/next-run.ts'
import { ZoneOffsets } from '../../shared/schedule/zone/zone-offsets.ts'

/** A freeze whose scope has the job. */
export interface FreezeHold extends Hold {
  readonly id: number
  readonly name: string
  readonly reason: string
}

export interface Circumstances {
  /** By its calendars; undefined when it uses none. */
  readonly days: DayFilter | undefined
  /** The job is paused, or was: nothing that is due before `untilMs` runs. */
  readonly pause: { readonly untilMs: number; readonly note: string } | undefined
  readonly freezes: readonly FreezeHold[]
  /** Of those due after `afterMs` that would run, the next `left` do not. */
  readonly skip:
    | { readonly left: number; readonly afterMs: number; readonly note: string }
    | undefined
}

/** Why a due time does not run. */
export interface Refusal {
  readonly decision: 'skipped_calendar' | 'skipped_paused' | 'skipped_freeze' | 'skipped_requested'
  readonly reason: string
  readonly freezeId: number | null
}

/** The same, as it is asked for the runs of a schedule. */
export function toRunFilter({ days, pause, freezes, skip }: Circumstances): RunFilter {
  const paused = pause === undefined ? [] : [{ fromMs: -Infinity, untilMs: pause.untilMs }]
  return {
    days,
    holds: [...paused, ...freezes],
    skip: skip && { count: skip.left, afterMs: skip.afterMs },
  }
}

/**
 * Of a due time that `toRunFilter` holds back. Its calendars come first, because it was never meant to run; then what was
 * said of its job, then what was said of many.
 */
export function refusalOf(
  scheduledFor: Date,
  schedule: Schedule,
  { days, pause, freezes, skip }: Circumstances,
): Refusal {
  const atMs = scheduledFor.getTime()
  const day = days && localDay(atMs, schedule.timeZone || 'UTC')
  if (days !== undefined && day !== undefined && !days.isAllowed(day)) {
    const reason = `${formatDay(day)} ${days.refusal(day)}`
    return { decision: 'skipped_calendar', reason, freezeId: null }
  }
  if (pause !== undefined && atMs < pause.untilMs) {
    return { decision: 'skipped_paused', reason: pause.note, freezeId: null }
  }
  const freeze = lastToEnd(
    freezes.filter(({ fromMs, untilMs }) => atMs >= fromMs && atMs < untilMs),
  )
  if (freeze !== undefined) {
    const reason = [`freeze ${freeze.name}`, freeze.reason].filter(Boolean).join(': ')
    return { decision: 'skipped_freeze', reason, freezeId: freeze.id }
  }
  return { decision: 'skipped_requested', reason: skip?.note ?? '', freezeId: null }
}

/** It could only run when the last of them is over. */
function lastToEnd(freezes: readonly FreezeHold[]): FreezeHold | undefined {
  return freezes.toSorted((a, b) => b.untilMs - a.untilMs || a.id - b.id)[0]
}

function localDay(atMs: number, timeZone: string): number {
  const at = Math.floor(atMs / 1_000)
  return Math.floor((at + new ZoneOffsets(timeZone).stretchAt(at).offset) / DAY_S)
}
