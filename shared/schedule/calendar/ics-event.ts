/** The days of one VEVENT. Times count for the days that they touch, as the file writes them. */
import { DAY_S } from '../civil.ts'
import { formatDay } from '../describe/day-text.ts'
import { type ContentLine, type IcsProblem, icsProblem, quote } from './ics-lines.ts'
import type { Effort } from './repeat-rule.ts'
import { readCompactDay, settleRepeat } from './repeat-text.ts'
import { EXCEPT_MAX, REPEATED_DAYS_MAX, SUMMARY_BYTES_MAX } from './settle-days.ts'

export interface IcsEvent {
  readonly kind: 'event'
  readonly uid: string
  readonly first: number
  readonly last: number
  /** As settled; blank: once. */
  readonly repeat: string
  readonly except: readonly number[]
  /** Further first days (RDATE). */
  readonly also: readonly number[]
  /** It stands for the repetition of this day of the event with the same uid (RECURRENCE-ID). */
  readonly standsFor: number | undefined
  readonly isCancelled: boolean
  readonly summary: string
}

/** `lines` are those between BEGIN and END, without the components within; `start` is where it begins. */
export function readEvent(
  lines: readonly ContentLine[],
  start: number,
  effort: Effort,
): IcsEvent | IcsProblem {
  const find = (name: string) => lines.find((line) => line.name === name)
  const [startLine, repeatLine] = [find('DTSTART'), find('RRULE')]
  if (startLine === undefined) return icsProblem(start, 'the event has no DTSTART')
  const twice = ['DTSTART', 'DTEND', 'DURATION', 'RRULE'].flatMap((name) =>
    lines.filter((line) => line.name === name).slice(1),
  )
  const [second] = twice
  if (second !== undefined) return icsProblem(second.number, `the event has ${second.name} twice`)
  const first = readMoment(startLine)
  if ('kind' in first) return first
  const last = readLast(first, find('DTEND'), find('DURATION'))
  if (typeof last !== 'number') return last
  const except = readDays(lines, 'EXDATE')
  if ('kind' in except) return except
  const also = readDays(lines, 'RDATE')
  if ('kind' in also) return also
  const repeat = readRule(repeatLine, { first: first.day, last }, effort)
  if (typeof repeat !== 'string') return repeat
  const [standsFor] = readDaysOf(find('RECURRENCE-ID'))
  return {
    kind: 'event',
    uid: find('UID')?.value ?? '',
    ...{ first: first.day, last, repeat, except, also, standsFor },
    isCancelled: find('STATUS')?.value.trim().toUpperCase() === 'CANCELLED',
    summary: readSummary(find('SUMMARY')?.value ?? ''),
  }
}

interface Moment {
  readonly day: number
  /** Since midnight; undefined for a whole day. */
  readonly second: number | undefined
}

function readMoment({ name, number, value }: ContentLine): Moment | IcsProblem {
  const text = value.trim()
  const day = readCompactDay(text)
  if (day === undefined) {
    return icsProblem(number, `${name} ${quote(text)} is not a date such as 20261224`)
  }
  const time = /T(\d\d)(\d\d)(\d\d)/i.exec(text)?.slice(1).map(Number)
  if (time === undefined) return { day, second: undefined }
  const [hour = 0, minute = 0, second = 0] = time
  if (hour > 23 || minute > 59 || second > 60) {
    return icsProblem(number, `${name} ${quote(text)} is not a time of day`)
  }
  return { day, second: hour * 3_600 + minute * 60 + second }
}

/** The last day that it touches: its end is exclusive. */
function readLast(
  first: Moment,
  endLine: ContentLine | undefined,
  durationLine: ContentLine | undefined,
): number | IcsProblem {
  const start = first.day * DAY_S + (first.second ?? 0)
  if (endLine !== undefined) {
    const end = readMoment(endLine)
    if ('kind' in end) return end
    const endsAt = end.day * DAY_S + (end.second ?? 0)
    if (endsAt < start) return icsProblem(endLine.number, 'DTEND is before DTSTART')
    return lastTouched(start, endsAt)
  }
  if (durationLine === undefined) return first.day
  const length = readLength(durationLine.value.trim())
  if (length === undefined) {
    const text = quote(durationLine.value.trim())
    return icsProblem(durationLine.number, `DURATION ${text} is not a duration such as P1D`)
  }
  return lastTouched(start, start + length)
}

/** What has no length is on the day of its start. */
function lastTouched(start: number, end: number): number {
  return Math.floor((end === start ? start : end - 1) / DAY_S)
}

/** `P1W`, `P2DT3H`, in seconds. */
function readLength(text: string): number | undefined {
  const match =
    /^\+?P(?:(\d{1,4})W|(?:(\d{1,5})D)?(?:T(?:(\d{1,6})H)?(?:(\d{1,6})M)?(?:(\d{1,9})S)?)?)$/i.exec(
      text,
    )
  if (match === null || /[PT]$/i.test(text)) return undefined
  const [weeks = 0, days = 0, hours = 0, minutes = 0, seconds = 0] = match
    .slice(1)
    .map((part) => Number(part ?? 0))
  return (weeks * 7 + days) * DAY_S + hours * 3_600 + minutes * 60 + seconds
}

function readDays(lines: readonly ContentLine[], name: string): number[] | IcsProblem {
  const days: number[] = []
  for (const line of lines) {
    if (line.name !== name) continue
    const found = readDaysOf(line)
    const wrong = found.indexOf(undefined)
    if (wrong >= 0) {
      const text = quote(line.value.split(',')[wrong] ?? '')
      return icsProblem(line.number, `${name} ${text} is not a date such as 20261224`)
    }
    days.push(...found.filter((day) => day !== undefined))
    if (days.length > EXCEPT_MAX) {
      return icsProblem(line.number, `${name} has more than ${EXCEPT_MAX} days`)
    }
  }
  return days
}

/** A list of dates, times, or periods, of which the begin counts. */
function readDaysOf(line: ContentLine | undefined): (number | undefined)[] {
  if (line === undefined) return []
  return line.value.split(',').map((text) => readCompactDay(text.split('/')[0]?.trim() ?? ''))
}

function readRule(
  line: ContentLine | undefined,
  { first, last }: { readonly first: number; readonly last: number },
  effort: Effort,
): string | IcsProblem {
  if (line === undefined) return ''
  if (last - first + 1 > REPEATED_DAYS_MAX) {
    return icsProblem(line.number, `an event that repeats has at most ${REPEATED_DAYS_MAX} days`)
  }
  const settled = settleRepeat(line.value, first, effort)
  if (settled.kind === 'settled') return settled.text
  return icsProblem(line.number, `RRULE ${settled.message} (from ${formatDay(first)})`)
}

/** Without the escapes of RFC 5545, and short. */
function readSummary(text: string): string {
  const plain = text
    .replace(/\\([nN,;\\])/g, (_, character: string) => (/n/i.test(character) ? ' ' : character))
    .replace(/\p{Cc}+/gu, ' ')
    .trim()
  const bytes = Buffer.from(plain).subarray(0, SUMMARY_BYTES_MAX - 4)
  return bytes.length === Buffer.byteLength(plain) ? plain : new TextDecoder().decode(bytes, CUT)
}

/** A character that was cut in two is left out. */
const CUT = { stream: true } as const
