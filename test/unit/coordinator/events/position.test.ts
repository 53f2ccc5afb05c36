import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import {
  decodeResumeToken,
  encodeResumeToken,
  isSamePosition,
} from '../../../../coordinator/events/position.ts'
import { encodePageToken } from '../../../../coordinator/query/page-token.ts'

const positions = fc.record({
  transactionId: fc.bigInt({ min: 0n, max: 2n ** 63n - 1n }).map(String),
  id: fc.nat(),
  happenedAt: fc.date({
    min: new Date('1970-01-01T00:00:00Z'),
    max: new Date('9999-12-31T23:59:59.999Z'),
    noInvalidDate: true,
  }),
  place: fc.option(fc.nat(2 ** 31 - 1), { nil: undefined }),
})

describe('a resume token', () => {
  test('says the whole position', () => {
    fc.assert(
      fc.property(positions, (position) => {
        expect(decodeResumeToken(encodeResumeToken(position))).toEqual(position)
      }),
    )
  })

  test('that is cut, changed or made up is none', () => {
    const token = encodeResumeToken({ transactionId: '7', id: 8, happenedAt: new Date(9) })
    expect(decodeResumeToken(token.slice(0, -1))).toBeUndefined()
    expect(decodeResumeToken(`${token.slice(0, 8)}A${token.slice(9)}`)).toBeUndefined()
    expect(decodeResumeToken('')).toBeUndefined()
    fc.assert(fc.property(fc.string(), (text) => decodeResumeToken(text) === undefined))
  })

  test.each([
    ['of another list', ['7', 8, 9], {}],
    ['whose transaction is no number', ['x', 8, 9], { kind: 'events' }],
    ['whose transaction is too large', ['1'.repeat(20), 8, 9], { kind: 'events' }],
    ['whose id is negative', ['7', -1, 9], { kind: 'events' }],
    ['whose id is no whole number', ['7', 1.5, 9], { kind: 'events' }],
    ['of a time that no database has', ['7', 8, 8.64e15], { kind: 'events' }],
    ['whose place is negative', ['7', 8, 9, -1], { kind: 'events' }],
    ['whose place is larger than a row', ['7', 8, 9, 2 ** 31], { kind: 'events' }],
    ['that lacks its time', ['7', 8], { kind: 'events' }],
  ])('%s is none', (_, keys, args) => {
    expect(decodeResumeToken(encodePageToken(keys, args))).toBeUndefined()
  })
})

test('positions are the same when transaction, id and place in the row are', () => {
  const position = { transactionId: '7', id: 8, happenedAt: new Date(9) }
  expect(isSamePosition(position, { ...position, happenedAt: new Date(10) })).toBe(true)
  expect(isSamePosition(position, { ...position, id: 9 })).toBe(false)
  expect(isSamePosition(position, { ...position, transactionId: '8' })).toBe(false)
  expect(isSamePosition(position, { ...position, place: 1 })).toBe(false)
  expect(isSamePosition({ ...position, place: 1 }, { ...position, place: 1 })).toBe(true)
  expect(isSamePosition(undefined, undefined)).toBe(false)
})
