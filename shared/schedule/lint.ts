/** Errors and surprises of a whole schedule. */
import type { Schedule } from '../../proto/gen/rota/v1/job.ts'
import { formatDurationMs } from '../duration.ts'
import { CATALOGUE, type ErrorReason } from '../errors/catalogue.ts'
import { checkSchedule } from './check-schedule.ts'
import { compileTexts } from './compile-texts.ts'
import { dstSurprises } from './dst-surprises.ts'
import { type CompiledSchedule, compileSchedule, dstRule } from './next-due.ts'
import { rulesOf } from './recurrence-rules.ts'
import { type RuleWarning, ruleWarnings } from './warnings.ts'
import { ZoneOffsets } from './zone/zone-offsets.ts'

export type LintCode =
  | ErrorReason
  | RuleWarning['code']
  | 'DST_GAP'
  | 'DST_FOLD'
  | 'RECURRENCE_REPEATED'
  | 'SUB_MINUTE'
  | 'PILE_UP'

export interface LintFinding {
  readonly severity: 'error' | 'warning'
  readonly code: LintCode
  /** Path within the job, e.g. `spec.schedule.recurrences[0].cron`. */
  readonly field: string
  readonly message: string
  readonly hint: string
}

const HINTS: Readonly<Record<Exclude<LintCode, ErrorReason>, string>> = {
  DAYS_COMBINED: 'Leave one of the day fields at *, or keep it when it is meant.',
  DATE_MISSING: 'Write L for the last day of the month.',
  DST_GAP: 'Choose dst.gap, move the time out of the hour, or use UTC.',
  DST_FOLD: 'Choose dst.fold, move the time out of the hour, or use UTC.',
  RECURRENCE_REPEATED: 'Remove it: a time that several recurrences name is due once.',
  SUB_MINUTE: 'A job that is due so often may be better as one that runs on.',
  PILE_UP: 'Write H in the minute field: each job then has a minute of its own, always the same.',
}

/** Stands for the job that is not saved yet: what H picks is looked at for one of all. */
const SEED = 'lint'

/** What the coordinator would refuse, else what may surprise. A job without a schedule has no findings. */
export function lintSchedule(
  field: string,
  written: Schedule | undefined,
  now: Date,
): LintFinding[] {
  if (written === undefined) return []
  const schedule = compileTexts(written, now)
  const violations = checkSchedule(field, schedule, now)
  if (violations.length > 0) {
    return violations.map(({ field: place, reason, message, hint }) => {
      const advice = hint ?? CATALOGUE[reason].hint
      return { severity: 'error', code: reason, field: place, message, hint: advice }
    })
  }
  return [
    ...schedule.recurrences.flatMap((_, index) => lintRecurrence(field, schedule, { index, now })),
    ...repeated(field, schedule, now),
    ...tooOften(field, schedule, now),
  ]
}

/** One of several findings that are not of the coordinator. */
export function lintWarning(
  code: Exclude<LintCode, ErrorReason>,
  field: string,
  message: string,
): LintFinding {
  return { severity: 'warning', code, field, message, hint: HINTS[code] }
}

function lintRecurrence(
  field: string,
  schedule: Schedule,
  { index, now }: { readonly index: number; readonly now: Date },
): LintFinding[] {
  const recurrence = schedule.recurrences[index]
  const rules = recurrence === undefined ? [] : rulesOf(recurrence)
  const place = `${field}.recurrences[${index}]`
  const zoneName = schedule.timeZone || 'UTC'
  const surprises = dstSurprises({
    ...{ rules, zoneName, seed: SEED },
    zone: new ZoneOffsets(zoneName),
    dst: dstRule(schedule),
    from: Math.floor(now.getTime() / 1_000),
  })
  return [
    ...rules.flatMap(ruleWarnings).map(({ code, message }) => lintWarning(code, place, message)),
    ...surprises.map(({ kind, message }) =>
      lintWarning(kind === 'gap' ? 'DST_GAP' : 'DST_FOLD', place, message),
    ),
  ]
}

/** So many due times tell what a schedule is like. */
const LOOKED_AT = 100

/** Recurrences all of whose due times are those of another one. */
function repeated(field: string, schedule: Schedule, now: Date): LintFinding[] {
  const walks = schedule.recurrences.map((recurrence) =>
    walkOf({ ...schedule, recurrences: [recurrence] }, now),
  )
  return walks.flatMap((walk, index) => {
    const times = nextTimes(walk, now.getTime())
    const other = walks.findIndex((each, at) => at !== index && includes(each, times))
    // Of two that are the same the later one is told.
    const isFirst = other > index && includes(walk, nextTimes(walks[other], now.getTime()))
    if (other < 0 || isFirst) return []
    const message = `is due only when recurrences[${other}] is, which makes it due already`
    return [lintWarning('RECURRENCE_REPEATED', `${field}.recurrences[${index}]`, message)]
  })
}

function includes(walk: CompiledSchedule, times: readonly number[]): boolean {
  return times.length > 0 && times.every((at) => walk.next(at - 1) === at)
}

function tooOften(field: string, schedule: Schedule, now: Date): LintFinding[] {
  const times = nextTimes(walkOf(schedule, now), now.getTime())
  const gaps = times.slice(1).map((at, index) => at - (times[index] ?? at))
  const shortestMs = Math.min(...gaps)
  if (shortestMs >= 60_000) return []
  const message = `is due as often as every ${formatDurationMs(shortestMs)}`
  return [lintWarning('SUB_MINUTE', `${field}.recurrences`, message)]
}

function walkOf(schedule: Schedule, anchor: Date): CompiledSchedule {
  return compileSchedule(schedule, { seed: SEED, anchor })
}

function nextTimes(walk: CompiledSchedule | undefined, fromMs: number): number[] {
  const times: number[] = []
  let atMs = fromMs
  while (walk !== undefined && times.length < LOOKED_AT) {
    atMs = walk.next(atMs)
    if (atMs === Infinity) break
    times.push(atMs)
  }
  return times
}
