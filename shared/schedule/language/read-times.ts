/** Times of day in a sentence: `at 9:30 and 5pm`, `between 9:00 and 17:00`, `at noon`. */
import { clockTime, joinWords } from '../describe/words.ts'
import type { Phrase, TimeOfDay } from './phrase.ts'
import { LanguageStop, type Tokens } from './tokens.ts'
import { countOfWord } from './words.ts'

/** A time as it was written. */
interface Written {
  readonly time: TimeOfDay
  /** A bare `9`: in the morning or in the evening. */
  readonly isBare: boolean
  readonly at: number
  readonly end: number
}

const DAY_S = 86_400
const HALF_DAY_S = DAY_S / 2

export function isTime(word: string): boolean {
  return (
    word === 'noon' || word === 'midnight' || /^\d{1,2}(:\d{2}){0,2}\s*([ap]\.?m\.?)?$/.test(word)
  )
}

/** Behind `at`: times, or `minute 15`, or `:15`. */
export function readAt(tokens: Tokens, phrase: Phrase): void {
  if (tokens.take('minute', 'minutes')) {
    readMinutes(tokens, phrase)
    return
  }
  if (/^:\d{2}$/.test(tokens.peek())) {
    phrase.minutes.push(minuteOf(tokens))
    return
  }
  const isPast = ['minutes', 'past', 'after'].includes(tokens.peek(1))
  if (isPast && countOfWord(tokens.peek()) !== undefined) {
    readPast(tokens, phrase)
    return
  }
  readTimes(tokens, phrase)
}

export function readTimes(tokens: Tokens, phrase: Phrase): void {
  const written = [readTime(tokens)]
  while (tokens.takeAnd((word) => isTime(word))) written.push(readTime(tokens))
  const bare = written.find(({ isBare }) => isBare)
  if (bare === undefined) phrase.times.push(...written.map(({ time }) => time))
  else stopAtBare(bare)
}

/** `between 9:00 and 17:00`, `from 9am to 5pm`. */
export function readWindow(tokens: Tokens, phrase: Phrase): void {
  const from = readTime(tokens)
  if (!tokens.take('and', 'to', 'until', 'till', '-')) {
    throw tokens.stop(
      'after the begin of the window comes its end',
      'Write between 9:00 and 17:00.',
    )
  }
  const to = readTime(tokens)
  // A number above 12 beside it says that the clock has 24 hours.
  const has24 = [from, to].some(({ time, isBare }) => !isBare || time > HALF_DAY_S || time === 0)
  const bare = [from, to].find(({ isBare }) => isBare)
  if (bare !== undefined && !(has24 && from.isBare && to.time > HALF_DAY_S)) {
    if (!(has24 && !from.isBare && from.time >= HALF_DAY_S)) stopAtBareWindow(from, to, bare)
  }
  if (from.time === to.time)
    throw tokens.stop('the window has no length', 'Write between 9:00 and 17:00.')
  phrase.window = { from: from.time, to: to.time }
}

function readTime(tokens: Tokens): Written {
  const { at } = tokens
  const written = (time: TimeOfDay, isBare = false): Written => ({
    time,
    isBare,
    at,
    end: tokens.endOfLast,
  })
  if (!isTime(tokens.peek())) {
    throw tokens.stop(
      `${JSON.stringify(tokens.peek())} is not a time of day`,
      'Write it like 9:30, 9am, 17:00, noon or midnight.',
    )
  }
  const word = tokens.next()
  if (word === 'noon') return written(HALF_DAY_S)
  if (word === 'midnight') return written(0)
  const [, hour = '', minute, second, half] =
    /^(\d{1,2})(?::(\d{2}))?(?::(\d{2}))?\s*([ap])?/.exec(word) ?? []
  tokens.take('hours', 'oclock')
  const time = Number(hour) * 3_600 + Number(minute ?? 0) * 60 + Number(second ?? 0)
  const isRight = Number(minute ?? 0) < 60 && Number(second ?? 0) < 60 && Number(hour) < 24
  const isHalfRight = half === undefined || (Number(hour) >= 1 && Number(hour) <= 12)
  if (!isRight || !isHalfRight) {
    throw new LanguageStop(`${JSON.stringify(word)} is not a time of day`, {
      at,
      hint: 'A day goes from 0:00 to 23:59, or from 12am to 11:59pm.',
    })
  }
  if (half !== undefined) return written(fromHalf(time, half === 'p'))
  const isBare = minute === undefined && Number(hour) >= 1 && Number(hour) <= 12
  return written(time, isBare)
}

/** 12am is midnight, 12pm is noon. */
function fromHalf(time: TimeOfDay, isAfternoon: boolean): TimeOfDay {
  return (time % HALF_DAY_S) + (isAfternoon ? HALF_DAY_S : 0)
}

/** A bare hour has two readings; they are told in terms of the part that was read. */
function stopAtBare({ time, at, end }: Written): never {
  const readings = [time % HALF_DAY_S, (time % HALF_DAY_S) + HALF_DAY_S].map((each) =>
    clockText(each),
  )
  const message = `${time / 3_600} may be ${joinWords(readings, 'or')}`
  throw new LanguageStop(message, { at, end, readings })
}

function stopAtBareWindow(from: Written, to: Written, bare: Written): never {
  const halves = (written: Written) =>
    written.isBare
      ? [written.time % HALF_DAY_S, (written.time % HALF_DAY_S) + HALF_DAY_S]
      : [written.time]
  const readings = halves(from)
    .flatMap((first) => halves(to).map((last) => [first, last] as const))
    .filter(([first, last]) => first < last || first - last >= HALF_DAY_S)
    .map(([first, last]) => `${clockText(first)} and ${clockText(last)}`)
  const message = `${bare.time / 3_600} may be in the morning or in the evening`
  throw new LanguageStop(message, { at: from.at, end: to.end, readings })
}

/** `9:30`, `17:00`. */
export function clockText(time: TimeOfDay): string {
  return clockTime(Math.floor(time / 3_600), Math.floor(time / 60) % 60, time % 60)
}

function readMinutes(tokens: Tokens, phrase: Phrase): void {
  phrase.minutes.push(minuteOf(tokens))
  while (tokens.takeAnd((word) => countOfWord(word) !== undefined)) {
    phrase.minutes.push(minuteOf(tokens))
  }
}

/** `15 minutes past the hour`, `30 past`. */
function readPast(tokens: Tokens, phrase: Phrase): void {
  phrase.minutes.push(minuteOf(tokens))
  tokens.take('minutes')
  if (!tokens.take('past', 'after')) throw tokens.stopUnknown()
  tokens.take('hour')
}

function minuteOf(tokens: Tokens): number {
  const minute = countOfWord(tokens.peek().replace(':', ''))
  if (minute === undefined || minute > 59) throw tokens.stop('a minute is a number from 0 to 59')
  tokens.next()
  return minute
}
