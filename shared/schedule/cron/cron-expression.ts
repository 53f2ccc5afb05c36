/** A whole cron expression: its form, and what is wrong with it. */
import { assert } from '../../assert.ts'
import { nearNames } from '../../near-names.ts'
import { quote, type RuleProblem, ruleProblem, type Word } from '../rule-problem.ts'
import { CRON_FIELD_RULES, type CronField, readCronField } from './cron-field.ts'
import { readDayStep } from './day-step.ts'
import type { DayStep } from './month-days.ts'

/** Due at wall-clock times. */
export interface CronRule {
  readonly kind: 'cron'
  /** One field for each of CRON_FIELD_RULES. */
  readonly fields: CronFields
  readonly step: DayStep | undefined
}

export type CronFields = readonly [
  second: CronField,
  minute: CronField,
  hour: CronField,
  day: CronField,
  month: CronField,
  weekday: CronField,
]

const MACROS: Readonly<Record<string, string>> = {
  '@yearly': '0 0 1 1 *',
  '@annually': '0 0 1 1 *',
  '@monthly': '0 0 1 * *',
  '@weekly': '0 0 * * 0',
  '@daily': '0 0 * * *',
  '@midnight': '0 0 * * *',
  '@hourly': '0 * * * *',
}

/** Not cron, but written like macros; rule-text.ts reads them. */
const OTHER_MACROS = ['@every', '@at']

/** Reads five or six fields, or a macro; `at` is where the text begins in what the user wrote, from 0. */
export function readCronText(text: string, at: number): CronRule | RuleProblem {
  const words = [...text.matchAll(/\S+/g)].map((match) => ({
    text: match[0],
    at: at + match.index,
  }))
  const [first] = words
  if (first === undefined) return ruleProblem('is blank', at)
  if (first.text.startsWith('@')) return readMacro(text.trim(), first.at)
  const stepAt = words.findIndex((word) => word.text.toLowerCase() === 'every')
  const step = stepAt < 0 ? undefined : readDayStep(words.slice(stepAt), at + text.trimEnd().length)
  if (step?.kind === 'problem') return step
  const fields = stepAt < 0 ? words : words.slice(0, stepAt)
  if (fields.length === 5) return readFields([{ text: '0', at: first.at }, ...fields], step)
  if (fields.length === 6) return readFields(fields, step)
  const wrong = fields[6] ?? { at: at + text.trimEnd().length }
  return ruleProblem(`has ${fields.length} fields instead of 5 or 6`, wrong.at)
}

function readMacro(text: string, at: number): CronRule | RuleProblem {
  const macro = text.toLowerCase()
  const expansion = MACROS[macro]
  if (expansion !== undefined) return readCronText(expansion, 0)
  if (macro === '@reboot') {
    return ruleProblem(
      '@reboot has no meaning for a job that runs on any worker',
      at,
      'Use a time.',
    )
  }
  const known = [...Object.keys(MACROS), ...OTHER_MACROS]
  const near = nearNames(macro, known)
  const names = near.length > 0 ? near : [...Object.keys(MACROS), '@every 90s']
  return ruleProblem(`${quote(text)} is not a known macro`, at, `Did you mean ${names.join(', ')}?`)
}

/** Index of the day of the month; month and weekday follow. */
const FIRST_DAY_FIELD = 3

function readFields(
  words: readonly Word[],
  step: { readonly step: DayStep } | undefined,
): CronRule | RuleProblem {
  const fields: CronField[] = []
  for (const [index, rule] of CRON_FIELD_RULES.entries()) {
    const word = words[index]
    assert(word !== undefined, 'there is a word for each field')
    const field = readCronField(word.text, rule)
    if (field.kind === 'problem') {
      return ruleProblem(field.message, word.at + field.offset, field.hint)
    }
    fields.push(field)
  }
  const dayHash = fields.findIndex(
    ({ items }, index) => index >= FIRST_DAY_FIELD && items.some(({ kind }) => kind === 'hashed'),
  )
  if (step !== undefined && dayHash >= 0) {
    return ruleProblem(
      'H cannot pick days beside "every"',
      words[dayHash]?.at ?? 0,
      'Name the day.',
    )
  }
  // One for each rule.
  return { kind: 'cron', fields: fields as unknown as CronFields, step: step?.step }
}
