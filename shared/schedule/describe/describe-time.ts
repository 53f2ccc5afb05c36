/** The time of day of a cron rule in words. */
import type { CronRule } from '../cron/cron-expression.ts'
import {
  CRON_FIELD_RULES,
  type CronField,
  type CronFieldRule,
  HOUR_RULE,
  MINUTE_RULE,
} from '../cron/cron-field.ts'
import { cronValues } from '../cron/cron-values.ts'
import { clockTime, countOf, joinWords, rangeWords } from './words.ts'

/** More times of day than these are told by their fields. */
const TIMES_MAX = 8

export interface TimeWords {
  /** Follows the days: `at 09:30`. */
  readonly text: string
  /** Tells how often (`every 5 minutes`): nobody needs to hear that it is every day, too. */
  readonly isFrequency: boolean
}

export function describeTime({ fields: [second, minute, hour] }: CronRule): TimeWords {
  if ([second, minute, hour].some(isHashed)) {
    return { text: describeHashed({ second, minute, hour }), isFrequency: false }
  }
  const seconds = valuesOf(second, SECOND_RULE)
  if (seconds.length === 1 && seconds[0] === 0) return describeMinutes(minute, hour)
  const inner = describeMinutes(minute, hour)
  const often = frequency(second, SECOND_RULE)
  if (often !== undefined && isWhole(minute) && isWhole(hour)) {
    return { text: often, isFrequency: true }
  }
  const single = exactTimes(seconds, valuesOf(minute, MINUTE_RULE), valuesOf(hour, HOUR_RULE))
  if (single !== undefined) return { text: single, isFrequency: false }
  const which = often ?? `at second ${rangeWords(seconds, String)}`
  const rest = describeFields(minute, hour)
  return { text: `${which} ${rest}`, isFrequency: inner.isFrequency }
}

const SECOND_RULE = CRON_FIELD_RULES[0] ?? MINUTE_RULE

function describeMinutes(minute: CronField, hour: CronField): TimeWords {
  const minutes = valuesOf(minute, MINUTE_RULE)
  const hours = valuesOf(hour, HOUR_RULE)
  const often = frequency(minute, MINUTE_RULE)
  if (often !== undefined) {
    return { text: `${often}${duringHours(hour, hours)}`, isFrequency: true }
  }
  const everyHours = minutes.length === 1 ? frequency(hour, HOUR_RULE) : undefined
  if (everyHours !== undefined) {
    const offset = minutes[0] === 0 ? '' : ` at minute ${minutes[0]}`
    return { text: `${everyHours}${offset}`, isFrequency: true }
  }
  const times = exactTimes([0], minutes, hours)
  if (times !== undefined) return { text: times, isFrequency: false }
  const text = `at minute ${rangeWords(minutes, String)}${ofHours(hour, hours)}`
  return { text, isFrequency: isWhole(hour) }
}

/** Minutes and hours where seconds come before them. */
function describeFields(minute: CronField, hour: CronField): string {
  const minutes = valuesOf(minute, MINUTE_RULE)
  const hours = valuesOf(hour, HOUR_RULE)
  const often = frequency(minute, MINUTE_RULE)
  const which =
    often === undefined
      ? `of minute ${rangeWords(minutes, String)}`
      : `of ${often.replace('every minute', 'each minute')}`
  return `${which}${ofHours(hour, hours)}`
}

/** ` from 09:00 to 17:59`: all of these hours. */
function duringHours(hour: CronField, hours: readonly number[]): string {
  if (isWhole(hour)) return ''
  const [first = 0] = hours
  const last = hours.at(-1) ?? first
  if (last - first === hours.length - 1) {
    return ` from ${clockTime(first, 0)} to ${clockTime(last, 59)}`
  }
  return ` of the hours ${rangeWords(hours, String)}`
}

function ofHours(hour: CronField, hours: readonly number[]): string {
  if (isWhole(hour)) return ' of every hour'
  return ` of the hour${hours.length === 1 ? '' : 's'} ${rangeWords(hours, String)}`
}

/** `at 09:00 and 17:30`; undefined when there are too many to read. */
function exactTimes(
  seconds: readonly number[],
  minutes: readonly number[],
  hours: readonly number[],
): string | undefined {
  if (seconds.length * minutes.length * hours.length > TIMES_MAX) return undefined
  const times = hours.flatMap((hour) =>
    minutes.flatMap((minute) => seconds.map((second) => clockTime(hour, minute, second))),
  )
  return `at ${joinWords(times)}`
}

/** `every 5 minutes`, for a star or a step over the whole field that meets its end evenly. */
function frequency({ items }: CronField, rule: CronFieldRule): string | undefined {
  const [item, ...others] = items
  if (item?.kind !== 'range' || others.length > 0 || item.from !== rule.min) return undefined
  const size = rule.max - rule.min + 1
  if (item.to !== rule.max || size % item.step !== 0 || item.step === size) return undefined
  return item.step === 1 ? `every ${rule.name}` : `every ${countOf(item.step, rule.name)}`
}

function describeHashed(fields: Readonly<Record<'second' | 'minute' | 'hour', CronField>>): string {
  const parts = [
    { field: fields.second, rule: SECOND_RULE },
    { field: fields.minute, rule: MINUTE_RULE },
    { field: fields.hour, rule: HOUR_RULE },
  ].flatMap(({ field, rule }) => hashedPart(field, rule))
  return `at ${joinWords(parts)}`
}

function hashedPart(field: CronField, rule: CronFieldRule): string[] {
  if (isWhole(field)) return [`every ${rule.name}`]
  const [hashed] = field.items.filter((item) => item.kind === 'hashed')
  if (hashed !== undefined) {
    const steps = hashed.step === 0 ? '' : `, then every ${countOf(hashed.step, rule.name)},`
    return [
      `a ${rule.name} from ${hashed.from} to ${hashed.to}${steps} picked by the job`.replace(
        'a hour',
        'an hour',
      ),
    ]
  }
  const values = valuesOf(field, rule)
  if (rule === SECOND_RULE && values.length === 1 && values[0] === 0) return []
  return [`${rule.name} ${rangeWords(values, String)}`]
}

function isHashed({ items }: CronField): boolean {
  return items.some(({ kind }) => kind === 'hashed')
}

/** Every value, as in `*`. */
function isWhole({ items }: CronField): boolean {
  return items.some((item) => item.kind === 'range' && item.step === 1 && item.to - item.from >= 23)
}

function valuesOf(field: CronField, rule: CronFieldRule): readonly number[] {
  return cronValues(field, rule, () => 0)
}
