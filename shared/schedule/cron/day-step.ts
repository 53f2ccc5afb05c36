/** `every 2 weeks from 2026-11-24` behind a cron expression: only some of the days that it names. */
import { readDay } from '../civil.ts'
import { quote, type RuleProblem, ruleProblem, type Word } from '../rule-problem.ts'
import type { DayStep } from './month-days.ts'

const UNITS: Readonly<Record<string, DayStep['unit']>> = {
  day: 'day',
  days: 'day',
  week: 'week',
  weeks: 'week',
  month: 'month',
  months: 'month',
}

const EVERY_MAX = 1_000
const HINT = 'Write it like `0 9 * * TUE every 2 weeks from 2026-11-24`.'

/** `words` from `every` on; `end` is the index after the last of them. */
export function readDayStep(
  words: readonly Word[],
  end: number,
): { readonly kind: 'step'; readonly step: DayStep } | RuleProblem {
  const at = (index: number) => words[index]?.at ?? end
  const [, count, unitWord, from, date, extra] = words
  const every = Number(count?.text)
  if (!/^\d+$/.test(count?.text ?? '') || every < 1 || every > EVERY_MAX) {
    return ruleProblem(`after "every" comes a number from 1 to ${EVERY_MAX}`, at(1), HINT)
  }
  const unit = UNITS[unitWord?.text.toLowerCase() ?? '']
  if (unit === undefined) return ruleProblem('the unit is days, weeks or months', at(2), HINT)
  if (from?.text.toLowerCase() !== 'from') {
    return ruleProblem('it needs a day to count from', at(3), HINT)
  }
  const day = readDay(date?.text ?? '')
  if (day === undefined) {
    return ruleProblem(`${quote(date?.text ?? '')} is not a date`, at(4), HINT)
  }
  if (extra !== undefined) {
    return ruleProblem(`${quote(extra.text)} is too much`, extra.at, HINT)
  }
  return { kind: 'step', step: { every, unit, from: day } }
}
