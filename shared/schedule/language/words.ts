/** The words that a schedule in English is made of, as docs/schedule-language.md lists them. */
import { nearNames } from '../../near-names.ts'
import { MONTH_NAMES, WEEKDAY_NAMES } from '../describe/words.ts'

export type Unit = 'second' | 'minute' | 'hour' | 'day' | 'week' | 'month' | 'quarter' | 'year'

const UNIT_WORDS: Readonly<Record<Unit, readonly string[]>> = {
  second: ['second', 'seconds', 'sec', 'secs', 's'],
  minute: ['minute', 'minutes', 'min', 'mins', 'm'],
  hour: ['hour', 'hours', 'hr', 'hrs', 'h'],
  day: ['day', 'days', 'd'],
  week: ['week', 'weeks', 'w'],
  month: ['month', 'months'],
  quarter: ['quarter', 'quarters'],
  year: ['year', 'years'],
}
const units = new Map(
  Object.entries(UNIT_WORDS).flatMap(([unit, words]) => words.map((word) => [word, unit as Unit])),
)

/** True for a word that may be meant for a unit. */
export function isNearUnit(word: string): boolean {
  return (
    nearNames(
      word,
      [...units.keys()].filter(({ length }) => length > 2),
    ).length > 0
  )
}

/** Words for how often, as `every` and a unit would say it. */
export const FREQUENCIES: Readonly<
  Record<string, { readonly every: number; readonly unit: Unit }>
> = {
  hourly: { every: 1, unit: 'hour' },
  daily: { every: 1, unit: 'day' },
  weekly: { every: 1, unit: 'week' },
  fortnightly: { every: 2, unit: 'week' },
  monthly: { every: 1, unit: 'month' },
  quarterly: { every: 1, unit: 'quarter' },
  yearly: { every: 1, unit: 'year' },
  annually: { every: 1, unit: 'year' },
}

/** Words that say two things. */
export const TWO_MEANINGS: Readonly<Record<string, readonly string[]>> = {
  nightly: ['daily at midnight', 'daily at 22:00'],
  biweekly: ['every other week', 'every monday and thursday'],
  bimonthly: ['every 2 months', 'monthly on the 1st and 15th'],
  biannually: ['every 6 months', 'every 2 years'],
  biannual: ['every 6 months', 'every 2 years'],
}

const COUNTS: Readonly<Record<string, number>> = {
  a: 1,
  an: 1,
  one: 1,
  two: 2,
  three: 3,
  four: 4,
  five: 5,
  six: 6,
  seven: 7,
  eight: 8,
  nine: 9,
  ten: 10,
  eleven: 11,
  twelve: 12,
  fifteen: 15,
  twenty: 20,
  thirty: 30,
}
const ORDINALS: Readonly<Record<string, number>> = {
  first: 1,
  second: 2,
  third: 3,
  fourth: 4,
  fifth: 5,
  sixth: 6,
  seventh: 7,
  eighth: 8,
  ninth: 9,
  tenth: 10,
}

/** Every word that has a meaning somewhere, for "did you mean". */
const OTHERS = [
  'every',
  'each',
  'other',
  'at',
  'on',
  'in',
  'the',
  'of',
  'and',
  'between',
  'from',
  'to',
  'until',
  'weekday',
  'weekdays',
  'weekend',
  'weekends',
  'workday',
  'workdays',
  'last',
  'noon',
  'midnight',
  'tomorrow',
  'today',
  'next',
  'once',
  'twice',
  'times',
  'starting',
  'nearest',
  'half',
  'past',
]

export function unitOf(word: string): Unit | undefined {
  return units.get(word)
}

export function countOfWord(word: string): number | undefined {
  return /^\d{1,7}$/.test(word) ? Number(word) : COUNTS[word]
}

/** `1st`, `first`: 1. */
export function ordinalOf(word: string): number | undefined {
  const digits = /^(\d{1,2})(?:st|nd|rd|th)$/.exec(word)?.[1]
  return digits === undefined ? ORDINALS[word] : Number(digits)
}

/** 0 is Sunday; `isPlural` for `mondays`. */
export function weekdayOfWord(word: string): { day: number; isPlural: boolean } | undefined {
  const isPlural = /days$/.test(word)
  const singular = isPlural ? word.slice(0, -1) : word
  const day = WEEKDAY_NAMES.findIndex((name) => isNameOrStart(name, singular))
  return day < 0 ? undefined : { day, isPlural }
}

/** From 1. */
export function monthOfWord(word: string): number | undefined {
  const index = MONTH_NAMES.findIndex((name) => isNameOrStart(name, word))
  return index < 0 ? undefined : index + 1
}

/** The whole name or a start of at least three letters: `tue`, `tues`, `sept`. */
function isNameOrStart(name: string, word: string): boolean {
  return word.length >= 3 && name.toLowerCase().startsWith(word)
}

export function knownWords(): string[] {
  const names = [...WEEKDAY_NAMES, ...MONTH_NAMES].map((name) => name.toLowerCase())
  const long = [...units.keys()].filter((word) => word.length > 3)
  return [...OTHERS, ...long, ...Object.keys(FREQUENCIES), ...names, ...Object.keys(ORDINALS)]
}
