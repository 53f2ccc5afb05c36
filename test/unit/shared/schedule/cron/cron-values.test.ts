import { expect, test } from 'vitest'
import { CRON_FIELD_RULES } from '../../../../../shared/schedule/cron/cron-field.ts'
import { cronValues } from '../../../../../shared/schedule/cron/cron-values.ts'

function field(from: number, to: number, step: number) {
  return { kind: 'field', items: [{ kind: 'range', from, to, step }], isStar: false } as const
}

test('every range with every step that a field accepts is what counting finds', () => {
  for (const rule of CRON_FIELD_RULES) {
    const stride = rule.max > 31 ? 7 : rule.max > 12 ? 4 : 1
    for (let from = rule.min; from <= rule.max; from += stride) {
      for (let to = from; to <= rule.max; to += stride) {
        for (let step = 1; step <= rule.max; step += stride) {
          const counted = new Set<number>()
          for (let value = from; value <= to; value += step) {
            counted.add(rule.name === 'day of week' ? value % 7 : value)
          }
          const values = cronValues(field(from, to, step), rule, () => 0)
          const expected = [...counted].sort((a, b) => a - b)
          if (values.join() !== expected.join()) {
            expect(values, `${rule.name} ${from}-${to}/${step}`).toEqual(expected)
          }
        }
      }
    }
  }
})
