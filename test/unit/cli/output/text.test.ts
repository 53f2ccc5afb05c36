import { describe, expect, it } from 'vitest'
import {
  displayWidth,
  escapeControls,
  formatBytes,
  truncate,
  wrap,
} from '../../../../cli/output/text.ts'

describe('text on a terminal', () => {
  it('shows control characters instead of sending them', () => {
    expect(escapeControls('a\nb\t\u001b[31mc\u0000\u009b\u202e')).toBe(
      'a\\nb\\t\\x1b[31mc\\x00\\x9b\\u202e',
    )
    expect(escapeControls('Grüße, 世界 🎉')).toBe('Grüße, 世界 🎉')
  })

  it.each([
    ['plain', 5],
    ['Grüße', 5],
    ['e\u0301', 1],
    ['世界', 4],
    ['🎉', 2],
    ['👩‍👩‍👧', 2],
    ['', 0],
  ])('knows the width of %j', (text, width) => {
    expect(displayWidth(text)).toBe(width)
  })

  it('cuts to the width, never within a character', () => {
    expect(truncate('abcdef', 6)).toBe('abcdef')
    expect(truncate('abcdefg', 6)).toBe('abcde…')
    expect(truncate('世界世界', 6)).toBe('世界…')
    expect(displayWidth(truncate('👩‍👩‍👧👩‍👩‍👧👩‍👩‍👧', 4))).toBeLessThanOrEqual(4)
  })

  it('wraps at spaces and keeps long words whole', () => {
    expect(wrap('one two three', 7)).toEqual(['one two', 'three'])
    expect(wrap('https://example.com/a b', 6)).toEqual(['https://example.com/a', 'b'])
  })

  it.each([
    [0, '0 B'],
    [1023, '1023 B'],
    [1536, '1.5 KiB'],
    [10 * 1024 * 1024, '10.0 MiB'],
    [5 * 1024 ** 5, '5120.0 TiB'],
  ])('writes %i bytes', (bytes, text) => {
    expect(formatBytes(bytes)).toBe(text)
  })
})
