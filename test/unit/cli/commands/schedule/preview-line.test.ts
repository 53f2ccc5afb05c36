import fc from 'fast-check'
import { expect, test } from 'vitest'
import { answerLine } from '../../../../../cli/commands/schedule/preview-line.ts'
import type { PreviewRequest } from '../../../../../shared/schedule/preview.ts'

const base: PreviewRequest = {
  expr: '',
  timeZone: 'Europe/Paris',
  from: new Date('2026-11-20T10:00:00Z'),
  count: 3,
  dst: { gap: 'run_after', fold: 'first' },
}

const expr = fc.oneof(
  fc.string(),
  fc
    .array(
      fc.constantFrom(
        '*',
        '*/2',
        '0',
        '1-5',
        'L',
        'LW',
        '15W',
        '5#2',
        'H',
        'MON',
        '?',
        '31',
        '2',
        ';',
        '@daily',
      ),
      {
        maxLength: 7,
      },
    )
    .map((parts) => parts.join(' ')),
  fc.constantFrom(
    'every other tuesday',
    'in 10 minutes',
    'tomorrow at 5pm',
    '@every 90s',
    '@at 2030-01-01T00:00:00Z',
  ),
)
/** Mostly what belongs there. */
const mostly = (good: fc.Arbitrary<unknown>) =>
  fc.oneof({ weight: 15, arbitrary: good }, { weight: 1, arbitrary: fc.jsonValue() })

const line = fc.oneof(
  fc.string(),
  fc.jsonValue().map((value) => JSON.stringify(value)),
  fc
    .record(
      {
        expr: mostly(expr),
        tz: mostly(
          fc.constantFrom('UTC', 'Asia/Tokyo', 'Australia/Lord_Howe', 'Mars', '+01:00', ''),
        ),
        from: mostly(
          fc
            .date({
              noInvalidDate: true,
              min: new Date(-62135596800000),
              max: new Date(253402300799999),
            })
            .map((date) => date.toISOString()),
        ),
        count: mostly(fc.integer({ min: -1, max: 5 })),
        gap: mostly(fc.constantFrom('run-after', 'skip', 'shift')),
        fold: mostly(fc.constantFrom('first', 'last', 'both')),
      },
      { requiredKeys: [] },
    )
    .map((value) => JSON.stringify(value)),
)

test('every line has an answer: times that come later and later, or a reason with a hint', () => {
  const seen = { times: 0, reasons: new Set<string>() }
  fc.assert(
    fc.property(line, (text) => {
      const answer = answerLine(text, base)
      expect(JSON.stringify(answer)).not.toContain('\n')
      if ('error' in answer) {
        expect(answer.error.hint).toMatch(/\S/)
        seen.reasons.add(answer.error.reason)
        return
      }
      seen.times += answer.times.length
      const instants = answer.times.map(({ instant }) => Date.parse(instant))
      expect(instants.every((at, index) => index === 0 || at > instants[index - 1]!)).toBe(true)
    }),
    { numRuns: 3_000 },
  )
  expect(seen.times).toBeGreaterThan(100)
  expect(seen.reasons).not.toContain('INTERNAL')
  expect([...seen.reasons]).toEqual(
    expect.arrayContaining(['MESSAGE_MALFORMED', 'CRON_INVALID', 'TIME_ZONE_INVALID']),
  )
})

test('a field that is not known is told of, because what it was meant for is not what was answered', () => {
  const answer = answerLine('{"expr":"0 2 * * *","zone":"Asia/Tokyo","count":1}', base)
  expect(answer).toMatchObject({
    warnings: expect.arrayContaining([
      '"zone" is passed over: known are expr, tz, from, count, gap, fold.',
    ]),
  })
})
