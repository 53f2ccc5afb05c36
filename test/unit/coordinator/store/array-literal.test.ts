import fc from 'fast-check'
import { expect, test } from 'vitest'
import { arrayLiteral } from '../../../../coordinator/store/array-literal.ts'

test.each<[readonly unknown[], string]>([
  [[], '{}'],
  [[1, -2.5, 3n, null, undefined], '{1,-2.5,3,NULL,NULL}'],
  [[true, false], '{t,f}'],
  [
    ['0198c5d2-1111-7000-8000-000000000000', 'shell'],
    '{0198c5d2-1111-7000-8000-000000000000,shell}',
  ],
  [['', 'null', 'a b', 'a,b', '{', '"', '\\', 'é'], '{"","null","a b","a,b","{","\\"","\\\\","é"}'],
  [[new Date('2026-11-20T10:00:00.123Z')], '{2026-11-20T10:00:00.123Z}'],
])('%o', (values, literal) => {
  expect(arrayLiteral(values)).toBe(literal)
})

test.each([[[new Date(Number.NaN)]], [[new Date('-000001-01-01T00:00:00Z')]], [[{}]], [[[1]]]])(
  '%o is left to the driver',
  (values) => {
    expect(arrayLiteral(values)).toBeUndefined()
  },
)

/** Reads a literal as PostgreSQL does. */
function read(literal: string): (string | null)[] {
  const elements = [...literal.slice(1, -1).matchAll(/"((?:[^"\\]|\\.)*)"|([^,]+)/gs)]
  return elements.map(([, quoted, plain]) => {
    if (quoted !== undefined) return quoted.replaceAll(/\\(.)/gs, '$1')
    return plain?.toUpperCase() === 'NULL' ? null : (plain ?? '')
  })
}

test('whatever the texts are, they come back', () => {
  const unit = fc.constantFrom(...'aNUL,{}"\\ é\n')
  const texts = fc.array(fc.option(fc.string({ unit })), { maxLength: 20 })
  fc.assert(
    fc.property(texts, (values) => {
      expect(read(arrayLiteral(values) ?? '')).toEqual(values)
    }),
  )
})
