import { expect, test } from 'vitest'
import { Schedule } from '../../../../proto/gen/rota/v1/job.ts'
import { compileTexts } from '../../../../shared/schedule/compile-texts.ts'
import { nextDue } from '../../../../shared/schedule/next-due.ts'

const NOW = new Date('2026-11-20T10:00:00Z')
const LATER = new Date('2026-11-30T10:00:00Z')

function words(text: string, rest: Partial<Schedule> = {}): Schedule {
  const recurrences = [
    { kind: { $case: 'text' as const, value: text }, compiled: 'sent by somebody' },
  ]
  return { ...Schedule.fromPartial({}), recurrences, ...rest }
}

const compiledOf = ({ recurrences }: Schedule) => recurrences.map(({ compiled }) => compiled)

test('words become the rule that runs; what a client sends as compiled is not believed', () => {
  const schedule = compileTexts(words('every weekday at 9:30', { timeZone: 'Europe/Paris' }), NOW)
  expect(compiledOf(schedule)).toEqual(['30 9 * * 1-5'])
  const due = nextDue({ schedule, after: NOW, seed: '', anchor: NOW })
  expect(due?.toISOString()).toBe('2026-11-23T08:30:00.000Z')
  const cron = Schedule.fromPartial({
    recurrences: [{ kind: { $case: 'cron', value: '@daily' }, compiled: 'x' }],
  })
  expect(compiledOf(compileTexts(cron, NOW))).toEqual([''])
})

test('an edit elsewhere does not move what the words were compiled to', () => {
  const before = compileTexts(words('in 10 minutes'), NOW)
  expect(compiledOf(before)).toEqual(['@at 2026-11-20T10:10:00Z'])
  expect(compiledOf(compileTexts(words('in 10 minutes'), LATER, before))).toEqual(
    compiledOf(before),
  )
  const other = compileTexts(words('in 20 minutes'), LATER, before)
  expect(compiledOf(other)).toEqual(['@at 2026-11-30T10:20:00Z'])
  const moved = compileTexts(words('in 10 minutes', { timeZone: 'Asia/Tokyo' }), LATER, before)
  expect(compiledOf(moved)).toEqual(['@at 2026-11-30T10:10:00Z'])
})

test('words that cannot be read have no rule, and a zone that is none does not throw', () => {
  expect(compiledOf(compileTexts(words('every moday', { timeZone: 'Nowhere/City' }), NOW))).toEqual(
    [''],
  )
})
