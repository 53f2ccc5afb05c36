import { describe, expect, test } from 'vitest'
import { CalendarDays, DaySpan, Weekday } from '../../../../../proto/gen/rota/v1/calendar.ts'
import { createDayFilter } from '../../../../../shared/schedule/calendar/day-filter.ts'
import { compileDays } from '../../../../../shared/schedule/calendar/day-set.ts'
import { settleDays } from '../../../../../shared/schedule/calendar/settle-days.ts'
import { readDay } from '../../../../../shared/schedule/civil.ts'
import { formatDay } from '../../../../../shared/schedule/describe/day-text.ts'

const day = (text: string) => readDay(text)!

function daysOf(calendar: Partial<CalendarDays>, from: string, to: string): string[] {
  const set = compileDays(CalendarDays.fromPartial(calendar))
  const found: string[] = []
  for (let each = day(from); each <= day(to); each++) if (set.has(each)) found.push(formatDay(each))
  return found
}

const span = (of: Partial<DaySpan>) => DaySpan.fromPartial(of)

describe('a day is in the set', () => {
  test('when it is one of its dates', () => {
    expect(daysOf({ dates: ['2026-12-24'] }, '2026-12-01', '2027-12-31')).toEqual(['2026-12-24'])
  })

  test('when it is one of its weekdays, Sunday too', () => {
    const weekdays = [Weekday.SATURDAY, Weekday.SUNDAY]
    expect(daysOf({ weekdays }, '2026-11-27', '2026-12-06')).toEqual([
      '2026-11-28',
      '2026-11-29',
      '2026-12-05',
      '2026-12-06',
    ])
  })

  test('every year, 29 February in leap years', () => {
    expect(daysOf({ yearly: ['12-25', '02-29'] }, '2027-01-01', '2029-12-31')).toEqual([
      '2027-12-25',
      '2028-02-29',
      '2028-12-25',
      '2029-12-25',
    ])
  })

  test('when a range has it, over the end of the year too', () => {
    const spans = [span({ first: '2026-12-30', last: '2027-01-02' })]
    expect(daysOf({ spans }, '2026-01-01', '2028-01-01')).toEqual([
      '2026-12-30',
      '2026-12-31',
      '2027-01-01',
      '2027-01-02',
    ])
  })

  test('when a span comes again, but for what is left out', () => {
    const spans = [
      span({
        first: '2025-12-31',
        last: '2026-01-01',
        repeat: 'FREQ=YEARLY',
        except: ['2026-12-31'],
      }),
    ]
    expect(daysOf({ spans }, '2025-01-01', '2028-12-31')).toEqual([
      '2025-12-31',
      '2026-01-01',
      '2027-12-31',
      '2028-01-01',
      '2028-12-31',
    ])
  })

  test('and is told what it is', () => {
    const spans = [span({ first: '2020-12-25', repeat: 'FREQ=YEARLY', summary: 'Christmas Day' })]
    const set = compileDays(CalendarDays.fromPartial({ spans, dates: ['2026-12-24'] }))
    expect(set.summaryOf(day('2026-12-25'))).toBe('Christmas Day')
    expect(set.summaryOf(day('2026-12-24'))).toBe('')
  })

  test('never by what validation refuses', () => {
    const spans = [span({ first: '2026-02-30' }), span({ first: '2026-01-01', repeat: 'FREQ=NO' })]
    const wrong = { dates: ['x'], yearly: ['2-2'], weekdays: [Weekday.UNSPECIFIED], spans }
    expect(daysOf(wrong, '2026-01-01', '2026-12-31')).toEqual([])
  })
})

describe('a filter', () => {
  const named = (name: string, days: Partial<CalendarDays>) => ({
    name,
    days: compileDays(CalendarDays.fromPartial(days)),
  })
  const weekends = named('weekends', { weekdays: [Weekday.SATURDAY, Weekday.SUNDAY] })
  const december = named('december', { spans: [span({ first: '2026-12-01', last: '2026-12-31' })] })
  const christmas = named('christmas', {
    spans: [span({ first: '2026-12-25', summary: 'Christmas Day' })],
  })

  test('without calendars is none', () => {
    expect(createDayFilter([], [])).toBeUndefined()
  })

  test('allows what no calendar excludes, and one of those to keep to has', () => {
    const filter = createDayFilter([weekends, christmas], [december])!
    expect(filter.isAllowed(day('2026-12-24'))).toBe(true)
    expect(filter.isAllowed(day('2026-12-25'))).toBe(false)
    expect(filter.isAllowed(day('2026-12-26'))).toBe(false)
    expect(filter.isAllowed(day('2026-11-30'))).toBe(false)
    expect(filter.refusal(day('2026-12-25'))).toBe('is in christmas: Christmas Day')
    expect(filter.refusal(day('2026-12-26'))).toBe('is in weekends')
    expect(filter.refusal(day('2026-11-30'))).toBe('is not in december')
  })

  test('finds the next allowed day, asked from anywhere again and again', () => {
    const filter = createDayFilter([weekends], [december])!
    const next = (from: string, to: string) => {
      const found = filter.nextAllowed(day(from), day(to))
      return found === undefined ? undefined : formatDay(found)
    }
    expect(next('2026-06-01', '2026-11-30')).toBeUndefined()
    expect(next('2026-06-01', '2027-12-31')).toBe('2026-12-01')
    expect(next('2026-07-01', '2026-11-30')).toBeUndefined()
    expect(next('2026-07-01', '2026-12-01')).toBe('2026-12-01')
    expect(next('2026-12-05', '2027-12-31')).toBe('2026-12-07')
    expect(next('2026-12-05', '2026-12-06')).toBeUndefined()
    expect(next('2027-01-01', '2056-12-31')).toBeUndefined()
  })
})

describe('what is wrong with the days of a calendar', () => {
  function wrongs(days: Partial<CalendarDays>): string[] {
    const { violations } = settleDays('calendar.days', CalendarDays.fromPartial(days))
    return violations.map(
      ({ field, message }) => `${field.replace('calendar.days.', '')} ${message}`,
    )
  }

  test.each([
    [{ dates: ['2026-12-24', '24.12.2026'] }, 'dates[1] "24.12.2026" is not a day'],
    [{ dates: ['2026-02-29'] }, 'dates[0] "2026-02-29" is not a day'],
    [{ yearly: ['13-01'] }, 'yearly[0] "13-01" is not a day of the year'],
    [{ yearly: ['02-30'] }, 'yearly[0] "02-30" is not a day of the year'],
    [{ weekdays: [Weekday.UNSPECIFIED] }, 'weekdays[0] is missing'],
    [{ weekdays: [9 as Weekday] }, 'weekdays[0] 9 is not a value of this release'],
    [{ spans: [span({})] }, 'spans[0].first is missing'],
    [
      { spans: [span({ first: '2026-12-24', last: '2026-12-23' })] },
      'spans[0].last is before first',
    ],
    [
      { spans: [span({ first: '2026-01-01', last: '2027-02-01', repeat: 'FREQ=YEARLY' })] },
      'spans[0].last is more than 366 days after first, and the span repeats',
    ],
    [
      { spans: [span({ first: '2026-01-01', repeat: 'FREQ=SOMETIMES' })] },
      'spans[0].repeat FREQ is not DAILY, WEEKLY, MONTHLY or YEARLY',
    ],
    [
      { spans: [span({ first: '2026-01-01', except: ['x'] })] },
      'spans[0].except[0] "x" is not a day',
    ],
    [
      { spans: [span({ first: '2026-01-01', summary: 'a\nb' })] },
      'spans[0].summary holds a line break or another control character',
    ],
    [
      { dates: Array.from({ length: 5_001 }, () => '2026-01-01') },
      'dates has 5001 entries, more than 5000',
    ],
    [
      {
        spans: Array.from({ length: 501 }, () =>
          span({ first: '2026-01-01', repeat: 'FREQ=YEARLY' }),
        ),
      },
      'spans has 501 entries that repeat, more than 500',
    ],
  ])('%o', (days, wrong) => {
    expect(wrongs(days)).toEqual([wrong])
  })

  test('many rules that count far cost no more than one', () => {
    const spans = Array.from({ length: 500 }, () =>
      span({ first: '2026-01-01', repeat: 'FREQ=MONTHLY;BYDAY=5FR;COUNT=9000' }),
    )
    const wrong = wrongs({ spans })
    expect(wrong.length).toBeGreaterThan(400)
    expect(wrong[499]).toBe(
      'spans[499].repeat COUNT=9000 goes too far; write the day of its end as UNTIL',
    )
  })

  test('nothing is when all is right, which is stored in order and once', () => {
    const { days, violations } = settleDays('calendar.days', {
      dates: ['2026-12-26', '2026-12-24', '2026-12-26'],
      weekdays: [Weekday.SUNDAY, Weekday.MONDAY],
      yearly: ['12-25', '01-01'],
      spans: [span({ first: '2026-12-24', last: '2026-12-24', repeat: 'FREQ=YEARLY;COUNT=2' })],
    })
    expect(violations).toEqual([])
    expect(days).toEqual({
      dates: ['2026-12-24', '2026-12-26'],
      weekdays: [Weekday.MONDAY, Weekday.SUNDAY],
      yearly: ['01-01', '12-25'],
      spans: [span({ first: '2026-12-24', repeat: 'FREQ=YEARLY;UNTIL=20271224' })],
    })
    expect(settleDays('calendar.days', days)).toEqual({ days, violations: [] })
  })
})
