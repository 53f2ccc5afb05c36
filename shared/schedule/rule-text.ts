/**
 * The one-line form of what a schedule says, as it is written, stored and shown: cron and macros, `@every`, `@at`, and
 * several of them joined by `;` (any of them makes the job due).
 */

import { parseDurationMs } from '../duration.ts'
import { parseRfc3339 } from '../rfc-3339.ts'
import { isNeverDue } from './cron/cron.ts'
import { type CronRule, readCronText } from './cron/cron-expression.ts'
import { quote, type RuleProblem, ruleProblem } from './rule-problem.ts'

export type ScheduleRule =
  | CronRule
  /** Elapsed time. Counted from the Unix epoch plus the phase; without a phase from an anchor, the creation of the job. */
  | { readonly kind: 'every'; readonly everyMs: number; readonly phaseMs: number | undefined }
  /** Once. */
  | { readonly kind: 'at'; readonly atMs: number }

export interface RuleList {
  readonly kind: 'rules'
  /** At least one. */
  readonly rules: readonly ScheduleRule[]
}

/** The shortest and the longest interval, in ms: a second and 365 days. */
export const EVERY_MS_MIN = 1_000
export const EVERY_MS_MAX = 365 * 86_400_000

/** Twice what it takes to list every value of every field. */
const LENGTH_MAX = 1_000
const RULES_MAX = 50

/** Reads one rule, or several joined by `;`. Never throws. */
export function readRules(text: string): RuleList | RuleProblem {
  if (text.length > LENGTH_MAX) {
    return ruleProblem(`is longer than ${LENGTH_MAX} characters`, LENGTH_MAX)
  }
  if (text.trim() === '') return ruleProblem('is blank', 0)
  const rules: ScheduleRule[] = []
  let at = 0
  for (const part of text.split(';')) {
    const rule = readRule(part, at)
    if (rule.kind === 'problem') return rule
    rules.push(rule)
    at += part.length + 1
  }
  if (rules.length <= RULES_MAX) return { kind: 'rules', rules }
  return ruleProblem(`has more than ${RULES_MAX} rules`, 0, 'Use ranges and lists.')
}

function readRule(text: string, at: number): ScheduleRule | RuleProblem {
  const start = at + text.length - text.trimStart().length
  const special = /^@(every|at)\b/i.exec(text.trim())
  if (special !== null) {
    const rest = { text: text.trim().slice(special[0].length), at: start + special[0].length }
    return special[1]?.toLowerCase() === 'every' ? readEvery(rest) : readAt(rest)
  }
  const rule = readCronText(text, at)
  if (rule.kind === 'problem' || !isNeverDue(rule)) return rule
  const words = [...text.matchAll(/\S+/g)]
  const day = words[words.length % 5 === 1 ? 3 : 2]
  return ruleProblem(
    'names days that never come',
    at + (day?.index ?? 0),
    'It would have no day in 400 years: no month has all that it asks for, e.g. February ends at 29.',
  )
}

interface Rest {
  readonly text: string
  readonly at: number
}

const EVERY_HINT = 'Write @every 90s or 1h30m, and @every 6h phase 15m for 00:15, 06:15, ... UTC.'

function readEvery({ text, at }: Rest): ScheduleRule | RuleProblem {
  const [, spanText = '', phaseText] = /^(.*?)(?:\bphase\b(.*))?$/is.exec(text) ?? []
  const spanAt = at + (text.length - text.trimStart().length)
  const everyMs = parseDurationMs(spanText)
  if (everyMs === undefined) {
    return ruleProblem(`${quote(spanText.trim())} is not a duration`, spanAt, EVERY_HINT)
  }
  if (everyMs < EVERY_MS_MIN || everyMs > EVERY_MS_MAX || everyMs % 1_000 !== 0) {
    return ruleProblem(
      `the interval ${quote(spanText.trim())} is not a number of whole seconds from 1 s to 365 d`,
      spanAt,
      EVERY_HINT,
    )
  }
  if (phaseText === undefined) return { kind: 'every', everyMs, phaseMs: undefined }
  const phaseMs = parseDurationMs(phaseText)
  if (phaseMs !== undefined && phaseMs < everyMs && phaseMs % 1_000 === 0) {
    return { kind: 'every', everyMs, phaseMs }
  }
  return ruleProblem(
    `the phase ${quote(phaseText.trim())} is not a duration of whole seconds below the interval`,
    at + text.length - phaseText.trimStart().length,
    EVERY_HINT,
  )
}

function readAt({ text, at }: Rest): ScheduleRule | RuleProblem {
  const time = parseRfc3339(text)
  if (time !== undefined) return { kind: 'at', atMs: time.getTime() }
  return ruleProblem(
    `${quote(text.trim())} is not a time with its offset from UTC`,
    at + (text.length - text.trimStart().length),
    'Write it like @at 2026-11-30T22:15:00Z.',
  )
}
