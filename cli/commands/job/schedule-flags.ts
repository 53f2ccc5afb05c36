/** `--schedule`, `--tz`, `--jitter`, `--catch-up`, the calendars, and `--after`. */
import {
  CatchUp_Policy,
  Dependency,
  Dependency_When,
  Recurrence,
  Schedule,
} from '../../../proto/gen/rota/v1/job.ts'
import { durationFromMs, parseDurationMs } from '../../../shared/duration.ts'
import { parseRfc3339 } from '../../../shared/rfc-3339.ts'
import { enumFromWord } from '../../../shared/wire.ts'
import { toName } from '../../names.ts'
import { NONE, readSpan, readWord, usageError, withoutNone } from '../../option-values.ts'
import { wordsOf } from '../../words.ts'
import type { JobFlags } from './flags.ts'

/**
 * What a person means by one `--schedule`: cron of five or six fields or a macro, `every 10s` or `10s`, RFC 3339 or
 * `in 5m`; several other words go to the coordinator as natural language.
 */
export function parseRecurrence(text: string, now: Date): Recurrence {
  const trimmed = text.trim()
  const interval = parseInterval(trimmed)
  if (interval !== undefined) return recurrence({ $case: 'every', value: durationFromMs(interval) })
  const at = parseRfc3339(trimmed.replace(/^at\s+/i, '')) ?? fromNow(trimmed, now)
  if (at !== undefined) return recurrence({ $case: 'at', value: at })
  if (isCronLike(trimmed)) return recurrence({ $case: 'cron', value: trimmed })
  if (/[A-Za-z]\s+\S/.test(trimmed)) return recurrence({ $case: 'text', value: trimmed })
  throw usageError(
    '--schedule',
    `${JSON.stringify(text)} is not a schedule`,
    'Write cron like "*/5 * * * *" or @daily, an interval like "every 10s", or a time like 2026-11-30T22:15:00Z or "in 5m".',
  )
}

type ScheduleFlags = Pick<
  JobFlags,
  'schedule' | 'tz' | 'jitter' | 'catchUp' | 'excludeCalendar' | 'onlyCalendar'
>

/** The schedule after its options; null when none is given, undefined when it is to be removed. */
export function changeSchedule(
  base: Schedule | undefined,
  flags: ScheduleFlags,
  now: Date,
): Schedule | undefined | null {
  const { excludeCalendar, onlyCalendar, schedule: texts, tz, jitter, catchUp } = flags
  const others = {
    '--tz': tz,
    '--jitter': jitter,
    '--catch-up': catchUp,
    '--exclude-calendar': excludeCalendar,
    '--only-calendar': onlyCalendar,
  }
  const other = Object.entries(others).find(([, value]) => value !== undefined)?.[0]
  if (texts === undefined && other === undefined) return null
  if (texts?.length === 1 && texts[0] === NONE) return undefined
  if (texts === undefined && base === undefined && other !== undefined) {
    throw usageError(other, 'there is no schedule that it could be for', 'Give --schedule too.')
  }
  const recurrences = texts?.map((text) => parseRecurrence(text, now)) ?? base?.recurrences ?? []
  return Schedule.fromPartial({
    ...base,
    recurrences,
    timeZone: tz ?? base?.timeZone ?? '',
    ...(jitter !== undefined && { jitter: readSpan('--jitter', jitter) }),
    ...(catchUp !== undefined && { catchUp: { ...base?.catchUp, policy: readCatchUp(catchUp) } }),
    ...(excludeCalendar && { excludeCalendars: calendarNames(excludeCalendar) }),
    ...(onlyCalendar && { onlyCalendars: calendarNames(onlyCalendar) }),
  })
}

function readCatchUp(text: string): CatchUp_Policy {
  return enumFromWord(CatchUp_Policy, readWord('--catch-up', text, wordsOf(CatchUp_Policy)))
}

function calendarNames(texts: readonly string[]): string[] {
  return withoutNone(texts).map((text) => toName('calendars', text))
}

/** `backup`, `backup:failed`, `jobs/backup:completed`. */
export function parseDependency(text: string): Dependency {
  const at = text.indexOf(':')
  const job = toName('jobs', at < 0 ? text : text.slice(0, at))
  const when =
    at < 0 ? 'succeeded' : readWord('--after', text.slice(at + 1), wordsOf(Dependency_When))
  return Dependency.fromPartial({ job, when: enumFromWord(Dependency_When, when) })
}

function recurrence(kind: NonNullable<Recurrence['kind']>): Recurrence {
  return Recurrence.fromPartial({ kind })
}

/** `10s`, `every 10s`, `every 10 seconds`, `every minute` in ms. `every day` is none: it means midnight, not 24 hours. */
function parseInterval(text: string): number | undefined {
  const span = text
    .replace(/^@?every\s+/i, '')
    .replace(/\s*(second|minute|hour)s?\b/gi, (_match, unit: string) =>
      unit.charAt(0).toLowerCase(),
    )
  return parseDurationMs(/^[smh]$/.test(span) && span !== text ? `1${span}` : span)
}

function fromNow(text: string, now: Date): Date | undefined {
  const durationMs = /^in\s/i.test(text) ? parseDurationMs(text.slice(2)) : undefined
  return durationMs === undefined ? undefined : new Date(now.getTime() + durationMs)
}

/** A macro, or several words of which the first can only be a cron field: the coordinator says what is wrong with it. */
function isCronLike(text: string): boolean {
  return /^@\w+/.test(text) || /^[\d*?,/HL-]+\s+\S/.test(text)
}
