/** A whole cron expression: its form, and what is wrong with it. */
import { assert } from '../../shared/assert.ts'
import { parseDurationMs } from '../../shared/duration.ts'
import { nearNames } from '../../shared/near-names.ts'
import {
  CRON_FIELD_RULES,
  type CronField,
  cronFieldValues,
  DAY_OF_MONTH_RULE,
  MONTH_RULE,
  readCronField,
} from './cron-field.ts'

export interface CronProblem {
  readonly message: string
  /** Character of the expression at which the wrong part begins, from 1. */
  readonly position: number
  readonly hint: string
}

type ParsedCron =
  | { readonly kind: 'interval'; readonly everyMs: number }
  /** One field for each of CRON_FIELD_RULES. */
  | { readonly kind: 'fields'; readonly fields: readonly CronField[] }

type Reading = ParsedCron | { readonly kind: 'problem'; readonly problem: CronProblem }

/** Longest interval, in ms: 365 days. */
const EVERY_MS_MAX = 365 * 86_400_000

const MACROS: Readonly<Record<string, string>> = {
  '@yearly': '0 0 1 1 *',
  '@annually': '0 0 1 1 *',
  '@monthly': '0 0 1 * *',
  '@weekly': '0 0 * * 0',
  '@daily': '0 0 * * *',
  '@midnight': '0 0 * * *',
  '@hourly': '0 * * * *',
}

const HINT =
  'Use five fields (minute hour day month weekday), six with seconds first, or a macro such as @daily.'

/** Twice what it takes to list every value of every field. */
const LENGTH_MAX = 1_000

/** The largest that a random fraction may be, nearly. */
const HIGHEST_FRACTION = 1 - Number.EPSILON

/** Days of the months of a leap year. */
const MONTH_DAYS = [31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31]

export function readCron(expression: string): Reading {
  if (expression.length > LENGTH_MAX) {
    return problem(`is longer than ${LENGTH_MAX} characters`, LENGTH_MAX)
  }
  const words = [...expression.matchAll(/\S+/g)].map(({ 0: text, index }) => ({ text, at: index }))
  const [first] = words
  if (first === undefined) return problem('is blank', 0)
  if (first.text.startsWith('@')) return readMacro(expression.trim(), first.at)
  if (words.length === 5) return readFields([{ text: '0', at: first.at }, ...words])
  if (words.length === 6) return readFields(words)
  const wrong = words[6] ?? { at: expression.trimEnd().length }
  return problem(`has ${words.length} fields instead of 5 or 6`, wrong.at)
}

function readMacro(text: string, at: number): Reading {
  const macro = text.toLowerCase()
  const expansion = MACROS[macro]
  if (expansion !== undefined) return readCron(expansion)
  if (/^@every\b/.test(macro)) return readEvery(text.slice('@every'.length), at)
  if (macro === '@reboot') {
    return problem('@reboot has no meaning for a job that runs on any worker', at, 'Use a time.')
  }
  const near = nearNames(macro, [...Object.keys(MACROS), '@every'])
  const names = near.length > 0 ? near : [...Object.keys(MACROS), '@every 90s']
  return problem(`${quote(text)} is not a known macro`, at, `Did you mean ${names.join(', ')}?`)
}

function readEvery(text: string, at: number): Reading {
  const everyMs = parseDurationMs(text)
  const position = at + '@every'.length + (text.length - text.trimStart().length)
  if (everyMs === undefined) {
    return problem(
      `${quote(text.trim())} is not a duration`,
      position,
      'Write @every 90s or 1h30m.',
    )
  }
  if (everyMs >= 1_000 && everyMs <= EVERY_MS_MAX && everyMs % 1_000 === 0) {
    return { kind: 'interval', everyMs }
  }
  return problem(
    `the interval ${quote(text.trim())} is not a number of whole seconds from 1 s to 365 d`,
    position,
    'Write @every 90s or 1h30m.',
  )
}

interface Word {
  readonly text: string
  /** Index within the expression. */
  readonly at: number
}

function readFields(words: readonly Word[]): Reading {
  const fields: CronField[] = []
  for (const [index, rule] of CRON_FIELD_RULES.entries()) {
    const word = words[index]
    assert(word !== undefined, 'there is a word for each field')
    const field = readCronField(word.text, rule)
    if (field.kind === 'problem') {
      return problem(field.message, word.at + field.offset, field.hint)
    }
    fields.push(field)
  }
  return isImpossible(fields)
    ? problem('names a day that none of its months has', words[3]?.at ?? 0, 'February ends at 29.')
    : { kind: 'fields', fields }
}

/** True for 30 February and its like. A weekday beside the day rescues it, since either one makes the job due. */
function isImpossible(fields: readonly CronField[]): boolean {
  const [, , , days, months, weekdays] = fields
  if (!days || !months || !weekdays?.isWildcard) return false
  if (days.items.some(({ kind }) => kind === 'last')) return false
  // An H must be right for every seed: its latest day, in each month that it may pick.
  const firstDay = cronFieldValues(days, DAY_OF_MONTH_RULE, HIGHEST_FRACTION).numbers[0] ?? 1
  return MONTH_DAYS.some((_, index) => {
    const chosen = cronFieldValues(months, MONTH_RULE, index / MONTH_DAYS.length).numbers
    return chosen.every((month) => firstDay > (MONTH_DAYS[month - 1] ?? 0))
  })
}

function problem(message: string, at: number, hint: string = HINT): Reading {
  return { kind: 'problem', problem: { message, position: at + 1, hint } }
}

function quote(text: string): string {
  return JSON.stringify(text.slice(0, 40))
}
