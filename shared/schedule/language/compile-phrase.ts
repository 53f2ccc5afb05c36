/** What a sentence says becomes the text of a rule. */
import { isoSeconds } from '../../rfc-3339.ts'
import { joinWords, WEEKDAY_NAMES } from '../describe/words.ts'
import { clockRules, fieldText } from './clock-rules.ts'
import { hasDays, hasMonthDays, type Phrase, type TimeOfDay } from './phrase.ts'
import { clockText } from './read-times.ts'
import { LanguageStop } from './tokens.ts'
import type { Unit } from './words.ts'

export interface Moment {
  readonly now: Temporal.Instant
  /** IANA name. */
  readonly zone: string
}

const DAY_S = 86_400
const UNIT_S: Readonly<Partial<Record<Unit, number>>> = { second: 1, minute: 60, hour: 3_600 }

export function compilePhrase(phrase: Phrase, moment: Moment): string {
  if (phrase.inMs !== undefined || phrase.day !== undefined) return compileOnce(phrase, moment)
  if (!phrase.isRepeated) stopOnceOrRepeated(phrase, moment)
  const seconds = UNIT_S[phrase.frequency?.unit ?? 'day']
  if (seconds !== undefined) return compileShort(phrase, (phrase.frequency?.every ?? 1) * seconds)
  if (phrase.window !== undefined) {
    throw new LanguageStop('a window needs an interval', {
      at: 0,
      readings: [
        `every hour between ${clockText(phrase.window.from)} and ${clockText(phrase.window.to)}`,
      ],
    })
  }
  return withDays(clockRules(timesOf(phrase)), compileDays(phrase, moment))
}

/** Midnight when no time is said. */
function timesOf(phrase: Phrase): readonly TimeOfDay[] {
  if (phrase.minutes.length > 0) {
    throw new LanguageStop('a minute alone needs an hour', {
      at: 0,
      readings: ['hourly at minute 15'],
    })
  }
  const { perDay } = phrase
  if (perDay === undefined) return phrase.times.length > 0 ? phrase.times : [0]
  if (phrase.times.length === perDay) return phrase.times
  if (phrase.times.length > 1) {
    throw new LanguageStop(`${perDay} times a day, but ${phrase.times.length} times are named`, {
      at: 0,
    })
  }
  const [first = 0] = phrase.times
  const times = Array.from({ length: perDay }, (_, index) => first + (index * DAY_S) / perDay)
  return times.map((time) => time % DAY_S)
}

function compileOnce(phrase: Phrase, { now, zone }: Moment): string {
  const isMixed = [phrase.window, phrase.start].some((part) => part !== undefined)
  const isRepeated = phrase.isRepeated || hasDays(phrase) || phrase.minutes.length > 0
  const hasTwo = phrase.inMs !== undefined && phrase.day !== undefined
  if (isMixed || isRepeated || hasTwo || phrase.times.length > 1) {
    throw new LanguageStop('it says both once and again and again', {
      at: 0,
      hint: 'Say one thing: "tomorrow at 17:00", or "daily at 17:00".',
    })
  }
  if (phrase.inMs !== undefined) {
    if (phrase.times.length > 0) {
      throw new LanguageStop('a span from now and a time of day do not fit', {
        at: 0,
        hint: 'Write in 10 minutes, or tomorrow at 17:00.',
      })
    }
    const atMs = now.epochMilliseconds + phrase.inMs
    return at(new Date(Math.ceil(atMs / 1_000) * 1_000), now)
  }
  const [time] = phrase.times
  const date = phrase.day
  if (date === undefined || time === undefined) {
    const day = date?.toString() ?? ''
    throw new LanguageStop('it does not say at what time', {
      at: 0,
      readings: [`on ${day} at 9:00`, `on ${day} at noon`],
    })
  }
  const wall = date.toPlainDateTime(Temporal.PlainTime.from(clockText(time)))
  return at(new Date(wall.toZonedDateTime(zone).epochMilliseconds), now)
}

function at(time: Date, now: Temporal.Instant): string {
  if (time.getTime() > now.epochMilliseconds) return `@at ${isoSeconds(time)}`
  throw new LanguageStop(`${isoSeconds(time)} is in the past`, {
    at: 0,
    hint: 'Name a later time.',
  })
}

/** Intervals of hours, minutes and seconds. */
function compileShort(phrase: Phrase, everyS: number): string {
  if (phrase.times.length > 0) {
    const first = clockText(phrase.times[0] ?? 0)
    throw new LanguageStop('an interval within the day and a time of day do not fit', {
      at: 0,
      readings: [`daily at ${first}`, `every hour between ${first} and 23:59`],
    })
  }
  if (phrase.perDay !== undefined) {
    throw new LanguageStop('times a day and an interval within the day do not fit', {
      at: 0,
      hint: 'Say one of them.',
    })
  }
  const isStarted = phrase.start !== undefined
  const days = `${plainDays(phrase)}${isStarted ? stepText(1, 'day', phrase.start) : ''}`
  if (phrase.minutes.length > 0) return withDays(hourlyRules(phrase, everyS), days)
  if (phrase.window !== undefined) return withDays(windowRules(phrase, everyS), days)
  const dividing = dividingRule(everyS)
  if (dividing !== undefined) return `${dividing} ${days}`
  if (days === '* * *') return `@every ${spanText(everyS)}`
  throw new LanguageStop(
    'the interval does not fit into a day evenly, so it cannot begin anew on some days',
    {
      at: 0,
      hint: 'Take one that divides an hour or a day, e.g. every 10 minutes on weekdays.',
    },
  )
}

/** Intervals that divide a minute, an hour or a day; the hour and the day begin with one. */
function dividingRule(everyS: number): string | undefined {
  if (everyS < 60) return 60 % everyS === 0 ? `${star(everyS)} * *` : undefined
  if (everyS % 60 !== 0) return undefined
  const minutes = everyS / 60
  if (minutes < 60) return 60 % minutes === 0 ? `${star(minutes)} *` : undefined
  const hours = minutes / 60
  return Number.isInteger(hours) && hours <= 24 && 24 % hours === 0
    ? `0 ${star(hours % 24)}`
    : undefined
}

/** `90s`, `7m`, `5h`: in one unit. */
function spanText(seconds: number): string {
  if (seconds % 3_600 === 0) return `${seconds / 3_600}h`
  return seconds % 60 === 0 ? `${seconds / 60}m` : `${seconds}s`
}

function star(step: number): string {
  if (step === 0) return '0'
  return step === 1 ? '*' : `*/${step}`
}

/** `every 2 hours at minute 15`. */
function hourlyRules(phrase: Phrase, everyS: number): string[] {
  const hours = everyS / 3_600
  if (!Number.isInteger(hours) || 24 % hours !== 0) {
    throw new LanguageStop('minutes of an hour fit to intervals of hours that divide a day', {
      at: 0,
      readings: ['every hour at minute 15', 'every 2 hours at minute 15'],
    })
  }
  const minutes = fieldText(
    [...new Set(phrase.minutes)].sort((a, b) => a - b),
    60,
  )
  if (phrase.window === undefined) return [`${minutes} ${star(hours % 24)}`]
  const from = Math.ceil(phrase.window.from / 3_600)
  const count = Math.floor((Math.floor(phrase.window.to / 3_600) - from) / hours) + 1
  if (count < 1) throw new LanguageStop('the window holds no hour', { at: 0 })
  return [
    `${minutes} ${fieldText(
      Array.from({ length: count }, (_, i) => from + i * hours),
      24,
    )}`,
  ]
}

/** From the begin of the window on, its end included. */
function windowRules(phrase: Phrase, everyS: number): string[] {
  const { from, to } = phrase.window ?? { from: 0, to: 0 }
  if (from > to && hasDays(phrase)) {
    throw new LanguageStop('the window ends on the next day, which may be one of the days or not', {
      at: 0,
      hint: 'Make two sentences: one until 23:59, one from 0:00 on.',
    })
  }
  const span = (to - from + DAY_S) % DAY_S
  const count = Math.floor(span / everyS) + 1
  if (everyS < 60) return secondsWindow({ from, to, everyS })
  const times = Array.from({ length: count }, (_, index) => (from + index * everyS) % DAY_S)
  return clockRules(times)
}

function secondsWindow(window: {
  readonly from: number
  readonly to: number
  readonly everyS: number
}): string[] {
  const { from, to, everyS } = window
  const isWhole = from % 3_600 === 0 && to % 3_600 === 0 && from < to && 60 % everyS === 0
  if (!isWhole) {
    throw new LanguageStop('an interval of seconds fits to whole hours', {
      at: 0,
      readings: ['every 30 seconds between 9:00 and 17:00'],
    })
  }
  const hours = Array.from({ length: (to - from) / 3_600 }, (_, index) => from / 3_600 + index)
  return [`${star(everyS)} * ${fieldText(hours, 24)}`, `0 ${to / 3_600}`]
}

function withDays(clocks: readonly string[], days: string): string {
  return clocks.map((clock) => `${clock} ${days}`).join('; ')
}

/** Days of the month, months and weekdays as cron fields. */
function plainDays(phrase: Phrase): string {
  const months = sorted(phrase.months).join(',') || '*'
  const dates = [...sorted(phrase.dates), ...phrase.specialDates].join(',') || '*'
  return `${dates} ${months} ${weekdayField(phrase)}`
}

function weekdayField({ weekdays, nthWeekdays, lastWeekdays }: Phrase): string {
  // From Monday on; 0 is Sunday.
  const days = sorted(weekdays)
  const plain = days.length > 2 && (days.at(-1) ?? 0) - (days[0] ?? 0) === days.length - 1
  const texts = [
    ...(plain ? [`${days[0]}-${days.at(-1)}`] : days.map(String)),
    ...nthWeekdays.map(({ nth, weekday }) => `${weekday}#${nth}`),
    ...lastWeekdays.map((weekday) => `${weekday}L`),
  ]
  return texts.join(',') || '*'
}

function sorted(values: ReadonlySet<number>): number[] {
  return [...values].sort((a, b) => a - b)
}

/** Days of frequencies from a day on. */
function compileDays(phrase: Phrase, { now, zone }: Moment): string {
  const { every, unit } = phrase.frequency ?? { every: 1, unit: 'day' as const }
  const today = now.toZonedDateTimeISO(zone).toPlainDate()
  const start = phrase.start ?? today
  if (phrase.weekdays.size > 0 && hasMonthDays(phrase)) {
    throw new LanguageStop('days of the month and weekdays: both, or one of them?', {
      at: 0,
      hint: 'Make two sentences for either of them; cron can say both, e.g. 0 0 */1 * 5.',
    })
  }
  switch (unit) {
    case 'week': {
      if (hasMonthDays(phrase)) {
        throw new LanguageStop('a week has no day of the month', {
          at: 0,
          hint: 'Say "monthly" with days of the month, "weekly" with weekdays.',
        })
      }
      // Without a weekday: Monday each week, today's every few weeks.
      const weekday = every === 1 ? 1 : start.dayOfWeek % 7
      if (phrase.weekdays.size === 0) phrase.weekdays.add(weekday)
      return `${plainDays(phrase)}${stepText(every, 'week', every > 1 || phrase.start ? firstOf(phrase, start) : undefined)}`
    }
    case 'month':
    case 'quarter':
    case 'year':
      return compileMonths(phrase, every * { month: 1, quarter: 3, year: 12 }[unit], start)
    default:
      return `${plainDays(phrase)}${stepText(every, 'day', every > 1 ? start : phrase.start)}`
  }
}

/** The first day, from `start` on, that is one of the weekdays: the week that counting begins with. */
function firstOf(phrase: Phrase, start: Temporal.PlainDate): Temporal.PlainDate {
  for (let days = 0; days < 7; days++) {
    const date = start.add({ days })
    if (phrase.weekdays.has(date.dayOfWeek % 7)) return date
  }
  return start
}

function compileMonths(phrase: Phrase, every: number, start: Temporal.PlainDate): string {
  if (!hasMonthDays(phrase) && phrase.weekdays.size > 0) {
    throw new LanguageStop('which of these weekdays of the month?', {
      at: 0,
      readings: ['first monday of the month', 'last monday of the month', 'every monday'],
    })
  }
  if (!hasMonthDays(phrase)) phrase.dates.add(1)
  const [named] = phrase.months
  // Months that are named come once a year.
  if (named !== undefined && every <= 12) {
    return `${plainDays(phrase)}${stepText(1, 'day', phrase.start)}`
  }
  if (named === undefined && 12 % every === 0 && phrase.start === undefined) {
    for (let month = 1; month <= 12; month += every) if (every > 1) phrase.months.add(month)
    return plainDays(phrase)
  }
  const first = start.with({ month: named ?? (every % 12 === 0 ? 1 : start.month), day: 1 })
  return `${plainDays(phrase)}${stepText(every, 'month', first)}`
}

/** Every few of them; or each one, but only from a day on. */
function stepText(every: number, unit: string, from: Temporal.PlainDate | undefined): string {
  return from === undefined ? '' : ` every ${every} ${unit}s from ${from.toString()}`
}

/** Neither `every` nor a date: it could be meant in both ways. */
function stopOnceOrRepeated(phrase: Phrase, { now, zone }: Moment): never {
  const time = clockText(phrase.times[0] ?? 9 * 3_600)
  const local = now.toZonedDateTimeISO(zone)
  const isOver = local.toPlainTime().toString() >= `${time}:00`.slice(0, 8)
  const day = isOver ? 'tomorrow' : 'today'
  const readings: string[] = []
  const weekdays = sorted(phrase.weekdays)
  const [weekday] = weekdays
  if (weekday !== undefined) {
    const names = weekdays.map((day) => (WEEKDAY_NAMES[day] ?? '').toLowerCase())
    readings.push(`every ${joinWords(names)} at ${time}`)
    const date = local.toPlainDate().add({ days: ((weekday - local.dayOfWeek + 6) % 7) + 1 })
    if (weekdays.length === 1) readings.push(`on ${date.toString()} at ${time}`)
  } else if (hasMonthDays(phrase) || phrase.months.size > 0) {
    readings.push(...monthReadings(phrase, time))
  } else readings.push(`daily at ${time}`, `${day} at ${time}`)
  throw new LanguageStop('it does not say whether once or again and again', { at: 0, readings })
}

function monthReadings(phrase: Phrase, time: string): string[] {
  const [date] = phrase.dates
  const [month] = phrase.months
  if (date === undefined)
    return [`monthly on the last day at ${time}`, `every day in january at ${time}`]
  if (month === undefined) {
    const day = `${date}${ordinalEnd(date)}`
    return [`monthly on the ${day} at ${time}`, `every year on january ${date} at ${time}`]
  }
  const name = Temporal.PlainDate.from({ year: 2000, month, day: 1 }).toLocaleString('en', {
    month: 'long',
  })
  return [`every year on ${name.toLowerCase()} ${date} at ${time}`]
}

function ordinalEnd(date: number): string {
  const isTeen = date % 100 >= 11 && date % 100 <= 13
  return isTeen ? 'th' : (['th', 'st', 'nd', 'rd'][date % 10] ?? 'th')
}
