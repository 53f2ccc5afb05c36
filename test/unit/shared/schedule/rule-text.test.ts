import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { readRules } from '../../../../shared/schedule/rule-text.ts'
import { checkTimeZone } from '../../../../shared/schedule/zone/time-zone.ts'
import { Dice } from '../../../time-check/dice.ts'
import { anyPattern } from '../../../time-check/known-pattern.ts'
import { nextTime } from './next-time.ts'

function problemOf(text: string) {
  const reading = readRules(text)
  return reading.kind === 'problem' ? reading : undefined
}

function timesAfter(expression: string, after: string, options: { zone?: string; count?: number }) {
  const times: string[] = []
  let last = new Date(after)
  while (times.length < (options.count ?? 3)) {
    const next = nextTime({
      expression,
      timeZone: options.zone ?? '',
      after: last,
      seed: 'seed',
    })
    if (next === undefined) break
    times.push(next.toISOString().replace('.000Z', 'Z'))
    last = next
  }
  return times
}

describe('readRules accepts', () => {
  test.each([
    '* * * * *',
    '*/15 9-17 * * MON-FRI',
    '0 0 1,15 * *',
    '30 0 0 1 1 *',
    '  5 4 * * sun  ',
    '0 0 L * *',
    '0 0 15,L * *',
    '0 0 * * 5L',
    '0 0 * * FRI#2',
    '0 0 * * 1,5#2,6L',
    '0 0 1W,15W,LW,L-2 * *',
    '0 9 * * TUE every 2 weeks from 2026-11-24',
    '@every 6h phase 15m',
    '0 9 * * 1-5; 0 12 * * 6',
    'h h(1-5) * * *',
    '0 0 ? * MON',
    '0 0 31 2 1',
    '0 0 29 2 *',
    '0 0 30 2,4 *',
    '1-5,3,*/2 * * * *',
    '0 0 * * 0-7',
    '0 0 * * SAT-SUN',
    'H H * * *',
    'H(0-29)/10 H/2 * * *',
    '0 0 1 JUL *',
    '@hourly',
    '@Daily',
    '@midnight',
    '@weekly',
    '@monthly',
    '@yearly',
    '@annually',
    '@every 90s',
    '@every 1s',
    '@every 365d',
    '* * * * *'.padEnd(1_000),
    '@every 1h30m',
  ])('%j', (expression) => {
    expect(problemOf(expression)).toBeUndefined()
    expect(timesAfter(expression, '2026-11-20T10:00:00Z', {})).toHaveLength(3)
  })
})

describe('readRules refuses, and says where', () => {
  test.each([
    ['', 'is blank', 1],
    ['   ', 'is blank', 1],
    ['* * * *', 'has 4 fields instead of 5 or 6', 8],
    ['* * * * * * *', 'has 7 fields instead of 5 or 6', 13],
    ['60 * * * *', '"60" is not in the range of the minute field, 0 to 59', 1],
    ['* 24 * * *', '"24" is not in the range of the hour field, 0 to 23', 3],
    ['0 0 0 * *', '"0" is not in the range of the day of month field, 1 to 31', 5],
    ['0 0 * 13 *', '"13" is not in the range of the month field, 1 to 12', 7],
    ['0 0 * * 8', '"8" is not in the range of the day of week field, 0 to 7', 9],
    ['? * * * *', '"?" is not a minute', 1],
    ['61 * * * * *', '"61" is not in the range of the second field, 0 to 59', 1],
    ['1,2,77 * * * *', '"77" is not in the range of the minute field, 0 to 59', 5],
    ['  0 99 * * *', '"99" is not in the range of the hour field, 0 to 23', 5],
    ['5-1 * * * *', 'the range 5-1 runs backwards', 1],
    ['1-2-3 * * * *', '"1-2-3" is not a range', 1],
    ['*/0 * * * *', 'the step "0" is not a whole number from 1 on', 1],
    ['*/x * * * *', 'the step "x" is not a whole number from 1 on', 1],
    ['*/90 * * * *', 'the step 90 is larger than the minute field, which ends at 59', 1],
    ['1/2/3 * * * *', '"1/2/3" has more than one /', 1],
    ['1,,2 * * * *', 'an empty value in the minute field', 3],
    ['1e1,H/5 * * * *', '"1e1" is not a minute', 1],
    ['0 0 * * MONDAY', '"MONDAY" is not a day of week', 9],
    ['0 0 0W * *', '"0" is not in the range of the day of month field, 1 to 31', 5],
    ['0 1W * * *', 'W does not fit the hour field', 3],
    ['0 0 L-31 * *', 'no month has a day 31 days before its last', 5],
    ['0 0 * * L', 'L does not fit the day of week field', 9],
    ['L 0 * * *', 'L does not fit the minute field', 1],
    ['0 0 * * 5#6', 'after # comes 1 to 5, not "6"', 9],
    ['0 5#2 * * *', '# does not fit the hour field', 3],
    ['Hx * * * *', '"Hx" is not H, H/step or H(from-to)', 1],
    ['H(0-99) * * * *', '"99" is not in the range of the minute field, 0 to 59', 1],
    ['0 0 30 2 *', 'names days that never come', 5],
    ['0 0 */31 2 5#2', 'names days that never come', 5],
    ['0 0 29 2 * every 2 years from 2026-01-01', 'the unit is days, weeks or months', 20],
    ['0 0 1 * * every 0 days from 2026-01-01', 'after "every" comes a number from 1 to 1000', 17],
    ['0 0 H * * every 2 weeks from 2026-01-01', 'H cannot pick days beside "every"', 5],
    ['0 0 1 * * every 2 days', 'it needs a day to count from', 23],
    ['0 0 1 * * every 2 days from 2026-02-30', '"2026-02-30" is not a date', 29],
    ['0 0 1 * * every 2 days from 2026-02-03 x', '"x" is too much', 40],
    ['0 0 1 * *; 0 0 * *', 'has 4 fields instead of 5 or 6', 19],
    ['0 0 1 * *;', 'is blank', 11],
    [
      '@every 6h phase 6h',
      'the phase "6h" is not a duration of whole seconds below the interval',
      17,
    ],
    ['@at tomorrow', '"tomorrow" is not a time with its offset from UTC', 5],
    [
      '@at 2026-02-30T00:00:00Z',
      '"2026-02-30T00:00:00Z" is not a time with its offset from UTC',
      5,
    ],
    ['0 0 31 4,6 *', 'names days that never come', 5],
    ['0 0 H(30-31) H(1-2) *', 'names days that never come', 5],
    ['@dayly', '"@dayly" is not a known macro', 1],
    ['  @reboot', '@reboot has no meaning for a job that runs on any worker', 3],
    ['@every', '"" is not a duration', 7],
    ['@every 5', '"5" is not a duration', 8],
    ['@every 500ms', 'the interval "500ms" is not a number of whole seconds from 1 s to 365 d', 8],
    ['@every 366d', 'the interval "366d" is not a number of whole seconds from 1 s to 365 d', 8],
    ['* '.repeat(600), 'is longer than 1000 characters', 1001],
  ])('%j', (expression, message, position) => {
    expect(problemOf(expression)).toMatchObject({ message, position })
    expect(problemOf(expression)?.hint).not.toBe('')
    expect(timesAfter(expression, '2026-11-20T10:00:00Z', {})).toEqual([])
  })

  test('with a hint that fits', () => {
    expect(problemOf('@dayly')?.hint).toBe('Did you mean @daily?')
    expect(problemOf('@nothing-like-it')?.hint).toMatch(/^Did you mean @yearly, .*, @every 90s\?$/)
    expect(problemOf('50-10 * * * *')?.hint).toBe('Write it as 50-59,0-10.')
    expect(problemOf('0 0 * * noday')?.hint).toBe('Use 0 to 7 or SUN and so on, or *.')
    expect(problemOf('99 * * * *')?.hint).toMatch(/^Use five fields/)
  })

  test('any text without ever throwing', () => {
    const texts = fc.oneof(
      fc
        .array(fc.integer({ min: 0, max: 0xffff }), { maxLength: 60 })
        .map((units) => String.fromCharCode(...units)),
      fc.stringMatching(/^[-*?,/#@LHWx0-9 a-z()]{0,40}$/),
    )
    fc.assert(
      fc.property(texts, (text) => {
        const problem = problemOf(text)
        if (problem === undefined) return
        expect(problem.position).toBeGreaterThanOrEqual(1)
        expect(problem.position).toBeLessThanOrEqual(text.length + 1)
      }),
      { numRuns: 3_000 },
    )
  })
})

describe('nextTime', () => {
  test.each([
    ['*/15 * * * *', ['10:15', '10:30', '10:45']],
    ['10,20,30 0 10 * * *', ['10:00:10Z', '10:00:20Z', '10:00:30Z']],
    ['@hourly', ['11:00', '12:00', '13:00']],
    ['@daily', ['21T00:00', '22T00:00', '23T00:00']],
    ['@weekly', ['22T00:00', '29T00:00', '12-06T00:00']],
    ['@yearly', ['2027-01-01', '2028-01-01', '2029-01-01']],
    ['0 0 L * *', ['11-30', '12-31', '2027-01-31']],
    ['0 0 29 2 *', ['2028-02-29', '2032-02-29', '2036-02-29']],
    ['0 0 * * 5L', ['11-27', '12-25', '2027-01-29']],
    ['0 0 * * FRI#2', ['12-11', '2027-01-08', '2027-02-12']],
    // Either day will do (Vixie cron), and 7 is Sunday.
    ['0 0 1 * 7', ['11-22', '11-29', '12-01']],
    ['0 0 * * SAT-SUN', ['11-21', '11-22', '11-28']],
  ])('%s', (expression, expected) => {
    const times = timesAfter(expression, '2026-11-20T10:00:00Z', {})
    for (const [index, time] of times.entries()) expect(time).toContain(expected[index])
  })

  test('is strictly after, and rounds fractions of a second up', () => {
    const at = (after: string) => timesAfter('* * * * * *', after, { count: 1 })
    expect(at('2026-11-20T10:00:00Z')).toEqual(['2026-11-20T10:00:01Z'])
    expect(at('2026-11-20T10:00:00.001Z')).toEqual(['2026-11-20T10:00:01Z'])
    expect(at('2026-11-20T10:00:00.999Z')).toEqual(['2026-11-20T10:00:01Z'])
  })

  test('counts @every from its anchor, and never before it', () => {
    const next = (after: string) =>
      nextTime({
        expression: '@every 90s',
        timeZone: '',
        after: new Date(after),
        seed: '',
        anchor: new Date('2026-11-20T10:00:05Z'),
      })?.toISOString()
    expect(next('2026-11-20T09:00:00Z')).toBe('2026-11-20T10:01:35.000Z')
    expect(next('2026-11-20T10:01:35Z')).toBe('2026-11-20T10:03:05.000Z')
    expect(next('2026-11-20T10:01:34.999Z')).toBe('2026-11-20T10:01:35.000Z')
  })

  test('picks H by the seed: always the same for one, spread over many', () => {
    const minuteOf = (seed: string) => {
      const after = new Date('2026-11-20T10:00:00Z')
      const due = nextTime({ expression: 'H * * * *', timeZone: '', after, seed })
      return due?.getUTCMinutes()
    }
    const seeds = Array.from({ length: 300 }, (_, index) => `job-${index}`)
    expect(seeds.map(minuteOf)).toEqual(seeds.map(minuteOf))
    expect(new Set(seeds.map(minuteOf)).size).toBeGreaterThan(50)
  })

  test('keeps H within its range, with a step as without', () => {
    const minutes = (expression: string, seed: string) => {
      const found = new Set<number>()
      let after = new Date('2026-11-20T10:00:00Z')
      for (let count = 0; count < 12; count++) {
        after = nextTime({ expression, timeZone: '', after, seed }) ?? after
        found.add(after.getUTCMinutes())
      }
      return [...found].sort((a, b) => a - b)
    }
    for (let index = 0; index < 40; index++) {
      const [first = -1, second = -1, ...others] = minutes('H(10-29)/10 * * * *', `job-${index}`)
      expect([first >= 10 && first < 20, second - first, others]).toEqual([true, 10, []])
      const [only = -1, ...more] = minutes('H(10-12)/30 * * * *', `job-${index}`)
      expect([only >= 10 && only <= 12, more]).toEqual([true, []])
      expect(minutes('H(7-7) * * * *', `job-${index}`)).toEqual([7])
      expect(minutes('H(7-8)/2 * * * *', `job-${index}`)).toHaveLength(1)
    }
  })

  test('ends with the year 9999', () => {
    expect(timesAfter('@yearly', '9998-06-01T00:00:00Z', {})).toEqual(['9999-01-01T00:00:00Z'])
    expect(timesAfter('@every 1h', '9999-12-31T23:30:00Z', {})).toEqual([])
    expect(timesAfter('* * * * * *', '9999-12-31T23:59:57Z', {})).toHaveLength(2)
  })

  test('has an answer for whatever readRules accepts, for any time, zone and seed', () => {
    const zones = fc.constantFrom(
      '',
      'UTC',
      'America/New_York',
      'Australia/Lord_Howe',
      'Africa/Cairo',
    )
    fc.assert(
      fc.property(
        fc.integer().map((seed) => {
          const date = { year: 2026, month: 3, day: 29 }
          return anyPattern(new Dice(seed), { hours: [2], date, hasSeconds: seed % 2 === 0 })
        }),
        zones,
        fc.date({ noInvalidDate: true }),
        fc.string(),
        (cron, timeZone, after, seed) => {
          const due = nextTime({ expression: cron.text, timeZone, after, seed })
          if (due !== undefined) expect(due.getTime()).toBeGreaterThan(after.getTime())
          if (after.getTime() > Date.UTC(9950, 0, 1)) return
          expect(due !== undefined).toBe(problemOf(cron.text) === undefined)
        },
      ),
      { numRuns: 500 },
    )
  })
})

describe('checkTimeZone', () => {
  test.each(['', 'UTC', 'Europe/Paris', 'europe/paris', 'US/Eastern', 'Etc/GMT+5', 'EST5EDT'])(
    'accepts %j',
    (zone) => {
      expect(checkTimeZone(zone)).toBeUndefined()
    },
  )

  test.each([
    ['Europe/Pariss', 'Europe/Paris'],
    ['London', 'Europe/London'],
    ['America/Los Angeles', 'America/Los_Angeles'],
    ['America/NewYork', 'America/New_York'],
  ])('refuses %j and names %s', (zone, near) => {
    expect(checkTimeZone(zone)?.nearNames[0]).toBe(near)
  })

  test.each([
    '+01:00',
    '-05:00',
    ' UTC',
    'Mars/Olympus_Mons_Base',
    '2020-01-01T00:00[Europe/Paris]',
    '\0',
  ])('refuses %j', (zone) => {
    expect(checkTimeZone(zone)).toBeDefined()
  })

  test('accepts every zone that the runtime knows', () => {
    const zones = Intl.supportedValuesOf('timeZone')
    expect(zones.filter((zone) => checkTimeZone(zone) !== undefined)).toEqual([])
  })
})
