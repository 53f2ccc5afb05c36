/** What may surprise in a schedule: told before it is saved. */

import { hasHash } from './cron/cron.ts'
import type { CronRule } from './cron/cron-expression.ts'
import { DAY_OF_MONTH_RULE } from './cron/cron-field.ts'
import { cronValues } from './cron/cron-values.ts'
import { isFree } from './cron/free-field.ts'
import { describeDays } from './describe/describe-days.ts'
import { ordinal } from './describe/words.ts'
import { dstSurprises, type RulesInPlace } from './dst-surprises.ts'
import type { ScheduleRule } from './rule-text.ts'

/** One sentence each; none when the schedule does what it seems to. */
export function scheduleWarnings(place: RulesInPlace): string[] {
  const warnings = place.rules.flatMap((rule) => {
    if (rule.kind === 'every' && rule.phaseMs === undefined) return [COUNTED_FROM]
    return rule.kind === 'cron' ? cronWarnings(rule, place) : []
  })
  return [...new Set(warnings)]
}

export interface RuleWarning {
  readonly code: 'DAYS_COMBINED' | 'DATE_MISSING'
  readonly message: string
}

/** Of one rule alone: nothing of the clocks, nor of how the times of a preview are meant. */
export function ruleWarnings(rule: ScheduleRule): RuleWarning[] {
  return rule.kind === 'cron' ? [...dayWarnings(rule), ...missingDateWarnings(rule)] : []
}

const COUNTED_FROM =
  'The interval is counted from the creation of the job; these times are those of a job created at the begin of this preview.'
const PICKED =
  'H is picked by the id of the job, so a job that is saved has its own times; these are those of one job.'

function cronWarnings(rule: CronRule, place: RulesInPlace): string[] {
  return [
    ...ruleWarnings(rule).map(({ message }) => message),
    ...(rule.fields.some(hasHash) ? [PICKED] : []),
    ...dstSurprises({ ...place, rules: [rule] }).map(({ message }) => message),
  ]
}

/** Both days restricted: either is enough, or both are needed, which people expect the other way round. */
function dayWarnings(rule: CronRule): RuleWarning[] {
  const [, , , day, , weekday] = rule.fields
  if (isFree(day, 31) || isFree(weekday, 7)) return []
  const days = describeDays({ ...rule, step: undefined }) ?? 'every day'
  const isBoth = day.isStar || weekday.isStar
  const message = isBoth
    ? 'One of the day fields begins with *, so the day of the month and the weekday must both match'
    : 'Day of month and weekday are both restricted, so either is enough, as in Vixie cron'
  return [{ code: 'DAYS_COMBINED', message: `${message}: ${days}.` }]
}

function missingDateWarnings({ fields: [, , , day, month, weekday] }: CronRule): RuleWarning[] {
  if (day.isStar || !isFree(weekday, 7) || !isFree(month, 12)) return []
  const isPlain = day.items.every(({ kind }) => kind === 'range')
  const dates = isPlain ? cronValues(day, DAY_OF_MONTH_RULE, () => 0) : []
  const [first] = dates
  if (first === undefined || first < 29) return []
  const message = `Months without a ${ordinal(first)} have no run; L is the last day of every month.`
  return [{ code: 'DATE_MISSING', message }]
}
