import * as fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { createTerminalFilter } from '../../../../cli/output/terminal-filter.ts'

function show(pieces: readonly (string | Uint8Array)[], keepColours = true): string {
  const filter = createTerminalFilter({ keepColours })
  return pieces.map((piece) => filter.push(Buffer.from(piece))).join('') + filter.end()
}

const ESC = '\u001b'

describe('output of a job on a terminal', () => {
  it.each([
    ['text', 'Grüße\tof 世界\n', 'Grüße\tof 世界\n'],
    ['a title', `${ESC}]0;evil${'\u0007'}after`, 'after'],
    ['a title ended by ST', `${ESC}]0;evil${ESC}\\after`, 'after'],
    ['the clipboard', `${ESC}]52;c;ZXZpbA==\u0007x`, 'x'],
    ['the cursor', `a${ESC}[2J${ESC}[1;1Hb`, 'ab'],
    ['a device query', `${ESC}[6n${ESC}[c`, ''],
    ['a device control string', `${ESC}P1$r0m${ESC}\\x`, 'x'],
    ['a reset', `${ESC}cx`, 'x'],
    ['a character set', `${ESC}(0x`, 'x'],
    ['C1 controls', 'a\u009b2Jb\u009dtitle\u009cc\u0085d', 'abcd'],
    ['bells and backspaces', 'a\u0007\u0008\u0000\u007fb', 'ab'],
    ['a title that never ends', `${ESC}]0;hidden\nshown`, '\nshown'],
    [
      'a control sequence that never ends',
      `${ESC}[${'1;'.repeat(500)}\nshown`,
      expect.stringMatching(/\nshown$/),
    ],
    ['an escape at the end', `x${ESC}`, 'x'],
    ['progress on one line', '10%\r20%\rdone\r\nnext\n', '10%\n20%\ndone\nnext\n'],
    ['bytes that are no UTF-8', Buffer.from([0x61, 0xff, 0x9b, 0x62]), 'a\ufffd\ufffdb'],
  ])('is safe: %s', (_name, input, output) => {
    expect(show([input])).toEqual(output)
  })

  it('keeps colours, and switches them off at the end', () => {
    expect(show([`${ESC}[1;31mred`])).toBe(`${ESC}[1;31mred${ESC}[0m`)
    expect(show([`${ESC}[38:5:1mred${ESC}[m.`])).toBe(`${ESC}[38:5:1mred${ESC}[m.`)
    expect(show([`${ESC}[31mred`], false)).toBe('red')
  })

  it('does not care where the pieces are cut', () => {
    const bytes = Buffer.from(`é${ESC}[31mred${ESC}[0m 世${ESC}]0;t\u0007 a\r\nb\rc`)
    const whole = show([bytes])
    for (let cut = 0; cut <= bytes.length; cut++) {
      expect(show([bytes.subarray(0, cut), bytes.subarray(cut)])).toBe(whole)
    }
  })

  it('lets nothing through but text, newlines, tabs and colours, whatever comes', () => {
    const nasty = fc.constantFrom(
      ESC,
      '[',
      ']',
      'm',
      ';',
      '3',
      '\u009b',
      '\u0007',
      '\r',
      '\n',
      'x',
      '\\',
      'P',
    )
    fc.assert(
      fc.property(fc.array(fc.oneof(nasty, fc.string({ unit: 'binary' }))), (parts) => {
        // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for
        const colours = /\u001b\[[\d;:]*m/g
        const rest = show([parts.join('')]).replace(colours, '')
        // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for
        expect(rest).not.toMatch(/[\u0000-\u0008\u000b-\u001f\u007f-\u009f]/)
      }),
      { numRuns: 200 },
    )
  })
})
