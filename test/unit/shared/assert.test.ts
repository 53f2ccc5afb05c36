import { AssertionError } from 'node:assert'
import { expect, test } from 'vitest'
import { assert, assertNever } from '../../../shared/assert.ts'

test('what holds passes, what does not throws with its message', () => {
  expect(() => assert(1, 'one is true')).not.toThrow()
  expect(() => assert('', 'a text is there')).toThrow(AssertionError)
  expect(() => assert(undefined, 'a text is there')).toThrow('a text is there')
})

test('a case that cannot be names itself', () => {
  expect(() => assertNever({ kind: 'odd' } as never)).toThrow('unexpected value {"kind":"odd"}')
})
