/** Makes a cron rule ready to be walked: its hashes picked, its fields as bits. */
import { DAY_S, dayNumber } from '../civil.ts'
import type { WallRule } from '../next-instant.ts'
import { seedFraction } from '../seed-fraction.ts'
import { toBits, toSixtyBits } from './bits.ts'
import type { CronRule } from './cron-expression.ts'
import {
  CRON_FIELD_RULES,
  type CronField,
  type CronFieldRule,
  DAY_OF_MONTH_RULE,
  DAY_OF_WEEK_RULE,
  MONTH_RULE,
} from './cron-field.ts'
import { type CronTimes, nextWallTime } from './cron-times.ts'
import { cronValues } from './cron-values.ts'
import type { DayRule } from './month-days.ts'

/** Fraction in [0, 1) that resolves every `H` of a field. */
type Fraction = (rule: CronFieldRule) => number

/** `seed` picks the values of every `H`, always the same for one seed: the job's uid. */
export function compileCron(rule: CronRule, seed: string): WallRule {
  const times = toTimes(rule, ({ name }) => seedFraction(seed, name))
  return {
    isInterval: isInterval(rule),
    start: rule.step === undefined ? -Infinity : rule.step.from * DAY_S,
    nextWall: (after) => nextWallTime(times, after),
  }
}

/** Minute or hour begins with `*`: Vixie cron then follows elapsed time. */
export function isInterval({ fields: [, minute, hour] }: CronRule): boolean {
  return minute.isStar || hour.isStar
}

/** Where the search for a first day begins: nothing before the anchor of a step is due. */
const FIRST_DAY = dayNumber(2000, 1, 1)

/** True when some job, by its hashes, would have no day in 400 years: 30 February and its like. */
export function isNeverDue(rule: CronRule): boolean {
  if (isSurelyDue(rule)) return false
  const from = Math.max(FIRST_DAY, rule.step?.from ?? FIRST_DAY) * DAY_S - 1
  return possibleTimes(rule).some((times) => nextWallTime(times, from) === Infinity)
}

const EVERY_WEEKDAY = 0x7f
const EVERY_DATE = 0x7fffffff
/** Days that each month has. */
const ANY_MONTH = 0x0fffffff

/** Spares most rules the search: whatever the hashes pick, each month has a day. */
function isSurelyDue(rule: CronRule): boolean {
  if (rule.step !== undefined) return false
  const [, , , day, , weekday] = rule.fields
  const days = possibleBits(day, DAY_OF_MONTH_RULE, -1)
  const weekdays = possibleBits(weekday, DAY_OF_WEEK_RULE, 0)
  const hasDate = days.every((bits) => (bits & ANY_MONTH) !== 0)
  const hasWeekday = weekdays.every((bits) => bits !== 0)
  if (!day.isStar && !weekday.isStar) return hasDate || hasWeekday
  const isDateFree = days[0] === EVERY_DATE
  const isWeekdayFree = weekdays[0] === EVERY_WEEKDAY
  return (hasDate && isWeekdayFree) || (hasWeekday && isDateFree)
}

/** The rule with every combination of days, months and weekdays that its hashes may pick. */
function possibleTimes(rule: CronRule): CronTimes[] {
  const times = toTimes(rule, () => 0)
  const [, , , day, month, weekday] = rule.fields
  const days = possibleBits(day, DAY_OF_MONTH_RULE, -1)
  const weekdays = possibleBits(weekday, DAY_OF_WEEK_RULE, 0)
  return possibleBits(month, MONTH_RULE, 0).flatMap((months) =>
    days.flatMap((dates) =>
      weekdays.map((weekdayBits) => ({
        ...times,
        months,
        days: { ...times.days, days: dates, weekdays: weekdayBits },
      })),
    ),
  )
}

/** Each different set of values, moved by `shift`, that the hashes of a field may pick. */
function possibleBits(field: CronField, rule: CronFieldRule, shift: number): number[] {
  const size = rule.max - rule.min + 1
  const fractions = hasHash(field)
    ? Array.from({ length: size * 2 }, (_, index) => index / size / 2)
    : [0]
  const bits = fractions.map((fraction) =>
    toBits(cronValues(field, rule, () => fraction).map((value) => value + shift)),
  )
  return [...new Set(bits)]
}

/** True when the hash of the job picks values of the field. */
export function hasHash({ items }: CronField): boolean {
  return items.some(({ kind }) => kind === 'hashed')
}

function toTimes({ fields, step }: CronRule, fraction: Fraction): CronTimes {
  const [second, minute, hour, day, month, weekday] = fields
  const values = (field: CronField, index: number) => {
    const rule = CRON_FIELD_RULES[index]
    return rule === undefined ? [] : cronValues(field, rule, () => fraction(rule))
  }
  const days: DayRule = {
    days: toBits(values(day, 3).map((value) => value - 1)),
    weekdays: toBits(values(weekday, 5)),
    isBoth: day.isStar || weekday.isStar,
    step,
    ...specialDates(day),
    ...specialWeekdays(weekday),
  }
  return {
    seconds: toSixtyBits(values(second, 0)),
    minutes: toSixtyBits(values(minute, 1)),
    hours: toBits(values(hour, 2)),
    months: toBits(values(month, 4)),
    days,
  }
}

type SpecialDates = Pick<DayRule, 'fromLast' | 'nearWeekday' | 'isLastWeekday'>

function specialDates({ items }: CronField): SpecialDates {
  const near = items.filter((item) => item.kind === 'near_weekday')
  return {
    fromLast: items.flatMap((item) => (item.kind === 'from_last' ? [item.distance] : [])),
    nearWeekday: near.flatMap(({ day }) => (day === undefined ? [] : [day])),
    isLastWeekday: near.some(({ day }) => day === undefined),
  }
}

function specialWeekdays({ items }: CronField): Pick<DayRule, 'nth' | 'lastOf'> {
  return {
    nth: items.filter((item) => item.kind === 'nth_weekday'),
    lastOf: items.flatMap((item) => (item.kind === 'last_weekday' ? [item.weekday] : [])),
  }
}
