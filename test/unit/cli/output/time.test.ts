import { describe, expect, it } from 'vitest'
import { exactTime, relativeTime } from '../../../../cli/output/time.ts'

const NOW = new Date('2026-11-20T10:00:00Z')
const at = (offsetSeconds: number) => new Date(NOW.getTime() + offsetSeconds * 1_000)

describe('relative times', () => {
  it.each([
    [0, 'now'],
    [0.4, 'now'],
    [-7, '7s ago'],
    [-90, '1m30s ago'],
    [-659, '10m ago'],
    [125, 'in 2m5s'],
    [3_700, 'in 1h1m'],
    [-90_000, '1d1h ago'],
    [-8 * 86_400 - 5_000, '8d ago'],
  ])('%d s from now is %j', (seconds, text) => {
    expect(relativeTime(at(seconds), NOW)).toBe(text)
  })

  it('stand beside exact ones that a filter takes', () => {
    expect(exactTime(at(-180), NOW)).toBe('2026-11-20T09:57:00Z (3m ago)')
  })
})
