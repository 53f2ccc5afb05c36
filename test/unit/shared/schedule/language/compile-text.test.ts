import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { compileText } from '../../../../../shared/schedule/language/compile-text.ts'
import { knownWords } from '../../../../../shared/schedule/language/words.ts'
import { readRules } from '../../../../../shared/schedule/rule-text.ts'

/** A Friday, 11:00 in Paris. */
const NOW = new Date('2026-11-20T10:00:00Z')

function compile(text: string) {
  return compileText({ text, now: NOW, timeZone: 'Europe/Paris' })
}

describe('is compiled', () => {
  test.each([
    ['every 5 minutes', '*/5 * * * *'],
    ['every 90 seconds', '@every 90s'],
    ['daily at 3 AM', '0 3 * * *'],
    ['every weekday at 9:30', '30 9 * * 1-5'],
    ['weekly on monday', '0 0 * * 1'],
    ['every monday and thursday at 18:00', '0 18 * * 1,4'],
    ['monthly on the 1st at 02:00', '0 2 1 * *'],
    ['last friday of the month at 17:00', '0 17 * * 5L'],
    ['every 2 hours between 9:00 and 17:00 on weekdays', '0 9-17/2 * * 1-5'],
    ['in 10 minutes', '@at 2026-11-20T10:10:00Z'],
    ['tomorrow at 5pm', '@at 2026-11-21T16:00:00Z'],
    ['at noon on the 15th of each month', '0 12 15 * *'],
    ['twice a day', '0 0,12 * * *'],
    ['quarterly', '0 0 1 1,4,7,10 *'],
    ['every other tuesday', '0 0 * * 2 every 2 weeks from 2026-11-24'],
    ['Every  Minute.', '* * * * *'],
    ['every second', '* * * * * *'],
    ['every 30 seconds', '*/30 * * * * *'],
    ['every 10 min', '*/10 * * * *'],
    ['every half hour', '*/30 * * * *'],
    ['every 7 minutes', '@every 7m'],
    ['every 5 hours', '@every 5h'],
    ['every 2h', '0 */2 * * *'],
    ['hourly', '0 * * * *'],
    ['every hour at minute 15', '15 * * * *'],
    ['hourly at :15', '15 * * * *'],
    ['every hour at 15 minutes past the hour', '15 * * * *'],
    ['every 2 hours at minute 5 and 35', '5,35 */2 * * *'],
    ['every hour between 22:00 and 6:00', '0 0-6,22,23 * * *'],
    ['every 15 minutes between 9:00 and 17:00', '*/15 9-16 * * *; 0 17 * * *'],
    ['every 20 minutes from 9am to 5pm', '*/20 9-16 * * *; 0 17 * * *'],
    ['every 30 seconds between 9:00 and 17:00', '*/30 * 9-16 * * *; 0 17 * * *'],
    ['three times a day', '0 */8 * * *'],
    ['twice a day at 6:30', '30 6,18 * * *'],
    ['twice an hour', '*/30 * * * *'],
    ['once a day at 4:15', '15 4 * * *'],
    ['daily', '0 0 * * *'],
    ['midnight every day', '0 0 * * *'],
    ['daily at 9:00, 12:30 and 18:00', '0 9,18 * * *; 30 12 * * *'],
    ['daily at 12am', '0 0 * * *'],
    ['daily at 12 p.m.', '0 12 * * *'],
    ['every day at 23:59:30', '30 59 23 * * *'],
    ['weekdays at 8:00', '0 8 * * 1-5'],
    ['weekends at 10:00', '0 10 * * 0,6'],
    ['monday to friday at 8:15', '15 8 * * 1-5'],
    ['mondays, wednesdays and fridays at noon', '0 12 * * 1,3,5'],
    ['weekly', '0 0 * * 1'],
    ['every week on tue and thu at 7:00', '0 7 * * 2,4'],
    ['every 2 weeks on friday at 6:30 pm', '30 18 * * 5 every 2 weeks from 2026-11-20'],
    ['fortnightly on wednesday at 7:45', '45 7 * * 3 every 2 weeks from 2026-11-25'],
    ['every other day at 2am', '0 2 * * * every 2 days from 2026-11-20'],
    ['every tuesday at 9:00 starting 2026-12-01', '0 9 * * 2 every 1 days from 2026-12-01'],
    ['every 5 minutes starting tomorrow', '*/5 * * * * every 1 days from 2026-11-21'],
    ['daily at 9:00 from 2026-12-01', '0 9 * * * every 1 days from 2026-12-01'],
    ['every 3 days at 2am starting 2026-12-01', '0 2 * * * every 3 days from 2026-12-01'],
    ['monthly', '0 0 1 * *'],
    ['monthly on the 15th and last day', '0 0 15,L * *'],
    ['on the last weekday of the month at 6pm', '0 18 LW * *'],
    ['first business day of the month at 9:00', '0 9 1W * *'],
    ['the weekday nearest to the 15th of the month at noon', '0 12 15W * *'],
    ['first monday of the month at 8am', '0 8 * * 1#1'],
    ['every month on the second tuesday at 10:00', '0 10 * * 2#2'],
    ['every 6 months', '0 0 1 1,7 *'],
    ['every 5 months', '0 0 1 * * every 5 months from 2026-11-01'],
    ['quarterly on the last day at 23:00', '0 23 L 1,4,7,10 *'],
    ['yearly', '0 0 1 1 *'],
    ['yearly on march 1 at 9:00', '0 9 1 3 *'],
    ['every year on december 24th at 18:00', '0 18 24 12 *'],
    ['every 24 december at 18:00', '0 18 24 12 *'],
    ['every 2 years on may 5', '0 0 5 5 * every 24 months from 2026-05-01'],
    ['every day at 9:00 in july and august', '0 9 * 7,8 *'],
    ['every weekday at 9:30 and every saturday at 12:00', '30 9 * * 1-5; 0 12 * * 6'],
    ['every weekday at 9:30; every sunday at 8:00', '30 9 * * 1-5; 0 8 * * 0'],
    ['in an hour', '@at 2026-11-20T11:00:00Z'],
    ['in 1 hour and 30 minutes', '@at 2026-11-20T11:30:00Z'],
    ['in half an hour', '@at 2026-11-20T10:30:00Z'],
    ['today at 18:00', '@at 2026-11-20T17:00:00Z'],
    ['next monday at 9:00', '@at 2026-11-23T08:00:00Z'],
    ['on 2026-12-24 at 18:00', '@at 2026-12-24T17:00:00Z'],
    ['noon tomorrow', '@at 2026-11-21T11:00:00Z'],
  ])('%j', (text, compiled) => {
    expect(compile(text)).toEqual({ kind: 'rule', compiled })
  })
})

describe('is refused with its readings', () => {
  test.each([
    ['at 9 on weekdays', ['at 09:00 on weekdays', 'at 21:00 on weekdays']],
    ['every day at 12', ['every day at 00:00', 'every day at 12:00']],
    [
      'every hour between 9 and 5',
      ['every hour between 09:00 and 17:00', 'every hour between 21:00 and 05:00'],
    ],
    ['every second tuesday', ['every other tuesday', 'second tuesday of the month']],
    [
      'every third friday at 8:00',
      ['every 3 weeks on friday at 8:00', 'third friday of the month at 8:00'],
    ],
    ['monday at 9:00', ['every monday at 09:00', 'on 2026-11-23 at 09:00']],
    ['on the 31st at 9:00', ['monthly on the 31st at 09:00', 'every year on january 31 at 09:00']],
    ['monday and friday at 9:00', ['every monday and friday at 09:00']],
    ['at noon', ['daily at 12:00', 'today at 12:00']],
    ['at 9:00', ['daily at 09:00', 'tomorrow at 09:00']],
    ['5 minutes', ['every 5 minutes', 'in 5 minutes']],
    ['biweekly', ['every other week', 'every monday and thursday']],
    ['bimonthly', ['every 2 months', 'monthly on the 1st and 15th']],
    [
      'twice a week at 9:00',
      ['every monday and thursday at 9:00', 'every tuesday and friday at 9:00'],
    ],
    ['twice a month', ['monthly on the 1st and 15th', 'monthly on the 15th and last day']],
    ['every morning', ['daily at 6:00', 'daily at 9:00']],
    ['nightly', ['daily at midnight', 'daily at 22:00']],
    ['tomorrow', ['on 2026-11-21 at 9:00', 'on 2026-11-21 at noon']],
    ['next saturday at 9:00', ['on 2026-11-21 at 9:00', 'on 2026-11-28 at 9:00']],
    ['every hour at 9:00', ['daily at 09:00', 'every hour between 09:00 and 23:59']],
    [
      'monthly on monday',
      ['first monday of the month', 'last monday of the month', 'every monday'],
    ],
  ])('%j', (text, readings) => {
    const answer = compile(text)
    expect(answer).toMatchObject({ kind: 'ambiguous', readings })
    for (const reading of readings)
      expect(compile(reading), reading).toMatchObject({ kind: 'rule' })
  })
})

describe('is refused, and says where', () => {
  test.each([
    ['', 'is blank', 1],
    ['every moday at 9:00', '"moday" is not understood here', 7],
    ['every', 'the sentence ends too early', 6],
    ['every day at 25:00', '"25:00" is not a time of day', 14],
    ['every day at 13pm', '"13pm" is not a time of day', 14],
    ['every day at', '"" is not a time of day', 13],
    ['every minute of the day', '"of" is not understood here', 14],
    ['today at 9:00', '2026-11-20T08:00:00Z is in the past', 1],
    ['in 10 bananas', 'behind "in" comes a span of up to weeks, or a month', 7],
    ['every 500 ms', 'an interval is a whole number of seconds, minutes or longer units', 7],
    ['every 0.5 seconds', 'an interval is a whole number of seconds, minutes or longer units', 7],
    ['every 0 days', 'an interval is at least 1', 9],
    ['sixth monday of the month', 'a month has at most five of a weekday', 1],
    ['monthly on the 32nd', 'a month has the days 1st to 31st', 16],
    ['on 2026-02-30 at 9:00', '"2026-02-30" is not a date', 4],
    ['every 5 minutes hourly', 'this does not fit to what was said before', 22],
    ['twice a day every hour', 'times a day and an interval within the day do not fit', 1],
    ['weekly on the 1st', 'a week has no day of the month', 1],
    ['in 5 minutes tomorrow', 'it says both once and again and again', 1],
    ['tomorrow at 5pm every day', 'it says both once and again and again', 1],
    [
      'every 7 minutes on weekdays',
      'the interval does not fit into a day evenly, so it cannot begin anew on some days',
      1,
    ],
    ['x'.repeat(600), 'is longer than 500 characters', 501],
  ])('%j', (text, message, position) => {
    expect(compile(text)).toMatchObject({ kind: 'problem', message, position })
  })

  test('with the word that was meant, and why a rule cannot be', () => {
    expect(compile('every moday')).toMatchObject({ hint: 'Did you mean "monday"?' })
    expect(compile('every 5 minits')).toMatchObject({
      message: '"minits" is not understood here',
      hint: 'Did you mean "mins"?',
    })
    expect(compile('every february 30th')).toMatchObject({
      kind: 'problem',
      message: 'it would be "0 0 30 2 *", which names days that never come',
    })
  })
})

test('readings that have several meanings themselves give way to them', () => {
  const readings = ['daily at 05:00', 'tomorrow at 05:00', 'daily at 17:00', 'today at 17:00']
  expect(compile('at 5')).toMatchObject({ kind: 'ambiguous', readings })
  for (const reading of readings) expect(compile(reading)).toMatchObject({ kind: 'rule' })
})

test('any words end in a rule that can be read, in readings, or in a problem', () => {
  const word = fc.oneof(
    fc.constantFrom(
      ...knownWords(),
      ',',
      ';',
      '9:30',
      '17:00',
      '5pm',
      '9',
      '15th',
      '2026-12-24',
      ':15',
      'a',
    ),
    fc.stringMatching(/^[a-z0-9:;,.-]{0,6}$/),
  )
  fc.assert(
    fc.property(fc.array(word, { maxLength: 9 }), (words) => {
      const answer = compile(words.join(' '))
      if (answer.kind === 'rule') expect(readRules(answer.compiled).kind).toBe('rules')
      else expect(answer.hint).not.toBe('')
    }),
    { numRuns: 4_000 },
  )
})
