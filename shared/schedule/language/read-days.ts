/** Days in a sentence: weekdays, days of the month, months, dates. */
import type { Phrase } from './phrase.ts'
import { LanguageStop, type Tokens } from './tokens.ts'
import { monthOfWord, ordinalOf, weekdayOfWord } from './words.ts'

const WORKDAYS = [1, 2, 3, 4, 5]
const WEEKEND = [6, 0]
const WORKDAY_WORDS = ['weekday', 'weekdays', 'workday', 'workdays']
const WEEKEND_WORDS = ['weekend', 'weekends']

/** True for a word that begins weekdays. */
export function isWeekdayWord(word: string): boolean {
  const isGroup =
    WORKDAY_WORDS.includes(word) || WEEKEND_WORDS.includes(word) || word === 'business'
  return isGroup || weekdayOfWord(word) !== undefined
}

/** `monday, wednesday and fridays`, `monday to friday`, `weekdays`, `weekends`. */
export function readWeekdays(tokens: Tokens, phrase: Phrase): void {
  do readWeekday(tokens, phrase)
  while (tokens.takeAnd((word) => isWeekdayWord(word)))
}

function readWeekday(tokens: Tokens, phrase: Phrase): void {
  const add = (days: readonly number[]) => {
    for (const day of days) phrase.weekdays.add(day)
  }
  if (tokens.takeAll('business', 'day') || tokens.takeAll('business', 'days')) {
    add(WORKDAYS)
    return
  }
  const word = tokens.next()
  if (WORKDAY_WORDS.includes(word)) {
    phrase.isRepeated ||= word.endsWith('s')
    add(WORKDAYS)
    return
  }
  if (WEEKEND_WORDS.includes(word)) {
    phrase.isRepeated ||= word.endsWith('s')
    tokens.take('day', 'days')
    add(WEEKEND)
    return
  }
  const first = weekdayOfWord(word)
  if (first === undefined) throw tokens.stopUnknown()
  phrase.isRepeated ||= first.isPlural
  const last = ['to', 'through', '-'].includes(tokens.peek())
    ? weekdayOfWord(tokens.peek(1))
    : undefined
  if (last === undefined) {
    add([first.day])
    return
  }
  tokens.next()
  tokens.next()
  phrase.isRepeated = true
  const length = ((last.day - first.day + 7) % 7) + 1
  add(Array.from({ length }, (_, index) => (first.day + index) % 7))
}

/** True where a day of the month begins: `1st`, `last`, `first`. */
export function isMonthDayWord(word: string): boolean {
  return ordinalOf(word) !== undefined || word === 'last'
}

/** `1st and 15th`, `last day`, `last friday`, `second monday`, with `of the month` or of some months. */
export function readMonthDays(tokens: Tokens, phrase: Phrase): void {
  do readMonthDay(tokens, phrase)
  while (tokens.takeAnd((word) => isMonthDayWord(word)))
  readOfMonth(tokens, phrase)
}

function readMonthDay(tokens: Tokens, phrase: Phrase): void {
  const { at } = tokens
  const word = tokens.next()
  if (word === 'last') {
    readLast(tokens, phrase)
    return
  }
  const nth = ordinalOf(word) ?? 0
  const weekday = weekdayOfWord(tokens.peek())
  if (weekday !== undefined) {
    if (nth > 5) throw new LanguageStop('a month has at most five of a weekday', { at })
    tokens.next()
    phrase.nthWeekdays.push({ nth, weekday: weekday.day })
    return
  }
  if (nth === 1 && takeWorkday(tokens)) {
    phrase.specialDates.push('1W')
    return
  }
  if (nth < 1 || nth > 31) {
    throw new LanguageStop('a month has the days 1st to 31st', { at })
  }
  // The first and second of a month, said as `first day`.
  tokens.take('day')
  phrase.dates.add(nth)
}

function readLast(tokens: Tokens, phrase: Phrase): void {
  if (takeWorkday(tokens)) {
    phrase.specialDates.push('LW')
    return
  }
  const weekday = weekdayOfWord(tokens.peek())
  if (weekday !== undefined) {
    tokens.next()
    phrase.lastWeekdays.push(weekday.day)
    return
  }
  if (!tokens.take('day', 'days')) {
    throw tokens.stop(
      'after "last" comes day, weekday or a name of one',
      'Write the last friday of the month.',
    )
  }
  phrase.specialDates.push('L')
}

function takeWorkday(tokens: Tokens): boolean {
  return tokens.takeAll('business', 'day') || tokens.take('weekday', 'workday')
}

/** `weekday nearest to the 15th`. */
export function readNearest(tokens: Tokens, phrase: Phrase): void {
  tokens.take('to')
  const day = ordinalOf(tokens.peek())
  if (day === undefined || day > 31) throw tokens.stop('after "nearest" comes a day such as 15th')
  tokens.next()
  phrase.specialDates.push(`${day}W`)
  readOfMonth(tokens, phrase)
}

/** `of the month`, `of each month`, `of january and july`, `of the quarter`. */
function readOfMonth(tokens: Tokens, phrase: Phrase): void {
  const takesMonth = (...words: readonly string[]) => tokens.takeAll(...words)
  if (
    takesMonth('of', 'month') ||
    takesMonth('of', 'each', 'month') ||
    takesMonth('of', 'every', 'month')
  ) {
    phrase.isRepeated = true
    return
  }
  if (
    takesMonth('of', 'quarter') ||
    takesMonth('of', 'each', 'quarter') ||
    takesMonth('of', 'every', 'quarter')
  ) {
    phrase.isRepeated = true
    for (const month of [1, 4, 7, 10]) phrase.months.add(month)
    return
  }
  const isNamed = tokens.peek() === 'of' && monthOfWord(tokens.peek(1)) !== undefined
  if (isNamed) tokens.next()
  if (monthOfWord(tokens.peek()) !== undefined) readMonths(tokens, phrase)
}

export function readMonths(tokens: Tokens, phrase: Phrase): void {
  do {
    const month = monthOfWord(tokens.next())
    if (month !== undefined) phrase.months.add(month)
  } while (tokens.takeAnd((word) => monthOfWord(word) !== undefined))
}

/** `december 24`, `may 1st`: a month with its day. */
export function readMonthAndDay(tokens: Tokens, phrase: Phrase): void {
  readMonths(tokens, phrase)
  const day = ordinalOf(tokens.peek()) ?? plainDay(tokens.peek())
  if (day === undefined) return
  tokens.next()
  phrase.dates.add(day)
}

/** True where `24 december` comes next. */
export function isDayAndMonth(tokens: Tokens): boolean {
  return plainDay(tokens.peek()) !== undefined && monthOfWord(tokens.peek(1)) !== undefined
}

export function readDayAndMonth(tokens: Tokens, phrase: Phrase): void {
  const day = plainDay(tokens.next())
  if (day !== undefined) phrase.dates.add(day)
  readMonths(tokens, phrase)
}

/** `24`, but not the 9 of `9 o'clock`, which comes behind `at`. */
function plainDay(word: string): number | undefined {
  return /^\d{1,2}$/.test(word) && Number(word) >= 1 && Number(word) <= 31
    ? Number(word)
    : undefined
}

/** `2026-12-24`. */
export function readDate(tokens: Tokens): Temporal.PlainDate {
  const { at } = tokens
  const word = tokens.next()
  try {
    return Temporal.PlainDate.from(word, { overflow: 'reject' })
  } catch {
    throw new LanguageStop(`${JSON.stringify(word)} is not a date`, {
      at,
      hint: 'Write 2026-12-24.',
    })
  }
}
