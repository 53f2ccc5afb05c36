/** What a person writes for a schedule: a rule, a time, or a sentence. */
import { didYouMean, show, violation } from '../errors/check-field.ts'
import type { FieldViolation } from '../errors/rota-error.ts'
import { parseRfc3339 } from '../rfc-3339.ts'
import { compileText } from './language/compile-text.ts'
import { readRules, type ScheduleRule } from './rule-text.ts'
import { checkTimeZone } from './zone/time-zone.ts'

export interface ExpressionToRead {
  /** What violations name. */
  readonly field: string
  readonly text: string
  readonly now: Date
  /** IANA name; blank for UTC. */
  readonly timeZone: string
}

export type ReadExpression =
  | { readonly kind: 'rules'; readonly compiled: string; readonly rules: readonly ScheduleRule[] }
  | { readonly kind: 'refused'; readonly violation: FieldViolation }

/** Never throws. The zone is one that checkTimeZone accepts. */
export function readExpression(expression: ExpressionToRead): ReadExpression {
  const { field, text } = expression
  const time = parseRfc3339(text)
  if (time !== undefined) return fromRule(field, `@at ${text.trim()}`)
  return isRuleLike(text)
    ? fromRule(field, text.trim() === '' ? '' : text)
    : readSentence(expression)
}

/** A macro, or cron at least in its first two words: what is wrong with it is then told as wrong cron. */
function isRuleLike(text: string): boolean {
  const words = text.trim().split(/\s+/)
  return (
    text.trim().startsWith('@') ||
    words.slice(0, 2).every((word) => /^[\d*?,/HLW#()-]*$/i.test(word))
  )
}

function fromRule(field: string, text: string): ReadExpression {
  const reading = readRules(text)
  if (reading.kind === 'rules') return { ...reading, compiled: text.trim() }
  const { message, position, hint } = reading
  const details = { message: `${show(text)}: ${message}, at character ${position}`, hint }
  return { kind: 'refused', violation: violation(field, { reason: 'CRON_INVALID', ...details }) }
}

/** Of a sentence alone. */
export function readSentence({ field, text, now, timeZone }: ExpressionToRead): ReadExpression {
  const reading = compileText({ text, now, timeZone })
  if (reading.kind === 'rule') return fromRule(field, reading.compiled)
  const place = reading.kind === 'problem' ? `, at character ${reading.position}` : ''
  return {
    kind: 'refused',
    violation: violation(field, {
      reason: reading.kind === 'ambiguous' ? 'SCHEDULE_AMBIGUOUS' : 'SCHEDULE_TEXT_INVALID',
      message: `${show(text)}: ${reading.message}${place}`,
      hint: reading.hint,
    }),
  }
}

/** None when `timeZone` is one, or blank. */
export function refuseTimeZone(field: string, timeZone: string): FieldViolation[] {
  const problem = checkTimeZone(timeZone)
  if (problem === undefined) return []
  const hint = didYouMean(problem.nearNames)
  const message = `${show(timeZone)} is no time zone`
  return [violation(field, { reason: 'TIME_ZONE_INVALID', message, hint })]
}
