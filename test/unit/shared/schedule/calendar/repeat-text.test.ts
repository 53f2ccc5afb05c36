import { describe, expect, test } from 'vitest'
import {
  type Effort,
  repetitions,
  withDefaults,
} from '../../../../../shared/schedule/calendar/repeat-rule.ts'
import { readRepeat, settleRepeat } from '../../../../../shared/schedule/calendar/repeat-text.ts'
import { readDay } from '../../../../../shared/schedule/civil.ts'
import { formatDay } from '../../../../../shared/schedule/describe/day-text.ts'

const enough = (): Effort => ({ days: 100_000 })

function settle(text: string, first: string, effort = enough()): string {
  const settled = settleRepeat(text, readDay(first)!, effort)
  return settled.kind === 'settled' ? settled.text : `refused: ${settled.message}`
}

/** The first `count` days of a rule. */
function days(text: string, first: string, count: number): string[] {
  const settled = settle(text, first)
  const reading = readRepeat(settled)
  if (reading.kind === 'problem') throw new Error(settled)
  const day = readDay(first)!
  const span = { from: day, to: day + 40 * 366 }
  return [...repetitions(withDefaults(reading.rule, day), day, span)].slice(0, count).map(formatDay)
}

describe('the examples of RFC 5545', () => {
  test.each([
    ['FREQ=DAILY;COUNT=3', '1997-09-02', ['1997-09-02', '1997-09-03', '1997-09-04']],
    [
      'FREQ=DAILY;INTERVAL=10;COUNT=5',
      '1997-09-02',
      ['1997-09-02', '1997-09-12', '1997-09-22', '1997-10-02', '1997-10-12'],
    ],
    ['FREQ=WEEKLY;COUNT=3', '1997-09-02', ['1997-09-02', '1997-09-09', '1997-09-16']],
    [
      'FREQ=WEEKLY;INTERVAL=2;UNTIL=19970920;WKST=SU;BYDAY=MO,WE,FR',
      '1997-09-01',
      ['1997-09-01', '1997-09-03', '1997-09-05', '1997-09-15', '1997-09-17', '1997-09-19'],
    ],
    [
      'FREQ=WEEKLY;INTERVAL=2;COUNT=4;BYDAY=TU,SU;WKST=MO',
      '1997-08-05',
      ['1997-08-05', '1997-08-10', '1997-08-19', '1997-08-24'],
    ],
    [
      'FREQ=WEEKLY;INTERVAL=2;COUNT=4;BYDAY=TU,SU;WKST=SU',
      '1997-08-05',
      ['1997-08-05', '1997-08-17', '1997-08-19', '1997-08-31'],
    ],
    [
      'FREQ=MONTHLY;COUNT=4;BYDAY=1FR',
      '1997-09-05',
      ['1997-09-05', '1997-10-03', '1997-11-07', '1997-12-05'],
    ],
    [
      'FREQ=MONTHLY;INTERVAL=2;COUNT=4;BYDAY=1SU,-1SU',
      '1997-09-07',
      ['1997-09-07', '1997-09-28', '1997-11-02', '1997-11-30'],
    ],
    ['FREQ=MONTHLY;COUNT=3;BYDAY=-2MO', '1997-09-22', ['1997-09-22', '1997-10-20', '1997-11-17']],
    [
      'FREQ=MONTHLY;BYMONTHDAY=-3;COUNT=3',
      '1997-09-28',
      ['1997-09-28', '1997-10-29', '1997-11-28'],
    ],
    [
      'FREQ=MONTHLY;COUNT=4;BYMONTHDAY=1,-1',
      '1997-09-30',
      ['1997-09-30', '1997-10-01', '1997-10-31', '1997-11-01'],
    ],
    [
      'FREQ=YEARLY;COUNT=4;BYMONTH=6,7',
      '1997-06-10',
      ['1997-06-10', '1997-07-10', '1998-06-10', '1998-07-10'],
    ],
    ['FREQ=YEARLY;BYDAY=20MO;COUNT=3', '1997-05-19', ['1997-05-19', '1998-05-18', '1999-05-17']],
    [
      'FREQ=YEARLY;BYMONTH=3;BYDAY=TH;COUNT=4',
      '1997-03-13',
      ['1997-03-13', '1997-03-20', '1997-03-27', '1998-03-05'],
    ],
    [
      'FREQ=MONTHLY;BYDAY=FR;BYMONTHDAY=13;COUNT=3',
      '1998-02-13',
      ['1998-02-13', '1998-03-13', '1998-11-13'],
    ],
    [
      'FREQ=YEARLY;INTERVAL=4;BYMONTH=11;BYDAY=TU;BYMONTHDAY=2,3,4,5,6,7,8;COUNT=3',
      '1996-11-05',
      ['1996-11-05', '2000-11-07', '2004-11-02'],
    ],
    ['FREQ=YEARLY;COUNT=3', '2024-02-29', ['2024-02-29', '2028-02-29', '2032-02-29']],
    ['FREQ=MONTHLY;COUNT=3', '2026-01-31', ['2026-01-31', '2026-03-31', '2026-05-31']],
    [
      'FREQ=DAILY;BYMONTH=1;UNTIL=20280103',
      '2026-12-31',
      [
        '2026-12-31',
        ...Array.from(
          { length: 31 },
          (_, index) => `2027-01-${String(index + 1).padStart(2, '0')}`,
        ),
        '2028-01-01',
        '2028-01-02',
        '2028-01-03',
      ],
    ],
  ])('%s from %s', (text, first, expected) => {
    expect(days(text, first, 50)).toEqual(expected)
  })

  test('the first day counts, whatever the rule says', () => {
    expect(days('FREQ=WEEKLY;BYDAY=MO;COUNT=3', '2026-11-25', 9)).toEqual([
      '2026-11-25',
      '2026-11-30',
      '2026-12-07',
    ])
  })
})

describe('what is stored', () => {
  test.each([
    ['freq=yearly;count=5', '2026-12-25', 'FREQ=YEARLY;UNTIL=20301225'],
    ['FREQ=YEARLY;UNTIL=20301224T235959Z', '2026-12-25', 'FREQ=YEARLY;UNTIL=20301224'],
    ['BYDAY=+4TH;BYMONTH=11;FREQ=YEARLY', '2026-11-26', 'FREQ=YEARLY;BYMONTH=11;BYDAY=4TH'],
    ['FREQ=WEEKLY;INTERVAL=1;WKST=MO', '2026-11-26', 'FREQ=WEEKLY'],
    ['FREQ=WEEKLY;WKST=SU', '2026-11-26', 'FREQ=WEEKLY;WKST=SU'],
  ])('of %s is one form, in which COUNT is an end', (text, first, stored) => {
    expect(settle(text, first)).toBe(stored)
    expect(settle(stored, first)).toBe(stored)
  })
})

describe('refused is', () => {
  test.each([
    ['', '"" is not of the form NAME=VALUE'],
    ['FREQ=HOURLY', 'FREQ is not DAILY, WEEKLY, MONTHLY or YEARLY'],
    ['BYMONTH=1', 'FREQ is not DAILY'],
    ['FREQ=DAILY;FREQ=DAILY', 'has FREQ twice'],
    ['FREQ=MONTHLY;BYSETPOS=-1', 'BYSETPOS is not supported'],
    ['FREQ=YEARLY;BYWEEKNO=20', 'BYWEEKNO is not supported'],
    ['FREQ=YEARLY;COLOUR=RED', '"COLOUR" is no part of a rule'],
    ['FREQ=DAILY;INTERVAL=0', 'INTERVAL is not from 1 to 1000'],
    ['FREQ=DAILY;COUNT=0', 'COUNT is not from 1 to 10000'],
    ['FREQ=DAILY;COUNT=3;UNTIL=20270101', 'has both COUNT and UNTIL'],
    ['FREQ=DAILY;UNTIL=2027', 'UNTIL="2027" is not a date'],
    ['FREQ=DAILY;UNTIL=20270230', 'is not a date'],
    ['FREQ=YEARLY;BYMONTH=13', 'BYMONTH is not a list of 1 to 12'],
    ['FREQ=MONTHLY;BYMONTHDAY=0', 'BYMONTHDAY is not a list'],
    ['FREQ=MONTHLY;BYDAY=XX', 'BYDAY is not a list of days'],
    ['FREQ=MONTHLY;BYDAY=0MO', 'BYDAY is not a list of days'],
    ['FREQ=WEEKLY;BYDAY=1MO', 'BYDAY with a number is for FREQ=MONTHLY and FREQ=YEARLY'],
    ['FREQ=WEEKLY;BYMONTHDAY=1', 'BYMONTHDAY is not for FREQ=WEEKLY'],
    ['FREQ=WEEKLY;WKST=X', 'WKST is not one of'],
    ['FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=30', 'names days that never come'],
    [`FREQ=YEARLY;BYMONTH=${'1,'.repeat(300)}1`, 'is longer than 500 characters'],
  ])('%s', (text, message) => {
    expect(settle(text, '2026-11-26')).toContain(message)
  })

  test('a COUNT that takes long to count, before it has taken long', () => {
    const effort: Effort = { days: 1_000 }
    expect(settle('FREQ=DAILY;COUNT=10000', '2026-11-26', effort)).toBe(
      'refused: COUNT=10000 goes too far; write the day of its end as UNTIL',
    )
    expect(effort.days).toBe(-1)
  })
})
