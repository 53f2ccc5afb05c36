/** What may surprise in a schedule: told before it is saved. */

import { compileCron, hasHash, isInterval } from './cron/cron.ts'
import type { CronRule } from './cron/cron-expression.ts'
import { type CronField, DAY_OF_MONTH_RULE } from './cron/cron-field.ts'
import { cronValues } from './cron/cron-values.ts'
import { describeDays } from './describe/describe-days.ts'
import { joinWords, ordinal } from './describe/words.ts'
import type { DstRule } from './next-instant.ts'
import type { ScheduleRule } from './rule-text.ts'
import { wallClock, wallText } from './zone/local-time.ts'
import type { Stretch, ZoneOffsets } from './zone/zone-offsets.ts'

export interface RulesInPlace {
  readonly rules: readonly ScheduleRule[]
  readonly zoneName: string
  readonly zone: ZoneOffsets
  readonly dst: DstRule
  /** Seconds since the Unix epoch. */
  readonly from: number
  readonly seed: string
}

const YEAR_S = 366 * 86_400

/** One sentence each; none when the schedule does what it seems to. */
export function scheduleWarnings(place: RulesInPlace): string[] {
  const warnings = place.rules.flatMap((rule) => {
    if (rule.kind === 'every' && rule.phaseMs === undefined) return [COUNTED_FROM]
    return rule.kind === 'cron' ? cronWarnings(rule, place) : []
  })
  return [...new Set(warnings)]
}

const COUNTED_FROM =
  'The interval is counted from the creation of the job; these times are those of a job created at the begin of this preview.'
const PICKED =
  'H is picked by the id of the job, so a job that is saved has its own times; these are those of one job.'

function cronWarnings(rule: CronRule, place: RulesInPlace): string[] {
  return [
    ...dayWarnings(rule),
    ...missingDateWarnings(rule),
    ...(rule.fields.some(hasHash) ? [PICKED] : []),
    ...dstWarnings(rule, place),
  ]
}

/** Both days restricted: either is enough, or both are needed, which people expect the other way round. */
function dayWarnings(rule: CronRule): string[] {
  const [, , , day, , weekday] = rule.fields
  if (isFree(day, 31) || isFree(weekday, 7)) return []
  const days = describeDays({ ...rule, step: undefined }) ?? 'every day'
  const isBoth = day.isStar || weekday.isStar
  const message = isBoth
    ? 'One of the day fields begins with *, so the day of the month and the weekday must both match'
    : 'Day of month and weekday are both restricted, so either is enough, as in Vixie cron'
  return [`${message}: ${days}.`]
}

/** Every day of the field, without the star of a step. */
function isFree({ items }: CronField, size: number): boolean {
  return items.some(
    (item) => item.kind === 'range' && item.step === 1 && item.to - item.from >= size - 1,
  )
}

function missingDateWarnings({ fields: [, , , day, month, weekday] }: CronRule): string[] {
  if (day.isStar || !isFree(weekday, 7) || !isFree(month, 12)) return []
  const isPlain = day.items.every(({ kind }) => kind === 'range')
  const dates = isPlain ? cronValues(day, DAY_OF_MONTH_RULE, () => 0) : []
  const [first] = dates
  if (first === undefined || first < 29) return []
  return [`Months without a ${ordinal(first)} have no run; L is the last day of every month.`]
}

/** Changes of the clock within a year that touch a due time. */
function dstWarnings(rule: CronRule, place: RulesInPlace): string[] {
  const warnings: string[] = []
  const until = place.from + YEAR_S
  let stretch = place.zone.stretchAt(place.from)
  while (stretch.end < until) {
    const next = place.zone.stretchAt(stretch.end)
    warnings.push(...changeWarnings(rule, next, place))
    stretch = next
  }
  return warnings
}

/** Of the change with which the stretch begins. */
function changeWarnings(rule: CronRule, stretch: Stretch, place: RulesInPlace): string[] {
  const { start, offset, offsetBefore } = stretch
  // All hours alike: elapsed time, in which nothing is lost or doubled.
  if (isInterval(rule) && isFree(rule.fields[2], 24)) return []
  const { nextWall } = compileCron(rule, place.seed)
  const [from, to] = [
    start + Math.min(offset, offsetBefore),
    start + Math.max(offset, offsetBefore),
  ]
  const walls: number[] = []
  for (
    let wall = nextWall(from - 1);
    wall < to && walls.length < TOLD_MAX + 1;
    wall = nextWall(wall)
  ) {
    walls.push(wall)
  }
  const [first] = walls
  if (first === undefined) return []
  const which = timesText(walls)
  const verb = walls.length > 1
  if (offset > offsetBefore) {
    const exist = `${which} ${verb ? 'do' : 'does'} not exist in ${place.zoneName}`
    return [`${exist}: ${gapText(rule, stretch, { walls, dst: place.dst })}.`]
  }
  const twice = `${which} ${verb ? 'come' : 'comes'} twice in ${place.zoneName}`
  return [`${twice}: ${foldText(rule, stretch, place.dst)}.`]
}

/** More times of one change are told by their first ones. */
const TOLD_MAX = 3

function timesText(walls: readonly number[]): string {
  const told = walls.slice(0, TOLD_MAX)
  const texts = told.map((wall, index) => (index === 0 ? wallText(wall) : wallClock(wall)))
  return walls.length > TOLD_MAX ? `${texts.join(', ')}, ...` : joinWords(texts)
}

function gapText(
  rule: CronRule,
  { start, offset, offsetBefore }: Stretch,
  { walls, dst }: { readonly walls: readonly number[]; readonly dst: DstRule },
): string {
  if (isInterval(rule)) return 'an interval (minute or hour begins with *) has no run then'
  if (dst.gap === 'skip') return 'skipped'
  if (dst.gap === 'run_after') return `runs once at ${wallClock(start + offset)}`
  const shifted = walls.slice(0, TOLD_MAX).map((wall) => wallClock(wall + offset - offsetBefore))
  return `runs at ${joinWords(shifted)}${walls.length > TOLD_MAX ? ', ...' : ''}`
}

function foldText(rule: CronRule, { start, offset, offsetBefore }: Stretch, dst: DstRule): string {
  if (isInterval(rule)) return 'an interval (minute or hour begins with *) runs in both passes'
  const change = `the clock goes back at ${wallClock(start + offsetBefore)} to ${wallClock(start + offset)}`
  if (dst.fold === 'both') return `runs both times; ${change}`
  return `runs the ${dst.fold === 'first' ? 'first' : 'second'} time only; ${change}`
}
