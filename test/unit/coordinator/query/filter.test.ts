import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { type Fields, parseFilter, parseOrderBy } from '../../../../coordinator/query/filter.ts'

const FIELDS: Fields = {
  name: 'text',
  priority: 'number',
  create_time: 'time',
  state: { oneOf: ['ACTIVE', 'PAUSED', 'DELETED'] },
  labels: 'labels',
  capabilities: 'set',
}

function read(text: string) {
  const reading = parseFilter(text, FIELDS)
  if (reading.kind === 'error') throw new Error(`${reading.message} at ${reading.position}`)
  return reading.filter
}

const term = (comparison: object) => ({ kind: 'term', term: comparison })

describe('a comparison is read as its field wants it', () => {
  test.each([
    ['name = backup', { field: 'name', type: 'text', operator: '=', value: 'backup' }],
    ['name != "a b"', { field: 'name', type: 'text', operator: '!=', value: 'a b' }],
    ['name:night', { field: 'name', type: 'text', operator: ':', value: 'night' }],
    ['priority >= 50', { field: 'priority', type: 'number', operator: '>=', value: 50 }],
    ['priority<-1.5', { field: 'priority', type: 'number', operator: '<', value: -1.5 }],
    ['state = paused', { field: 'state', type: 'oneOf', operator: '=', value: 'PAUSED' }],
    ['state!=Active', { field: 'state', type: 'oneOf', operator: '!=', value: 'ACTIVE' }],
    ['capabilities:gpu', { field: 'capabilities', type: 'set', operator: ':', value: 'gpu' }],
    [
      'labels.team = ops',
      { field: 'labels', type: 'labels', key: 'team', operator: '=', value: 'ops' },
    ],
    [
      'labels.team:ops',
      { field: 'labels', type: 'labels', key: 'team', operator: '=', value: 'ops' },
    ],
    [
      'labels.a.b/c-d != x',
      { field: 'labels', type: 'labels', key: 'a.b/c-d', operator: '!=', value: 'x' },
    ],
    [
      'labels.team:*',
      { field: 'labels', type: 'labels', key: 'team', operator: 'exists', value: '' },
    ],
    [
      'labels:team',
      { field: 'labels', type: 'labels', key: 'team', operator: 'exists', value: '' },
    ],
  ])('%s', (text, comparison) => {
    expect(read(text)).toEqual(term(comparison))
  })

  test.each([
    ['create_time > "2026-11-01T00:00:00Z"', '2026-11-01T00:00:00.000Z'],
    ['create_time > 2026-11-01T02:00:00.5+02:00', '2026-11-01T00:00:00.500Z'],
    ['create_time > 2026-11-01T00:00Z', '2026-11-01T00:00:00.000Z'],
    ['create_time > 2026-11-01', '2026-11-01T00:00:00.000Z'],
  ])('%s', (text, time) => {
    const value = new Date(time)
    expect(read(text)).toEqual(term({ field: 'create_time', type: 'time', operator: '>', value }))
  })
})

describe('terms are joined', () => {
  const name = (value: string) => term({ field: 'name', type: 'text', operator: '=', value })

  test('by AND, OR, NOT and parentheses', () => {
    expect(read('name = a AND NOT (name = b OR name = c)')).toEqual({
      kind: 'and',
      items: [name('a'), { kind: 'not', item: { kind: 'or', items: [name('b'), name('c')] } }],
    })
  })

  test('by as many of one kind as are wanted', () => {
    expect(read('name=a OR name=b or name=c')).toEqual({
      kind: 'or',
      items: [name('a'), name('b'), name('c')],
    })
  })

  test('and a blank filter is none', () => {
    expect(read('')).toBeUndefined()
    expect(read('  \n ')).toBeUndefined()
  })
})

describe('a filter is refused, with position and hint', () => {
  test.each([
    ['stat = ACTIVE', 'there is no field "stat"', 1, 'Did you mean state?'],
    ['constructor = x', 'there is no field "constructor"', 1, /^Fields are name, priority/],
    ['name.first = x', 'there is no field "name.first"', 1, /^Fields are/],
    ['labels. = x', 'there is no field "labels."', 1, 'Did you mean labels?'],
    ['name', 'expected an operator after name', 5, /^Write it like/],
    ['name =', 'expected a value after name =', 7, /^Write it like/],
    ['name = "open', 'expected a value after name =', 8, /^Write it like/],
    ['name > a', 'the operator > does not fit the field', 6, 'Use = or != or :.'],
    ['state < ACTIVE', 'the operator < does not fit the field', 7, 'Use = or !=.'],
    ['capabilities = gpu', 'the operator = does not fit the field', 14, 'Use :.'],
    ['labels = team', 'the operator = does not fit the field', 8, 'Use :.'],
    ['state = RUNNING', '"RUNNING" is not a state', 9, 'Use ACTIVE, PAUSED, DELETED.'],
    ['state = PUASED', '"PUASED" is not a state', 9, 'Did you mean PAUSED?'],
    ['priority > high', '"high" is not a number', 12, 'Write it like priority > 3.'],
    ['priority > 1e9999', '"1e9999" is not a number', 12, /./],
    ['create_time > yesterday', '"yesterday" is not a time', 15, /2026-11-01T00:00:00Z/],
    ['create_time > 2026-13-01', '"2026-13-01" is not a time', 15, /./],
    ['create_time > 2026-11-01T00:00:00', '"2026-11-01T00:00:00" is not a time', 15, /./],
    ['name = a name = b', 'expected AND, OR or the end', 10, /./],
    ['name = a AND name = b OR name = c', 'AND and OR side by side need parentheses', 23, /\(/],
    ['(name = a', 'the ( at 1 is not closed', 10, /./],
    ['= a', 'expected a field', 1, /^Fields are/],
  ])('%s', (text, message, position, hint) => {
    const reading = parseFilter(text, FIELDS)
    expect(reading).toMatchObject({ kind: 'error', message, position })
    expect(reading.kind === 'error' && reading.hint).toMatch(hint)
  })

  test('when it is too long or too deep', () => {
    const most = `${'NOT ('.repeat(16)}name = a${')'.repeat(16)}`
    expect(parseFilter(most, FIELDS).kind).toBe('ok')
    expect(parseFilter(`NOT ${most}`, FIELDS)).toMatchObject({
      message: 'is nested deeper than 32',
    })
    expect(parseFilter(`${'('.repeat(33)}name = a${')'.repeat(33)}`, FIELDS).kind).toBe('error')
    const deep = `${'NOT '.repeat(50)}name = a`
    expect(parseFilter(deep, FIELDS)).toMatchObject({ message: 'is nested deeper than 32' })
    const longest = `name = ${'a'.repeat(3_993)}`
    expect(parseFilter(longest, FIELDS).kind).toBe('ok')
    expect(parseFilter(`${longest}a`, FIELDS)).toMatchObject({
      message: 'is longer than 4000 characters',
      position: 4_001,
    })
  })
})

describe('order_by', () => {
  test.each([
    ['', []],
    ['name', [{ field: 'name', isDescending: false }]],
    [
      ' create_time desc , name ASC ',
      [
        { field: 'create_time', isDescending: true },
        { field: 'name', isDescending: false },
      ],
    ],
  ])('%j is read', (text, order) => {
    expect(parseOrderBy(text, FIELDS)).toEqual({ kind: 'ok', order })
  })

  test.each([
    ['nme', 'there is no field "nme"', 1],
    ['name, stat desc', 'there is no field "stat"', 7],
    ['name,', 'there is no field ""', 6],
    ['name downwards', 'expected asc, desc or a comma after name', 1],
    ['name desc desc', 'expected asc, desc or a comma after name', 1],
    ['name, name desc', 'names name twice', 7],
    ['name,priority,create_time,state,labels,capabilities', 'names too many fields', 40],
    ['toString', 'there is no field "toString"', 1],
  ])('%j is refused', (text, message, position) => {
    expect(parseOrderBy(text, FIELDS)).toMatchObject({ kind: 'error', message, position })
  })
})

test('any text is read or refused, never thrown at', () => {
  const words = fc.constantFrom(
    'AND',
    'OR',
    'NOT',
    'name',
    'labels',
    'labels.x',
    'state',
    'ACTIVE',
    '(',
    ')',
    '=',
    ':',
    '*',
    '"',
    '5',
    'create_time',
    '2026-11-01',
  )
  const texts = fc.oneof(
    fc.string({ unit: 'binary', maxLength: 80 }),
    fc.array(words, { maxLength: 12 }).map((parts) => parts.join(' ')),
  )
  fc.assert(
    fc.property(texts, (text) => {
      for (const reading of [parseFilter(text, FIELDS), parseOrderBy(text, FIELDS)]) {
        if (reading.kind === 'ok') continue
        expect(reading.position).toBeGreaterThanOrEqual(1)
        expect(reading.position).toBeLessThanOrEqual(text.length + 1)
      }
    }),
    { numRuns: 3_000 },
  )
})
