/** Changes of the clock within a year that touch a due time, and what becomes of it by the chosen policy. */
import { DAY_S } from './civil.ts'
import { compileCron, isInterval } from './cron/cron.ts'
import type { CronRule } from './cron/cron-expression.ts'
import { isFree } from './cron/free-field.ts'
import { formatDay } from './describe/day-text.ts'
import { joinWords } from './describe/words.ts'
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

export interface DstSurprise {
  /** When the clocks change, in seconds since the Unix epoch. */
  readonly at: number
  /** The local day, e.g. `2027-03-28`. */
  readonly date: string
  /** What the clocks do: leave times out, or repeat them. */
  readonly kind: 'gap' | 'fold'
  readonly message: string
}

const YEAR_S = 366 * DAY_S

/** In order of time; none of intervals, one-shots and zones whose clocks stay. */
export function dstSurprises(place: RulesInPlace): DstSurprise[] {
  const crons = place.rules.filter((rule) => rule.kind === 'cron')
  const surprises: DstSurprise[] = []
  const until = place.from + YEAR_S
  let stretch = place.zone.stretchAt(place.from)
  while (stretch.end < until) {
    const next = place.zone.stretchAt(stretch.end)
    const { start, offset, offsetBefore } = next
    const kind = offset > offsetBefore ? ('gap' as const) : ('fold' as const)
    const date = formatDay(Math.floor((start + offsetBefore) / DAY_S))
    const messages = crons.flatMap((rule) => changeMessages(rule, next, place))
    surprises.push(...[...new Set(messages)].map((message) => ({ at: start, date, kind, message })))
    stretch = next
  }
  return surprises
}

/** Of the change with which the stretch begins. */
function changeMessages(rule: CronRule, stretch: Stretch, place: RulesInPlace): string[] {
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
