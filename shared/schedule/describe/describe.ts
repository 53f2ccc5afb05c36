/** Any rule in words that a person reads at a glance: `every weekday at 09:30`. */
import { isoSeconds } from '../../rfc-3339.ts'
import type { CronRule } from '../cron/cron-expression.ts'
import type { ScheduleRule } from '../rule-text.ts'
import { describeDays } from './describe-days.ts'
import { describeTime } from './describe-time.ts'
import { countOf, joinWords } from './words.ts'

/** Begins with a small letter; says nothing of the zone. */
export function describeRules(rules: readonly ScheduleRule[]): string {
  return rules.map(describeRule).join('; and ')
}

function describeRule(rule: ScheduleRule): string {
  switch (rule.kind) {
    case 'cron':
      return describeCron(rule)
    case 'every': {
      const phase =
        rule.phaseMs === undefined ? '' : `, ${span(rule.phaseMs)} after 00:00 UTC of 1970-01-01`
      return `every ${span(rule.everyMs).replace(/^1 (\w+)$/, '$1')}${phase}`
    }
    case 'at':
      return `once at ${isoSeconds(new Date(rule.atMs))}`
  }
}

function describeCron(rule: CronRule): string {
  const days = describeDays(rule)
  const { text, isFrequency } = describeTime(rule)
  if (isFrequency) return days === undefined ? text : `${text}, ${days}`
  return `${days ?? 'every day'} ${text}`
}

const UNITS = [
  [86_400_000, 'day'],
  [3_600_000, 'hour'],
  [60_000, 'minute'],
  [1_000, 'second'],
] as const

/** `1 hour and 30 minutes`, to the second. */
function span(durationMs: number): string {
  // `90 seconds` is said so.
  if (durationMs % 60_000 !== 0 && durationMs < 600_000)
    return countOf(durationMs / 1_000, 'second')
  let restMs = durationMs
  const parts = UNITS.flatMap(([unitMs, unit]) => {
    const count = Math.floor(restMs / unitMs)
    restMs -= count * unitMs
    return count === 0 ? [] : [countOf(count, unit)]
  })
  return joinWords(parts.length === 0 ? ['0 seconds'] : parts)
}
