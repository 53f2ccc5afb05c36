/** The days of a cron rule in words. */
import type { CronRule } from '../cron/cron-expression.ts'
import {
  type CronField,
  type CronItem,
  DAY_OF_MONTH_RULE,
  DAY_OF_WEEK_RULE,
  MONTH_RULE,
} from '../cron/cron-field.ts'
import { cronValues } from '../cron/cron-values.ts'
import type { DayStep } from '../cron/month-days.ts'
import { formatDay } from './day-text.ts'
import {
  countOf,
  joinWords,
  MONTH_NAMES,
  ORDINAL_NAMES,
  ordinal,
  rangeWords,
  WEEKDAY_NAMES,
} from './words.ts'

/** `every weekday`, `on the 1st of the month in January`; undefined for every day. */
export function describeDays({
  fields: [, , , day, month, weekday],
  step,
}: CronRule): string | undefined {
  const dates = isFree(day, 31) ? undefined : dateWords(day)
  const weekdays = isFree(weekday, 7) ? undefined : weekdayWords(weekday)
  const isBoth = day.isStar || weekday.isStar
  const months = isFree(month, 12) ? undefined : monthWords(month)
  const days = combine(dates, weekdays, isBoth)
  const parts = [days, months, step === undefined ? undefined : stepWords(step)]
  const told = parts.filter((part) => part !== undefined)
  if (told.length === 0) return undefined
  // `in May` alone would leave out that it is each day of May.
  return days === undefined && step?.unit !== 'day'
    ? ['every day', ...told].join(' ')
    : told.join(' ')
}

function combine(
  dates: string | undefined,
  weekdays: string | undefined,
  isBoth: boolean,
): string | undefined {
  if (dates === undefined || weekdays === undefined) {
    // Without a star on either side the other field makes every day right.
    return isBoth ? (dates ?? weekdays) : undefined
  }
  return isBoth
    ? `${dates}, if it is also ${weekdays.replace(/^(on|every) /, '')}`
    : `${dates} or ${weekdays}`
}

function dateWords(field: CronField): string {
  const values = cronValues({ ...field, items: notHashed(field) }, DAY_OF_MONTH_RULE, () => 0)
  const [item, ...others] = field.items
  if (item?.kind === 'range' && item.step > 1 && others.length === 0 && values.length > 3) {
    const from = item.from === 1 ? '' : ` from the ${ordinal(item.from)} on`
    const to = item.to === 31 ? '' : ` to the ${ordinal(item.to)}`
    return `on every ${ordinal(item.step)} day of the month${from}${to} (the ${values.slice(0, 3).map(ordinal).join(', ')} ...)`
  }
  const words = [
    ...(values.length === 0 ? [] : [`the ${rangeWords(values, ordinal)}`]),
    ...field.items.flatMap(dateItemWords),
  ]
  return `on ${joinWords(words)} of the month`
}

function dateItemWords(item: CronItem): string[] {
  switch (item.kind) {
    case 'from_last':
      return [
        item.distance === 0
          ? 'the last day'
          : `${countOf(item.distance, 'day')} before the last day`,
      ]
    case 'near_weekday':
      return [
        item.day === undefined
          ? 'the last weekday (Monday to Friday)'
          : `the weekday (Monday to Friday) nearest to the ${ordinal(item.day)}`,
      ]
    case 'hashed':
      return [`a day from the ${ordinal(item.from)} to the ${ordinal(item.to)} picked by the job`]
    default:
      return []
  }
}

function weekdayWords(field: CronField): string {
  const values = cronValues({ ...field, items: notHashed(field) }, DAY_OF_WEEK_RULE, () => 0)
  const specials = field.items.flatMap(weekdayItemWords)
  if (specials.length === 0 && values.join() === '1,2,3,4,5') return 'every weekday'
  const words = [...(values.length === 0 ? [] : [weekdayNames(values)]), ...specials]
  return `on ${joinWords(words)}`
}

/** From Monday on, as people count weeks. */
function weekdayNames(values: readonly number[]): string {
  const fromMonday = values.map((value) => (value + 6) % 7).sort((a, b) => a - b)
  return rangeWords(fromMonday, (value) => WEEKDAY_NAMES[(value + 1) % 7] ?? '')
}

function weekdayItemWords(item: CronItem): string[] {
  switch (item.kind) {
    case 'last_weekday':
      return [`the last ${WEEKDAY_NAMES[item.weekday]} of the month`]
    case 'nth_weekday':
      return [`the ${ORDINAL_NAMES[item.nth - 1]} ${WEEKDAY_NAMES[item.weekday]} of the month`]
    case 'hashed':
      return [`a weekday picked by the job`]
    default:
      return []
  }
}

function monthWords(field: CronField): string {
  if (notHashed(field).length < field.items.length) return 'in a month picked by the job'
  const values = cronValues(field, MONTH_RULE, () => 0)
  return `in ${rangeWords(values, (month) => MONTH_NAMES[month - 1] ?? '')}`
}

function stepWords({ every, unit, from }: DayStep): string {
  const often = every === 1 ? `every ${unit}` : `every ${countOf(every, unit)}`
  return `${often} from ${formatDay(from)}`
}

function notHashed({ items }: CronField): CronItem[] {
  return items.filter(({ kind }) => kind !== 'hashed')
}

/** Every day of the field. */
function isFree({ items }: CronField, size: number): boolean {
  return items.some(
    (item) => item.kind === 'range' && item.step === 1 && item.to - item.from >= size - 1,
  )
}
