import fc from 'fast-check'
import { expect, test } from 'vitest'
import { validateJobId } from '../../../../coordinator/definition/validate-job-id.ts'

test.each([
  '',
  'a',
  'nightly-report',
  'billing.nightly-report',
  '0.1.2',
  'a'.repeat(63),
  `${'a'.repeat(49)}.`.repeat(3) + 'b'.repeat(50),
])('%j is right', (id) => {
  expect(validateJobId(id)).toBeUndefined()
})

test.each(['A', 'a_b', 'a b', '-a', 'a-', '.a', 'a.', 'a..b', 'a/b', 'ü', 'a\n', 'a'.repeat(64)])(
  '%j is not',
  (id) => {
    expect(validateJobId(id)).toMatchObject({ field: 'job_id', reason: 'NAME_INVALID' })
  },
)

test('201 characters are too long', () => {
  expect(validateJobId(`${'a.'.repeat(100)}a`)).toMatchObject({ reason: 'FIELD_TOO_LONG' })
})

test.each([
  ['Billing.Nightly_Report', 'Use billing.nightly-report.'],
  [' my job ', 'Use my-job.'],
])('%j is answered with one that would do', (id, hint) => {
  expect(validateJobId(id)?.hint).toBe(hint)
})

test('a hint is always an id that would do', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'binary' }), (id) => {
      const suggestion = /^Use (.*)\.$/s.exec(validateJobId(id)?.hint ?? '')?.[1]
      if (suggestion !== undefined) expect(validateJobId(suggestion)).toBeUndefined()
    }),
  )
})
