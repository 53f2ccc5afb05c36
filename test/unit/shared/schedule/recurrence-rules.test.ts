import { expect, test } from 'vitest'
import type { Recurrence } from '../../../../proto/gen/rota/v1/job.ts'
import { durationFromMs } from '../../../../shared/duration.ts'
import { rulesOf, ruleTextOf } from '../../../../shared/schedule/recurrence-rules.ts'
import { readRules } from '../../../../shared/schedule/rule-text.ts'

const recurrence = (of: Partial<Recurrence>): Recurrence => ({ compiled: '', ...of })

test.each([
  ['30 2 * * *', recurrence({ kind: { $case: 'cron', value: ' 30 2 * * * ' } })],
  ['0 0 * * *', recurrence({ kind: { $case: 'text', value: 'daily' }, compiled: '0 0 * * *' })],
  ['@every 90s', recurrence({ kind: { $case: 'every', value: durationFromMs(90_000) } })],
  ['@every 1d2h1m', recurrence({ kind: { $case: 'every', value: durationFromMs(93_660_000) } })],
  [
    '@every 6h phase 0s',
    recurrence({
      kind: { $case: 'every', value: durationFromMs(21_600_000) },
      phase: durationFromMs(0),
    }),
  ],
  [
    '@at 2026-12-24T18:00:00Z',
    recurrence({ kind: { $case: 'at', value: new Date('2026-12-24T18:00:00Z') } }),
  ],
])('%s is written out, and reads as the same rule', (text, written) => {
  expect(ruleTextOf(written)).toBe(text)
  expect(readRules(text)).toEqual({ kind: 'rules', rules: rulesOf(written) })
})

test('a recurrence of a later release has no rule', () => {
  const unknown = recurrence({})
  expect([ruleTextOf(unknown), rulesOf(unknown)]).toEqual(['', []])
})
