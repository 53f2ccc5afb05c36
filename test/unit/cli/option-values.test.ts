import { describe, expect, it } from 'vitest'
import {
  readDuration,
  readInteger,
  readPairs,
  readTime,
  readWord,
} from '../../../cli/option-values.ts'
import { parseRfc3339 } from '../../../shared/rfc-3339.ts'

const NOW = new Date('2026-11-20T10:00:00Z')

describe('option values', () => {
  it('reads durations with their units and refuses a bare number', () => {
    expect(readDuration('--timeout', '1h30m')).toBe(5_400_000)
    expect(() => readDuration('--timeout', '90')).toThrow('--timeout: "90" is not a duration')
  })

  it('reads whole numbers within their range only', () => {
    expect(readInteger('--retries', '3', { min: 0, max: 10 })).toBe(3)
    for (const text of ['11', '-1', '1.5', '', 'three', '1e1']) {
      expect(() => readInteger('--retries', text, { min: 0, max: 10 })).toThrow('--retries')
    }
  })

  it('reads RFC 3339 and times from now', () => {
    expect(readTime('--at', '2026-11-30T22:15:00+01:00', NOW)).toEqual(
      new Date('2026-11-30T21:15:00Z'),
    )
    expect(readTime('--at', 'in 5m', NOW)).toEqual(new Date('2026-11-20T10:05:00Z'))
    expect(readTime('--at', '5m', NOW)).toEqual(new Date('2026-11-20T10:05:00Z'))
  })

  it.each(['2026-11-30', '2026-11-30T22:15:00', 'tomorrow', '2026-13-30T22:15:00Z', ''])(
    'refuses %j as a time: it would mean something else elsewhere, or nothing',
    (text) => {
      expect(() => readTime('--at', text, NOW)).toThrow('--at')
      expect(parseRfc3339(text)).toBeUndefined()
    },
  )

  it('splits pairs at the first equals sign and keeps the rest', () => {
    expect(readPairs('--env', ['A=1', 'B=x=y', 'C='])).toEqual({ A: '1', B: 'x=y', C: '' })
    expect(() => readPairs('--env', ['=1'])).toThrow('--env')
    expect(() => readPairs('--env', ['A'])).toThrow('"A" has no value')
  })

  it('takes words in any case and with hyphens, and knows near ones', () => {
    const words = ['timed_out', 'failed'] as const
    expect(readWord('--state', 'Timed-Out', words)).toBe('timed_out')
    expect(() => readWord('--state', 'faild', words)).toThrow(
      expect.objectContaining({ hint: expect.stringContaining('Did you mean failed?') }),
    )
  })
})
