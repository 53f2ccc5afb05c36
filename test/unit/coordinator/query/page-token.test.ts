import fc from 'fast-check'
import { expect, test } from 'vitest'
import { decodePageToken, encodePageToken } from '../../../../coordinator/query/page-token.ts'

const ARGS = { filter: 'state = ACTIVE', orderBy: 'name', since: new Date(0), depth: 3n }

test('a token gives back its keys for the same arguments, in whatever order they are', () => {
  const { filter, ...others } = ARGS
  const token = encodePageToken(['backup', 7, -1.5], ARGS)
  expect(decodePageToken(token, { ...others, filter })).toEqual(['backup', 7, -1.5])
  expect(token).toMatch(/^[\w-]+$/)
})

test('a field that is not set is as good as one that is undefined', () => {
  const token = encodePageToken(['a'], { filter: '', query: undefined })
  expect(decodePageToken(token, { filter: '' })).toEqual(['a'])
})

test.each([
  ['another filter', { ...ARGS, filter: '' }],
  ['another time', { ...ARGS, since: new Date(1) }],
  ['another number', { ...ARGS, depth: 4n }],
  ['another type', { ...ARGS, depth: '3' }],
  ['fewer arguments', { filter: ARGS.filter }],
])('a token of a request with %s is refused', (_, args) => {
  expect(decodePageToken(encodePageToken(['a'], ARGS), args)).toBeUndefined()
})

test('a damaged token is refused', () => {
  const token = encodePageToken(['backup', 7], ARGS)
  const forged = Buffer.from(
    Buffer.from(token, 'base64url').toString().replace('backup', 'restore'),
  ).toString('base64url')
  for (const damaged of ['', 'x', token.slice(0, -6), `${token}AAAA`, `${token}=`, forged]) {
    expect(decodePageToken(damaged, ARGS)).toBeUndefined()
  }
})

test('a token that holds something else than keys is refused', () => {
  for (const content of [
    'null',
    '5',
    '[]',
    '{}',
    '{"k":[null]}',
    '{"k":"a","h":""}',
    '{"k":[],"h":1}',
  ]) {
    expect(decodePageToken(Buffer.from(content).toString('base64url'), {})).toBeUndefined()
  }
})

test('any keys survive, and any text is answered', () => {
  const keys = fc.array(fc.oneof(fc.string({ unit: 'grapheme' }), fc.integer()))
  fc.assert(
    fc.property(keys, fc.object(), (wanted, args) => {
      expect(decodePageToken(encodePageToken(wanted, args), args)).toEqual(wanted)
    }),
  )
  fc.assert(
    fc.property(fc.string({ unit: 'binary' }), (text) => {
      expect(decodePageToken(text, ARGS)).toBeUndefined()
    }),
  )
})
