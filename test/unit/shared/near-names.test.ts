import fc from 'fast-check'
import { expect, test } from 'vitest'
import { nearNames } from '../../../shared/near-names.ts'

const KNOWN = ['backup', 'backup-nightly', 'report', 'resort', 'worker-1', 'worker-2']

test.each([
  ['bakcup', ['backup']],
  ['BACKUP', ['backup']],
  ['repotr', ['report', 'resort']],
  ['reort', ['report', 'resort']],
  ['worker-11', ['worker-1', 'worker-2']],
  ['something-else', []],
  ['', []],
])('%j may have meant %j', (wanted, names) => {
  expect(nearNames(wanted, KNOWN)).toEqual(names)
})

test('there are at most three, the nearest first', () => {
  const near = nearNames('job-1', ['job-11', 'job-1', 'job-2', 'job-3', 'job-4'])
  expect(near).toHaveLength(3)
  expect(near[0]).toBe('job-1')
})

test('a name is always near itself, and each answer is a known name', () => {
  fc.assert(
    fc.property(
      fc.string({ minLength: 1, maxLength: 30 }),
      fc.array(fc.string({ maxLength: 30 })),
      (wanted, known) => {
        const near = nearNames(wanted, [...known, wanted])
        expect(near[0]?.toLowerCase()).toBe(wanted.toLowerCase())
        expect([...known, wanted]).toEqual(expect.arrayContaining(near))
      },
    ),
  )
})
