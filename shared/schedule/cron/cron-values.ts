/**
 * The numbers that a field of cron stands for. Ranges and steps are read by cron-parser, item by item and each text once;
 * it never sees a whole expression, with whose days, zones and lists it is wrong now and then (decision 0016).
 */
import { CronExpressionParser } from 'cron-parser'
import { assert } from '../../assert.ts'
import { RecentlyUsed } from '../../recently-used.ts'
import {
  CRON_FIELD_RULES,
  type CronField,
  type CronFieldRule,
  type CronItem,
  DAY_OF_WEEK_RULE,
} from './cron-field.ts'

/** What cron-parser calls the fields, in the same order. */
const NAMES = ['second', 'minute', 'hour', 'dayOfMonth', 'month', 'dayOfWeek'] as const

/** Any moment will do: only fields are read. Without it each reading asks for the time of day. */
const OPTIONS = { tz: 'UTC', currentDate: new Date(0) }

/** A hundred thousand jobs share few fields. */
const TEXTS_MAX = 5_000
const texts = new RecentlyUsed<readonly number[]>(TEXTS_MAX)

/**
 * Ascending, without repeats; Sunday is 0. Items that depend on the month (L, W, #) have no numbers. `fraction`, in [0, 1),
 * resolves every `H` of the field.
 */
export function cronValues(
  field: CronField,
  rule: CronFieldRule,
  fraction: () => number,
): readonly number[] {
  const numbers = field.items.flatMap((item) => {
    const text = plainText(item, fraction)
    return text === undefined ? [] : readPlain(text, rule)
  })
  return [...new Set(numbers)].sort((a, b) => a - b)
}

/** The item with its names and hashes as numbers. */
function plainText(item: CronItem, fraction: () => number): string | undefined {
  if (item.kind === 'range') return `${item.from}-${item.to}/${item.step}`
  if (item.kind !== 'hashed') return undefined
  const choices = item.step === 0 ? item.to - item.from + 1 : item.step
  const first = item.from + Math.floor(fraction() * choices)
  return item.step === 0 ? `${first}` : `${first}-${item.to}/${item.step}`
}

function readPlain(text: string, rule: CronFieldRule): readonly number[] {
  const index = CRON_FIELD_RULES.indexOf(rule)
  return texts.get(`${index} ${text}`, () => parse(text, index))
}

function parse(text: string, index: number): readonly number[] {
  const name = NAMES[index]
  assert(name !== undefined, 'there is a field of this name')
  const expression = NAMES.map((each) => (each === name ? text : '*')).join(' ')
  const { values } = CronExpressionParser.parse(expression, OPTIONS).fields[name]
  const numbers = values.map(Number)
  assert(numbers.every(Number.isInteger), `${text} is plain numbers`)
  const isWeekday = CRON_FIELD_RULES[index] === DAY_OF_WEEK_RULE
  return isWeekday ? numbers.map((day) => day % 7) : numbers
}
