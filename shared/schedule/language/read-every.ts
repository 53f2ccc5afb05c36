/** How often, in a sentence: `every 2 weeks`, `daily`, `twice a day`, and which days it says with that. */
import {
  isDayAndMonth,
  isMonthDayWord,
  isWeekdayWord,
  readDayAndMonth,
  readMonthAndDay,
  readMonthDays,
  readWeekdays,
} from './read-days.ts'
import { type Reader, say } from './reader.ts'
import { LanguageStop, type Tokens } from './tokens.ts'
import {
  countOfWord,
  FREQUENCIES,
  isNearUnit,
  monthOfWord,
  ordinalOf,
  unitOf,
  weekdayOfWord,
} from './words.ts'

/** Behind `every`. */
export function readEvery(reader: Reader): void {
  const { tokens, phrase } = reader
  phrase.isRepeated = true
  const everyAt = tokens.endOfLast - 'every'.length
  if (tokens.take('other')) {
    readEveryNth(reader, 2)
    return
  }
  const word = tokens.peek()
  if (readInterval(reader, everyAt)) return
  if (isWeekdayWord(word)) {
    readWeekdays(tokens, phrase)
    return
  }
  if (isMonthDayWord(word)) {
    readMonthDays(tokens, phrase)
    return
  }
  if (monthOfWord(word) !== undefined) {
    readMonthAndDay(tokens, phrase)
    return
  }
  if (isDayAndMonth(tokens)) {
    readDayAndMonth(tokens, phrase)
    return
  }
  if (['morning', 'afternoon', 'evening', 'night'].includes(word)) {
    const readings = EXAMPLES_OF_DAY[word] ?? []
    tokens.next()
    throw new LanguageStop(`"every ${word}" does not say when`, {
      at: everyAt,
      end: tokens.endOfLast,
      readings,
    })
  }
  throw tokens.stopUnknown()
}

/** `5 minutes`, `second day`, `half hour`; false when it is something else. */
function readInterval(reader: Reader, everyAt: number): boolean {
  const { tokens } = reader
  const word = tokens.peek()
  const unit = unitOf(word)
  const nth = ordinalOf(word)
  if (nth !== undefined && weekdayOfWord(tokens.peek(1)) !== undefined) {
    stopNthWeekday(tokens, nth, everyAt)
  }
  const isOrdinalUnit = nth !== undefined && unitOf(tokens.peek(1)) !== undefined
  if (isOrdinalUnit && !isEndOfSecond(tokens)) {
    tokens.next()
    readEveryNth(reader, nth)
    return true
  }
  if (unit !== undefined && word.length > 1) {
    tokens.next()
    say(reader, 'frequency', { every: 1, unit })
    return true
  }
  if (tokens.takeAll('half', 'hour') || tokens.takeAll('half', 'an', 'hour')) {
    say(reader, 'frequency', { every: 30, unit: 'minute' })
    return true
  }
  if (/^\d+\.\d+$/.test(word) || isBelowSecond(tokens.peek(1))) {
    throw tokens.stop(
      'an interval is a whole number of seconds, minutes or longer units',
      'Write every second, or every 90 seconds.',
    )
  }
  const count = countOfWord(word)
  if (count !== undefined && unitOf(tokens.peek(1)) !== undefined) {
    tokens.next()
    readEveryNth(reader, count)
    return true
  }
  stopAtUnit(tokens, count)
  return false
}

/** `every 5 minits`: it is the word behind the number that is wrong. */
function stopAtUnit(tokens: Tokens, count: number | undefined): void {
  if (count === undefined || !/^[a-z]{3,}$/.test(tokens.peek(1))) return
  if (isWeekdayWord(tokens.peek(1)) || !isNearUnit(tokens.peek(1))) return
  tokens.next()
  throw tokens.stopUnknown()
}

function isBelowSecond(word: string): boolean {
  return ['ms', 'millisecond', 'milliseconds'].includes(word)
}

const EXAMPLES_OF_DAY: Readonly<Record<string, readonly string[]>> = {
  morning: ['daily at 6:00', 'daily at 9:00'],
  afternoon: ['daily at 13:00', 'daily at 15:00'],
  evening: ['daily at 18:00', 'daily at 20:00'],
  night: ['daily at 22:00', 'daily at midnight'],
}

/** `every second` itself, not `every second week`. */
function isEndOfSecond(tokens: Tokens): boolean {
  return tokens.peek() === 'second' && unitOf(tokens.peek(1)) === undefined
}

/** `other tuesday`, `2 weeks`, `second day`. */
function readEveryNth(reader: Reader, every: number): void {
  const { tokens, phrase } = reader
  const unit = unitOf(tokens.peek())
  if (every < 1) throw tokens.stop('an interval is at least 1')
  if (unit !== undefined) {
    tokens.next()
    say(reader, 'frequency', { every, unit })
    return
  }
  if (!isWeekdayWord(tokens.peek())) throw tokens.stopUnknown()
  say(reader, 'frequency', { every, unit: 'week' })
  readWeekdays(tokens, phrase)
}

function stopNthWeekday(tokens: Tokens, nth: number, at: number): never {
  const [word, weekday] = [tokens.peek(), tokens.peek(1)]
  const everyOther = nth === 2 ? `every other ${weekday}` : `every ${nth} weeks on ${weekday}`
  tokens.next()
  tokens.next()
  throw new LanguageStop(
    `"every ${word} ${weekday}" may count weeks, or be the one of each month`,
    {
      at,
      end: tokens.endOfLast,
      readings: [everyOther, `${word} ${weekday} of the month`],
    },
  )
}

export function readFrequency(reader: Reader): void {
  const { tokens, phrase } = reader
  say(reader, 'frequency', FREQUENCIES[tokens.next()])
  phrase.isRepeated = true
}

/** `twice a day`, `3 times an hour`. */
export function readTimesPer(reader: Reader): void {
  const { tokens, phrase } = reader
  const { at } = tokens
  const word = tokens.next()
  const count = word === 'once' ? 1 : word === 'twice' ? 2 : (countOfWord(word) ?? 0)
  tokens.take('times')
  if (!tokens.take('a', 'an', 'per', 'every', 'each')) {
    if (word === 'once') return
    throw tokens.stopUnknown()
  }
  const unit = unitOf(tokens.next())
  phrase.isRepeated = true
  if (unit === undefined) throw tokens.stopUnknown()
  if (count === 1) say(reader, 'frequency', { every: 1, unit })
  else if (unit === 'hour' && 60 % count === 0)
    say(reader, 'frequency', { every: 60 / count, unit: 'minute' })
  else if (unit === 'day' && 24 % count === 0) say(reader, 'perDay', count)
  else stopTimesPer({ at, end: tokens.endOfLast }, count, unit)
}

function stopTimesPer(
  place: { readonly at: number; readonly end: number },
  count: number,
  unit: string,
): never {
  const known: Readonly<Record<string, readonly string[]>> = {
    '2 week': ['every monday and thursday', 'every tuesday and friday'],
    '3 week': ['every monday, wednesday and friday'],
    '2 month': ['monthly on the 1st and 15th', 'monthly on the 15th and last day'],
    '2 year': ['every 6 months'],
    '4 year': ['quarterly'],
  }
  const readings = known[`${count} ${unit}`] ?? []
  const message = `${count} times a ${unit} does not say when`
  throw new LanguageStop(message, {
    ...place,
    readings,
    ...(readings.length === 0 && {
      hint: 'Name the days or the times, e.g. daily at 8:00, 13:00 and 18:00.',
    }),
  })
}
