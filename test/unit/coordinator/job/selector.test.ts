import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { matchesSelector, parseSelector } from '../../../../coordinator/job/selector.ts'

function matches(text: string, labels: Record<string, string>): boolean {
  const reading = parseSelector(text)
  if (reading.kind === 'error') throw new Error(`${reading.message} at ${reading.position}`)
  return matchesSelector(reading.selector, labels)
}

const EU = { region: 'eu', tier: 'web', 'app.kubernetes.io/name': 'shop' }

describe('a selector matches', () => {
  test.each([
    ['', {}],
    ['   ', EU],
    ['region = eu', EU],
    ['region=eu', EU],
    ['region == eu', EU],
    ['region != us', EU],
    ['zone != a', EU],
    ['region IN (us, eu)', EU],
    ['region in (eu)', EU],
    ['region NOT IN (us, asia)', EU],
    ['zone NOT IN (a)', EU],
    ['EXISTS tier', EU],
    ['NOT EXISTS zone', EU],
    ['region = eu AND NOT tier = canary', EU],
    ['region = us OR tier = web', EU],
    ['region = eu AND (tier = db OR tier = web)', EU],
    ['NOT (region = us OR tier = db)', EU],
    ['NOT NOT region = eu', EU],
    ['app.kubernetes.io/name = shop', EU],
    ['"region" = "eu"', EU],
    [`region = 'eu'`, EU],
    ['"and" = "or"', { and: 'or' }],
    ['name = "two words"', { name: 'two words' }],
    [String.raw`name = "a \"b\" \\ c"`, { name: String.raw`a "b" \ c` }],
    ['name = ""', { name: '' }],
    ['tier = and', { tier: 'and' }],
    ['not-there != x', {}],
  ])('%j %j', (text, labels) => {
    expect(matches(text, labels)).toBe(true)
  })
})

describe('a selector does not match', () => {
  test.each([
    ['region = us', EU],
    ['region = EU', EU],
    ['zone = a', EU],
    ['region != eu', EU],
    ['region IN (us, asia)', EU],
    ['region NOT IN (eu)', EU],
    ['EXISTS zone', EU],
    ['region = eu AND tier = db', EU],
    ['region = us OR tier = db', EU],
    ['NOT region = eu', EU],
    ['EXISTS toString', EU],
    ['constructor != x AND EXISTS constructor', {}],
  ])('%j %j', (text, labels) => {
    expect(matches(text, labels)).toBe(false)
  })
})

describe('a selector is refused, with the position', () => {
  test.each([
    ['region', 'expected =, != or IN after region', 7],
    ['region =', 'expected a value for region', 9],
    ['= eu', 'expected a label', 1],
    ['region = eu tier = web', 'expected AND, OR or the end', 13],
    ['region = eu AND', 'expected a label', 16],
    ['region = a AND tier = b OR zone = c', 'AND and OR side by side need parentheses', 25],
    ['(region = eu', 'the ( at 1 is not closed', 13],
    ['region = eu)', 'expected AND, OR or the end', 12],
    ['region IN eu', 'expected ( and the values of region', 11],
    ['region IN ()', 'expected a value for region', 12],
    ['region IN (a b)', 'expected , or ) after a value of region', 14],
    ['region = "eu', 'expected a value for region', 10],
    ['region > 3', 'expected =, != or IN after region', 8],
    [`${'('.repeat(40)}a = b`, 'is nested deeper than 32', 34],
    ['a = b AND '.repeat(300), 'is longer than 2000 characters', 2001],
  ])('%j', (text, message, position) => {
    expect(parseSelector(text)).toMatchObject({ kind: 'error', message, position })
  })
})

describe('properties', () => {
  test('any text is read or refused, never thrown at', () => {
    const words = fc.constantFrom(
      'AND',
      'OR',
      'NOT',
      'IN',
      'EXISTS',
      'a',
      'b',
      '(',
      ')',
      '=',
      '!=',
      ',',
      '"',
      "'",
      '\\',
    )
    const texts = fc.oneof(
      fc.string({ unit: 'binary', maxLength: 80 }),
      fc.array(words, { maxLength: 12 }).map((parts) => parts.join(' ')),
    )
    fc.assert(
      fc.property(texts, (text) => {
        const reading = parseSelector(text)
        if (reading.kind === 'ok') return
        expect(reading.position).toBeGreaterThanOrEqual(1)
        expect(reading.position).toBeLessThanOrEqual(text.length + 1)
      }),
      { numRuns: 3_000 },
    )
  })

  interface Known {
    readonly text: string
    readonly holds: (labels: Readonly<Record<string, string>>) => boolean
  }

  const keys = fc.constantFrom('a', 'b', 'c')
  const values = fc.constantFrom('1', '2', 'x y')
  const labels = fc.dictionary(keys, values)
  const quote = (text: string) => JSON.stringify(text)

  const known = fc.letrec<{ node: Known; term: Known; not: Known; joined: Known }>((tie) => ({
    node: fc.oneof({ maxDepth: 4, depthSize: 'small' }, tie('term'), tie('not'), tie('joined')),
    term: fc.oneof(
      fc.tuple(keys, values).map(([key, value]) => ({
        text: `${key} = ${quote(value)}`,
        holds: (of: Readonly<Record<string, string>>) => of[key] === value,
      })),
      fc.tuple(keys, fc.array(values, { minLength: 1 })).map(([key, list]) => ({
        text: `${key} NOT IN (${list.map(quote).join(',')})`,
        holds: (of: Readonly<Record<string, string>>) => !list.some((value) => of[key] === value),
      })),
    ),
    not: tie('node').map(({ text, holds }) => ({
      text: `NOT (${text})`,
      holds: (of) => !holds(of),
    })),
    joined: fc
      .tuple(fc.constantFrom('AND', 'or'), fc.array(tie('node'), { minLength: 2, maxLength: 3 }))
      .map(([joint, items]) => ({
        text: items.map(({ text }) => `(${text})`).join(` ${joint} `),
        holds: (of) =>
          joint === 'AND'
            ? items.every((item) => item.holds(of))
            : items.some((item) => item.holds(of)),
      })),
  })).node

  test('it matches what its meaning says', () => {
    fc.assert(
      fc.property(known, labels, ({ text, holds }, of) => {
        expect(matches(text, of)).toBe(holds(of))
      }),
      { numRuns: 500 },
    )
  })
})
