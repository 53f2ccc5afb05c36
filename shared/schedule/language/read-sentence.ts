/** A sentence becomes a phrase: its parts may come in any order. */

import { emptyPhrase, type Phrase } from './phrase.ts'
import {
  isDayAndMonth,
  isMonthDayWord,
  isWeekdayWord,
  readDate,
  readDayAndMonth,
  readMonthAndDay,
  readMonthDays,
  readMonths,
  readNearest,
  readWeekdays,
} from './read-days.ts'
import { readEvery, readFrequency, readTimesPer } from './read-every.ts'
import { isTime, readAt, readTimes, readWindow } from './read-times.ts'
import { type Reader, say } from './reader.ts'
import { LanguageStop, type Tokens } from './tokens.ts'
import {
  countOfWord,
  FREQUENCIES,
  monthOfWord,
  TWO_MEANINGS,
  unitOf,
  weekdayOfWord,
} from './words.ts'

const UNIT_MS: Readonly<Record<string, number>> = {
  second: 1_000,
  minute: 60_000,
  hour: 3_600_000,
  day: 86_400_000,
  week: 604_800_000,
}

/** One sentence, up to the `and` or `;` that begins another one. `today` is the date where the schedule lives. */
export function readSentence(tokens: Tokens, today: Temporal.PlainDate): Phrase {
  const phrase = emptyPhrase()
  const reader = { tokens, phrase, today }
  while (!tokens.isAtEnd && !isNextSentence(reader)) readPart(reader)
  return phrase
}

/** A second `every` begins another sentence, whose rule makes the job due as well. */
function isNextSentence({ tokens, phrase }: Reader): boolean {
  if (tokens.take(';')) return true
  const isFull = phrase.isRepeated && (phrase.frequency !== undefined || phrase.weekdays.size > 0)
  return isFull && tokens.takeAnd((word) => ['every', 'each'].includes(word) || word in FREQUENCIES)
}

function readPart(reader: Reader): void {
  const { tokens, phrase } = reader
  const word = tokens.peek()
  const two = TWO_MEANINGS[word]
  if (two !== undefined) {
    const end = tokens.at + word.length
    throw new LanguageStop(`"${word}" has two meanings`, { at: tokens.at, end, readings: two })
  }
  if (tokens.take('every', 'each')) {
    readEvery(reader)
    return
  }
  if (word in FREQUENCIES) {
    readFrequency(reader)
    return
  }
  if (['once', 'twice'].includes(word) || tokens.peek(1) === 'times') {
    readTimesPer(reader)
    return
  }
  if (tokens.take('at', '@')) {
    readAt(tokens, phrase)
    return
  }
  if (tokens.take('between')) {
    readWindow(tokens, phrase)
    return
  }
  if (tokens.peek() === 'from' && isTime(tokens.peek(1))) {
    tokens.next()
    readWindow(tokens, phrase)
    return
  }
  if (tokens.take('on')) {
    readOn(reader)
    return
  }
  if (tokens.take('in', 'during')) {
    readIn(reader)
    return
  }
  if (tokens.take('starting', 'from', 'beginning')) {
    tokens.take('on')
    say(reader, 'start', readStart(reader))
    return
  }
  readBare(reader)
  return
}

/** Parts that begin without a word that announces them. */
function readBare(reader: Reader): void {
  const { tokens, phrase, today } = reader
  const word = tokens.peek()
  if (tokens.take('tomorrow')) say(reader, 'day', today.add({ days: 1 }))
  else if (tokens.take('today', 'tonight')) say(reader, 'day', today)
  else if (tokens.peek() === 'next') readNextDay(reader)
  else if (tokens.takeAll('weekday', 'nearest') || tokens.takeAll('weekday', 'closest')) {
    readNearest(tokens, phrase)
  } else if (isWeekdayWord(word) || isMonthDayWord(word)) readDays(reader)
  else if (/^\d{4}-/.test(word)) say(reader, 'day', readDate(tokens))
  else if (monthOfWord(word) !== undefined) readMonthAndDay(tokens, phrase)
  else if (countOfWord(word) !== undefined && unitOf(tokens.peek(1)) !== undefined)
    stopBareSpan(tokens)
  else if (isTime(word)) readTimes(tokens, phrase)
  else if (!tokens.take(',')) throw tokens.stopUnknown()
}

function readDays({ tokens, phrase }: Reader): void {
  if (isMonthDayWord(tokens.peek())) readMonthDays(tokens, phrase)
  else readWeekdays(tokens, phrase)
}

function stopBareSpan(tokens: Tokens): never {
  const span = `${tokens.peek()} ${tokens.peek(1)}`
  const { at } = tokens
  tokens.next()
  tokens.next()
  throw new LanguageStop(`"${span}" may come again and again, or be once from now`, {
    at,
    end: tokens.endOfLast,
    readings: [`every ${span}`, `in ${span}`],
  })
}

/** Behind `on`. */
function readOn(reader: Reader): void {
  const { tokens, phrase } = reader
  const word = tokens.peek()
  if (tokens.takeAll('weekday', 'nearest') || tokens.takeAll('weekday', 'closest')) {
    readNearest(tokens, phrase)
    return
  }
  if (isMonthDayWord(word) || isWeekdayWord(word)) {
    readDays(reader)
    return
  }
  if (/^\d{4}-/.test(word)) {
    say(reader, 'day', readDate(tokens))
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
  throw tokens.stopUnknown()
}

/** Behind `in`: a span from now, or months. */
function readIn(reader: Reader): void {
  const { tokens, phrase } = reader
  if (monthOfWord(tokens.peek()) !== undefined) {
    readMonths(tokens, phrase)
    return
  }
  let inMs = 0
  do {
    const count = tokens.takeAll('half', 'an') ? 0.5 : countOfWord(tokens.next())
    const unit = unitOf(tokens.peek())
    const unitMs = UNIT_MS[unit ?? '']
    if (count === undefined || unitMs === undefined) {
      throw tokens.stop(
        'behind "in" comes a span of up to weeks, or a month',
        'Write in 10 minutes, in january.',
      )
    }
    tokens.next()
    inMs += count * unitMs
  } while (tokens.takeAnd((word) => countOfWord(word) !== undefined))
  say(reader, 'inMs', inMs)
}

function readStart({ tokens, today }: Reader): Temporal.PlainDate {
  if (tokens.take('today')) return today
  if (tokens.take('tomorrow')) return today.add({ days: 1 })
  return readDate(tokens)
}

/** `next monday`: the coming one, unless that is in this week and could be meant as `this monday`. */
function readNextDay(reader: Reader): void {
  const { tokens, today } = reader
  const { at } = tokens
  tokens.next()
  const weekday = weekdayOfWord(tokens.next())
  if (weekday === undefined) {
    throw new LanguageStop('after "next" comes a weekday', {
      at,
      hint: 'Write next monday at 9:00.',
    })
  }
  const isoDay = weekday.day === 0 ? 7 : weekday.day
  const distance = ((isoDay - today.dayOfWeek + 6) % 7) + 1
  const coming = today.add({ days: distance })
  if (isoDay > today.dayOfWeek) {
    throw new LanguageStop('"next" may be the day of this week or of the one after', {
      at,
      end: tokens.endOfLast,
      readings: [coming, coming.add({ weeks: 1 })].map((date) => `on ${date.toString()}`),
    })
  }
  say(reader, 'day', coming)
}
