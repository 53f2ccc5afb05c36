/** Cron expressions made together with what they mean, so that nothing has to be parsed to know it. */
import type { Dice } from './dice.ts'

export interface KnownDate {
  readonly year: number
  /** From 1. */
  readonly month: number
  readonly day: number
}

export interface KnownPattern {
  readonly text: string
  /** Minute or hour begins with `*`. */
  readonly isInterval: boolean
  matchesDate(date: KnownDate): boolean
  /** `second` counts from midnight. */
  matchesTime(second: number): boolean
}

interface KnownField {
  readonly text: string
  readonly values: ReadonlySet<number>
}

interface KnownDayField {
  readonly text: string
  matches(date: KnownDate): boolean
}

export interface PatternWish {
  /** Hours at which something happens to the clock: picked more often. */
  readonly hours: readonly number[]
  /** A day on which it happens. */
  readonly date: KnownDate
  readonly hasSeconds: boolean
}

const MONTHS = ['JAN', 'FEB', 'MAR', 'APR', 'MAY', 'JUN', 'JUL', 'AUG', 'SEP', 'OCT', 'NOV', 'DEC']
const WEEKDAYS = ['SUN', 'MON', 'TUE', 'WED', 'THU', 'FRI', 'SAT']

export function anyPattern(dice: Dice, wish: PatternWish): KnownPattern {
  const second = wish.hasSeconds ? anyNumbers(dice, { min: 0, max: 59, likely: [0] }) : undefined
  const minute = anyNumbers(dice, { min: 0, max: 59, likely: [0, 30] })
  const hour = anyNumbers(dice, { min: 0, max: 23, likely: wish.hours })
  const day = anyDayOfMonth(dice, wish.date)
  const month = anyMonth(dice, wish.date)
  const weekday = anyWeekday(dice, wish.date)
  const step = dice.chance(7) ? anyStep(dice, wish.date) : undefined
  const fields = [second, minute, hour, day, month, weekday].filter((field) => field !== undefined)
  const isBoth = /^[*?]/.test(day.text) || /^[*?]/.test(weekday.text)
  const seconds = second?.values ?? new Set([0])
  return {
    text: [...fields, step].flatMap((part) => (part === undefined ? [] : [part.text])).join(' '),
    isInterval: minute.text.startsWith('*') || hour.text.startsWith('*'),
    matchesDate(date) {
      const [isDay, isWeekday] = [day.matches(date), weekday.matches(date)]
      const isIn = isBoth ? isDay && isWeekday : isDay || isWeekday
      return isIn && month.values.has(date.month) && (step?.matches(date) ?? true)
    },
    matchesTime: (of) =>
      seconds.has(of % 60) &&
      minute.values.has(Math.floor(of / 60) % 60) &&
      hour.values.has(Math.floor(of / 3_600)),
  }
}

interface Bounds {
  readonly min: number
  readonly max: number
  readonly likely: readonly number[]
}

function anyNumbers(dice: Dice, bounds: Bounds): KnownField {
  const { min, max } = bounds
  const kind = dice.between(0, 9)
  if (kind <= 1) return { text: '*', values: numbers(min, max, 1) }
  if (kind === 2) {
    const step = dice.between(1, max)
    return { text: `*/${step}`, values: numbers(min, max, step) }
  }
  const items = Array.from({ length: kind < 7 ? 1 : dice.between(2, 4) }, () =>
    anyItem(dice, bounds),
  )
  return {
    text: items.map(({ text }) => text).join(','),
    values: new Set(items.flatMap(({ values }) => [...values])),
  }
}

function anyItem(dice: Dice, { min, max, likely }: Bounds): KnownField {
  const value = (dice.chance(60) ? dice.oneOf(likely) : undefined) ?? dice.between(min, max)
  const step = dice.between(1, Math.min(9, max))
  const to = dice.between(value, max)
  switch (dice.between(0, 5)) {
    case 0:
      return { text: `${value}-${to}`, values: numbers(value, to, 1) }
    case 1:
      return { text: `${value}-${to}/${step}`, values: numbers(value, to, step) }
    case 2:
      return { text: `${value}/${step}`, values: numbers(value, max, step) }
    default:
      return { text: `${value}`, values: new Set([value]) }
  }
}

function anyMonth(dice: Dice, { month }: KnownDate): KnownField {
  if (dice.chance(70)) return { text: '*', values: numbers(1, 12, 1) }
  if (dice.chance(30)) return { text: MONTHS[month - 1] ?? '', values: new Set([month]) }
  return anyNumbers(dice, { min: 1, max: 12, likely: [month] })
}

function anyDayOfMonth(dice: Dice, { day }: KnownDate): KnownDayField {
  if (dice.chance(55)) return { text: dice.chance(90) ? '*' : '?', matches: () => true }
  if (dice.chance(40)) return anySpecialDay(dice, day)
  const { text, values } = anyNumbers(dice, { min: 1, max: 31, likely: [day] })
  return { text, matches: (date) => values.has(date.day) }
}

function anySpecialDay(dice: Dice, day: number): KnownDayField {
  const distance = dice.between(0, 30)
  switch (dice.between(0, 3)) {
    case 0:
      return { text: 'L', matches: (date) => date.day === lastDay(date) }
    case 1:
      return { text: `L-${distance}`, matches: (date) => date.day === lastDay(date) - distance }
    case 2:
      return { text: 'LW', matches: (date) => date.day === nearestWorkday(date, lastDay(date)) }
    default:
      return {
        text: `${day}W`,
        matches: (date) => day <= lastDay(date) && date.day === nearestWorkday(date, day),
      }
  }
}

function anyWeekday(dice: Dice, date: KnownDate): KnownDayField {
  if (dice.chance(65)) return { text: '*', matches: () => true }
  const weekday = dice.chance(50) ? weekdayOf(date) : dice.between(0, 6)
  const nth = dice.between(1, 5)
  switch (dice.between(0, 3)) {
    case 0:
      return {
        text: `${dice.chance(50) ? weekday : WEEKDAYS[weekday]}#${nth}`,
        matches: (of) => weekdayOf(of) === weekday && Math.ceil(of.day / 7) === nth,
      }
    case 1:
      return {
        text: `${weekday === 0 ? 7 : weekday}L`,
        matches: (of) => weekdayOf(of) === weekday && of.day + 7 > lastDay(of),
      }
    case 2:
      return { text: WEEKDAYS[weekday] ?? '', matches: (of) => weekdayOf(of) === weekday }
    default: {
      const { text, values } = anyNumbers(dice, { min: 0, max: 7, likely: [weekday] })
      return { text, matches: (of) => isOneOf(values, weekdayOf(of)) }
    }
  }
}

/** 7 is Sunday too. */
function isOneOf(values: ReadonlySet<number>, weekday: number): boolean {
  return values.has(weekday) || (weekday === 0 && values.has(7))
}

function anyStep(dice: Dice, date: KnownDate): KnownDayField {
  const unit = dice.oneOf(['days', 'weeks', 'months'] as const)
  const every = dice.between(1, 4)
  const from = new Date(utc(date) - dice.between(-3, 200) * 86_400_000)
  const fromDate = {
    year: from.getUTCFullYear(),
    month: from.getUTCMonth() + 1,
    day: from.getUTCDate(),
  }
  const distance = {
    days: (of: KnownDate) => (utc(of) - utc(fromDate)) / 86_400_000,
    weeks: (of: KnownDate) => (monday(of) - monday(fromDate)) / (7 * 86_400_000),
    months: (of: KnownDate) => (of.year - fromDate.year) * 12 + of.month - fromDate.month,
  }[unit]
  return {
    text: `every ${every} ${unit} from ${from.toISOString().slice(0, 10)}`,
    matches: (of) => utc(of) >= utc(fromDate) && distance(of) % every === 0,
  }
}

function monday(date: KnownDate): number {
  return utc(date) - ((weekdayOf(date) + 6) % 7) * 86_400_000
}

function numbers(from: number, to: number, step: number): ReadonlySet<number> {
  const values = new Set<number>()
  for (let value = from; value <= to; value += step) values.add(value)
  return values
}

function utc({ year, month, day }: KnownDate): number {
  return Date.UTC(year, month - 1, day)
}

function weekdayOf(date: KnownDate): number {
  return new Date(utc(date)).getUTCDay()
}

function lastDay({ year, month }: KnownDate): number {
  return new Date(Date.UTC(year, month, 0)).getUTCDate()
}

/** The Monday to Friday of the month that lies nearest to the day. */
function nearestWorkday({ year, month }: KnownDate, day: number): number {
  const days = Array.from({ length: lastDay({ year, month, day }) }, (_, index) => index + 1)
  const workdays = days.filter((each) => weekdayOf({ year, month, day: each }) % 6 !== 0)
  return workdays.reduce((best, each) =>
    Math.abs(each - day) < Math.abs(best - day) ? each : best,
  )
}
