import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { CalendarDays } from '../../../../../proto/gen/rota/v1/calendar.ts'
import { compileDays } from '../../../../../shared/schedule/calendar/day-set.ts'
import { readIcs } from '../../../../../shared/schedule/calendar/read-ics.ts'
import { settleDays } from '../../../../../shared/schedule/calendar/settle-days.ts'
import { readDay } from '../../../../../shared/schedule/civil.ts'
import { formatDay } from '../../../../../shared/schedule/describe/day-text.ts'

function file(...lines: readonly string[]): string {
  return ['BEGIN:VCALENDAR', 'VERSION:2.0', ...lines, 'END:VCALENDAR', ''].join('\r\n')
}

function event(...lines: readonly string[]): string {
  return file('BEGIN:VEVENT', ...lines, 'END:VEVENT')
}

/** The days of a file within a span, or what is wrong with it. */
function read(text: string, from = '2026-01-01', to = '2028-12-31'): string[] | string {
  const reading = readIcs(text)
  if (reading.kind === 'problem') return `line ${reading.line}: ${reading.message}`
  const { days, violations } = settleDays(
    'days',
    CalendarDays.fromPartial({ spans: [...reading.spans] }),
  )
  expect(violations).toEqual([])
  const set = compileDays(days)
  const found: string[] = []
  for (let day = readDay(from)!; day <= readDay(to)!; day++) {
    if (set.has(day)) found.push(formatDay(day))
  }
  return found
}

describe('the days of an event', () => {
  test.each([
    ['one day', ['DTSTART;VALUE=DATE:20261225', 'DTEND;VALUE=DATE:20261226'], ['2026-12-25']],
    ['one day without an end', ['DTSTART;VALUE=DATE:20261225'], ['2026-12-25']],
    ['one day that ends where it begins', ['DTSTART:20261225', 'DTEND:20261225'], ['2026-12-25']],
    [
      'several',
      ['DTSTART;VALUE=DATE:20261224', 'DTEND;VALUE=DATE:20261227'],
      ['2026-12-24', '2026-12-25', '2026-12-26'],
    ],
    [
      'as long as it lasts',
      ['DTSTART;VALUE=DATE:20261224', 'DURATION:P2D'],
      ['2026-12-24', '2026-12-25'],
    ],
    [
      'a week',
      ['DTSTART;VALUE=DATE:20261221', 'DURATION:P1W'],
      [
        '2026-12-21',
        '2026-12-22',
        '2026-12-23',
        '2026-12-24',
        '2026-12-25',
        '2026-12-26',
        '2026-12-27',
      ],
    ],
    [
      'timed, within a day',
      ['DTSTART;TZID=Europe/Paris:20261224T180000', 'DTEND;TZID=Europe/Paris:20261224T200000'],
      ['2026-12-24'],
    ],
    [
      'timed, over midnight',
      ['DTSTART:20261224T220000Z', 'DTEND:20261225T020000Z'],
      ['2026-12-24', '2026-12-25'],
    ],
    ['timed, to midnight', ['DTSTART:20261224T220000', 'DTEND:20261225T000000'], ['2026-12-24']],
    ['timed, of no length', ['DTSTART:20261224T220000'], ['2026-12-24']],
    [
      'timed, by its duration',
      ['DTSTART:20261224T220000', 'DURATION:PT2H1S'],
      ['2026-12-24', '2026-12-25'],
    ],
    [
      'every year, three times',
      ['DTSTART;VALUE=DATE:20261225', 'RRULE:FREQ=YEARLY;COUNT=3'],
      ['2026-12-25', '2027-12-25', '2028-12-25'],
    ],
    [
      'but for those left out',
      ['DTSTART;VALUE=DATE:20261225', 'RRULE:FREQ=YEARLY', 'EXDATE;VALUE=DATE:20271225'],
      ['2026-12-25', '2028-12-25'],
    ],
    [
      'and further ones',
      ['DTSTART;VALUE=DATE:20261225', 'RDATE;VALUE=DATE:20270101,20280101'],
      ['2026-12-25', '2027-01-01', '2028-01-01'],
    ],
    [
      'left out in several lists',
      [
        'DTSTART:20261130',
        'RRULE:FREQ=WEEKLY;UNTIL=20261228',
        'EXDATE:20261207,20261214',
        'EXDATE:20261221',
      ],
      ['2026-11-30', '2026-12-28'],
    ],
    ['none of one that was cancelled', ['DTSTART:20261224', 'STATUS:CANCELLED'], []],
  ])('are %s', (_, lines, expected) => {
    expect(read(event(...lines))).toEqual(expected)
  })

  test('are those of all events, whatever else the file holds', () => {
    const text = file(
      'PRODID:-//Example//EN',
      'BEGIN:VTIMEZONE',
      'TZID:Europe/Paris',
      'BEGIN:DAYLIGHT',
      'DTSTART:19810329T020000',
      'RRULE:FREQ=YEARLY;BYSETPOS=1',
      'END:DAYLIGHT',
      'END:VTIMEZONE',
      'BEGIN:VEVENT',
      'UID:1',
      'DTSTART;VALUE=DATE:20260501',
      'BEGIN:VALARM',
      'DURATION:nonsense',
      'END:VALARM',
      'END:VEVENT',
      'BEGIN:VTODO',
      'DTSTART:nonsense',
      'END:VTODO',
      'BEGIN:VEVENT',
      'DTSTART;VALUE=DATE:20260714',
      'END:VEVENT',
    )
    expect(read(text)).toEqual(['2026-05-01', '2026-07-14'])
  })

  test('move with a repetition that was moved, and go with one that was cancelled', () => {
    const text = file(
      ...['BEGIN:VEVENT', 'UID:a', 'DTSTART:20261204', 'RRULE:FREQ=WEEKLY;COUNT=4', 'END:VEVENT'],
      ...['BEGIN:VEVENT', 'UID:a', 'RECURRENCE-ID:20261211', 'DTSTART:20261212', 'END:VEVENT'],
      'BEGIN:VEVENT',
      ...['UID:a', 'RECURRENCE-ID:20261218T000000Z', 'DTSTART:20261218', 'STATUS:CANCELLED'],
      'END:VEVENT',
    )
    expect(read(text)).toEqual(['2026-12-04', '2026-12-12', '2026-12-25'])
  })

  test('keep what they are, unescaped and short', () => {
    const long = 'é'.repeat(300)
    const text = event('DTSTART:20261225', 'SUMMARY;LANGUAGE="en:x":Christmas\\, a day\\nof rest')
    const longer = event('DTSTART:20261225', `SUMMARY:${long}`)
    const [one, two] = [readIcs(text), readIcs(longer)]
    expect(one).toMatchObject({ kind: 'days', spans: [{ summary: 'Christmas, a day of rest' }] })
    expect(two.kind === 'days' && two.spans[0]?.summary).toBe('é'.repeat(98))
  })

  test('are read through folds, line feeds alone, and a mark of the encoding', () => {
    const text =
      '\uFEFFBEGIN:VCALENDAR\nBEGIN:VEVENT\nDTST\n ART;VALUE=\n\tDATE:2026\n 1225\nEND:VEVENT\nEND:VCALENDAR'
    expect(read(text)).toEqual(['2026-12-25'])
  })
})

describe('a file that cannot be read says where', () => {
  test.each([
    ['', 'line 1: the file does not begin with BEGIN:VCALENDAR'],
    ['<html>', 'line 1: "<html>" does not begin with a name'],
    ['hello', 'line 1: "hello" has no ":" before its value'],
    ['BEGIN:VEVENT\nEND:VEVENT', 'line 1: the file does not begin with BEGIN:VCALENDAR'],
    [event('SUMMARY:x'), 'line 3: the event has no DTSTART'],
    [event('DTSTART:20261225', 'DTSTART:20261226'), 'line 5: the event has DTSTART twice'],
    [event('DTSTART:2026-12-25'), 'line 4: DTSTART "2026-12-25" is not a date such as 20261224'],
    [event('DTSTART:20260230'), 'line 4: DTSTART "20260230" is not a date such as 20261224'],
    [event('DTSTART:20261225T250000'), 'line 4: DTSTART "20261225T250000" is not a time of day'],
    [event('DTSTART:20261225', 'DTEND:20261224'), 'line 5: DTEND is before DTSTART'],
    [event('DTSTART:20261225', 'DURATION:P'), 'line 5: DURATION "P" is not a duration such as P1D'],
    [
      event('DTSTART:20261225', 'DURATION:-P1D'),
      'line 5: DURATION "-P1D" is not a duration such as P1D',
    ],
    [
      event('DTSTART:20261225', 'EXDATE:20261225,tomorrow'),
      'line 5: EXDATE "tomorrow" is not a date such as 20261224',
    ],
    [
      event('DTSTART:20261225', 'RRULE:FREQ=MONTHLY;BYSETPOS=1'),
      'line 5: RRULE BYSETPOS is not supported; known are FREQ, INTERVAL, COUNT, UNTIL, BYMONTH, BYMONTHDAY, BYDAY, WKST (from 2026-12-25)',
    ],
    [
      event('DTSTART:20260101', 'DTEND:20270301', 'RRULE:FREQ=YEARLY'),
      'line 6: an event that repeats has at most 366 days',
    ],
    [
      'BEGIN:VCALENDAR\nBEGIN:VEVENT\nDTSTART:20261225\nEND:VCALENDAR',
      'line 4: END "VCALENDAR" comes where VEVENT of line 2 is open',
    ],
    ['BEGIN:VCALENDAR\nEND:VCALENDAR\nEND:VCALENDAR', 'line 3: END "VCALENDAR" has no BEGIN'],
    ['BEGIN:VCALENDAR\nBEGIN:VEVENT', 'line 1: BEGIN:VCALENDAR has no END'],
    [`BEGIN:VCALENDAR\n${'BEGIN:A\n'.repeat(11)}`, 'line 11: is nested too deep'],
  ])('%j', (text, problem) => {
    expect(read(text)).toBe(problem)
  })

  test('in lines of the file, folds counted', () => {
    expect(read(event('SUMMARY:a', ' b', ' c', 'DTSTART:x'))).toMatch(/^line 7: DTSTART "x"/)
  })
})

describe('a hostile file costs little', () => {
  test.each([
    ['too large', 'x'.repeat(922_000), 'line 1: the file is larger than 900 KiB'],
    ['too many lines', '\n'.repeat(100_001), 'line 100000: there are more than 100000 lines'],
    [
      'too many events',
      file('BEGIN:VEVENT\r\nDTSTART:20261225\r\nEND:VEVENT\r\n'.repeat(2_001)),
      'there are more than 2000 events',
    ],
    [
      'too many rules',
      file('BEGIN:VEVENT\r\nDTSTART:20261225\r\nRRULE:FREQ=DAILY\r\nEND:VEVENT\r\n'.repeat(501)),
      'there are more than 500 events that repeat',
    ],
    [
      'too many exceptions',
      event('DTSTART:20261225', `EXDATE:${'20261225,'.repeat(1_001)}20261225`),
      'line 5: EXDATE has more than 1000 days',
    ],
    [
      'counts without end',
      file(
        'BEGIN:VEVENT\r\nDTSTART:20260130\r\nRRULE:FREQ=YEARLY;INTERVAL=999;COUNT=9999\r\nEND:VEVENT\r\n'.repeat(
          500,
        ),
      ),
      'goes too far; write the day of its end as UNTIL',
    ],
  ])('%s', (_, text, problem) => {
    expect(read(text)).toContain(problem)
  })

  test('whatever it holds: it is read or refused, never thrown at', () => {
    const words = fc.constantFrom(
      ...[
        'BEGIN:',
        'END:',
        'VCALENDAR',
        'VEVENT',
        'DTSTART',
        ';VALUE=DATE',
        ':',
        ';',
        '"',
        ',',
        '=',
        '\n',
        '\r\n ',
        '\n\t',
      ],
      ...[
        '20261225',
        'T000000Z',
        'RRULE:',
        'FREQ=YEARLY',
        ';COUNT=3',
        'DURATION:P1D',
        '\0',
        'é',
        '\u2028',
      ],
    )
    const texts = fc.array(words, { maxLength: 60 }).map((parts) => parts.join(''))
    fc.assert(
      fc.property(texts, (text) => {
        for (const each of [text, file(text), event(text), event('DTSTART:20261225', text)]) {
          const reading = readIcs(each)
          if (reading.kind === 'problem') expect(reading.line).toBeGreaterThanOrEqual(1)
        }
      }),
      { numRuns: 500 },
    )
  })
})
