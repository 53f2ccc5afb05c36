import { describe, expect, test } from 'vitest'
import {
  instantsOf,
  lastInstantsOf,
  parseWallTime,
} from '../../../../../shared/schedule/zone/wall-time.ts'

const DAY_S = 86_400
const seconds = (text: string) => Date.parse(text) / 1_000
const iso = (instants: readonly number[]) =>
  instants.map((instant) => new Date(instant * 1_000).toISOString().slice(0, 19))

describe('what people write', () => {
  test.each([
    ['02:00', undefined, 7_200],
    ['2:00:30', undefined, 7_230],
    ['1970-01-02 00:00', 1, 0],
    ['2026-11-20T23:59:59', seconds('2026-11-20T00:00:00Z') / DAY_S, 86_399],
  ])('%s is read', (text, day, time) => {
    expect(parseWallTime(text)).toEqual({ day, time })
  })

  test.each(['24:00', '2:60', '02', 'noon', '2026-02-30 02:00', '2026-13-01 02:00', '02:00Z', ''])(
    '%j is not',
    (text) => {
      expect(parseWallTime(text)).toBeUndefined()
    },
  )
})

describe('a local time', () => {
  const wall = (text: string) => seconds(`${text}Z`)

  test('has one instant, in a fold two', () => {
    expect(iso(instantsOf('Europe/Paris', wall('2026-11-20T02:00:00')))).toEqual([
      '2026-11-20T01:00:00',
    ])
    expect(iso(instantsOf('Europe/Paris', wall('2026-10-25T02:30:00')))).toEqual([
      '2026-10-25T00:30:00',
      '2026-10-25T01:30:00',
    ])
  })

  test('that a gap leaves out has the instants at which it may run instead', () => {
    expect(iso(instantsOf('Europe/Paris', wall('2027-03-28T02:30:00')))).toEqual([
      '2027-03-28T01:00:00',
      '2027-03-28T01:30:00',
    ])
    expect(iso(instantsOf('Pacific/Apia', wall('2011-12-30T12:00:00')))[0]).toBe(
      '2011-12-30T10:00:00',
    )
  })

  test('of no certain day is the last one that has been', () => {
    const last = (now: string) =>
      iso(lastInstantsOf('Asia/Tokyo', { day: undefined, time: 7_200 }, seconds(now)))
    expect(last('2026-11-20T16:59:59Z')).toEqual(['2026-11-19T17:00:00'])
    expect(last('2026-11-20T17:00:00Z')).toEqual(['2026-11-20T17:00:00'])
    expect(last('2026-11-20T23:00:00Z')).toEqual(['2026-11-20T17:00:00'])
  })

  test('of a certain day may be still to come', () => {
    const day = seconds('2030-01-01T00:00:00Z') / DAY_S
    expect(iso(lastInstantsOf('UTC', { day, time: 60 }, 0))).toEqual(['2030-01-01T00:01:00'])
  })
})
