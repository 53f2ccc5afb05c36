/**
 * Makes any bytes safe to show on a terminal: text, newlines, tabs and colours pass; whatever else would drive the terminal
 * (cursor, title, clipboard, answers typed in the user's name) is dropped. Sequences may be split over pieces anywhere.
 *
 * F1. Nothing below U+0020 but newline and tab, no DEL and no C1 control is let through outside a colour sequence.
 * F2. A sequence ends at its final character; one that never ends is given up at the next newline, so it hides no line.
 * F3. A carriage return becomes a newline: progress bars read as lines, and nothing overwrites what was shown.
 * F4. A colour that the job left on is switched off at the end.
 */

/**
 * text: between sequences. escape: after ESC. control: within CSI (ECMA-48 5.4). string: within OSC, DCS, SOS, PM or APC,
 * ended by BEL or ST. terminator: after an ESC within a string.
 */
type Mode = 'text' | 'escape' | 'control' | 'string' | 'terminator'

interface TerminalFilter {
  push(bytes: Uint8Array): string
  end(): string
}

const COLOUR = /^[\d;:]*m$/
const RESET = '\u001b[0m'
/** What is longer is no colour, but a sequence that never ends. */
const CONTROL_LENGTH_MAX = 64

export function createTerminalFilter(options: { readonly keepColours: boolean }): TerminalFilter {
  const decoder = new TextDecoder('utf-8')
  let mode: Mode = 'text'
  let control = ''
  let isColoured = false
  let isReturned = false

  const take = (character: string): string => {
    if (character === '\n') {
      const isDone = isReturned
      mode = 'text'
      isReturned = false
      return isDone ? '' : '\n'
    }
    isReturned = false
    switch (mode) {
      case 'text':
        return takeText(character)
      case 'escape':
        mode = afterEscape(character)
        return ''
      case 'control':
        return takeControl(character)
      case 'string':
        mode = inString(character)
        return ''
      case 'terminator':
        mode = character === '\\' ? 'text' : inString(character)
        return ''
    }
  }

  const takeText = (character: string): string => {
    const code = character.codePointAt(0) ?? 0
    if (code === 0x0d) {
      isReturned = true
      return '\n'
    }
    if (code === 0x1b) mode = 'escape'
    else if (code === 0x9b) mode = beginControl()
    else if (STRING_STARTS.has(code)) mode = 'string'
    const isControl = (code < 0x20 && code !== 0x09) || (code >= 0x7f && code <= 0x9f)
    return isControl ? '' : character
  }

  const afterEscape = (character: string): Mode => {
    const code = character.codePointAt(0) ?? 0
    if (character === '[') return beginControl()
    // ESC and a letter of this range is a C1 control.
    if (STRING_STARTS.has(code + 0x40)) return 'string'
    // Intermediate characters, e.g. of a character set.
    return code >= 0x20 && code <= 0x2f ? 'escape' : code === 0x1b ? 'escape' : 'text'
  }

  const beginControl = (): Mode => {
    control = ''
    return 'control'
  }

  const takeControl = (character: string): string => {
    const code = character.codePointAt(0) ?? 0
    control += character
    if (code >= 0x20 && code < 0x40 && control.length < CONTROL_LENGTH_MAX) return ''
    mode = code === 0x1b ? 'escape' : 'text'
    if (!options.keepColours || !COLOUR.test(control)) return ''
    isColoured = !/^0*m$/.test(control)
    return `\u001b[${control}`
  }

  const inString = (character: string): Mode => {
    const code = character.codePointAt(0) ?? 0
    if (code === 0x07 || code === 0x9c) return 'text'
    return code === 0x1b ? 'terminator' : 'string'
  }

  const filter = (text: string): string => {
    let passed = ''
    for (const character of text) passed += take(character)
    return passed
  }

  return {
    push: (bytes) => filter(decoder.decode(bytes, { stream: true })),
    end: () => filter(decoder.decode()) + (isColoured ? RESET : ''),
  }
}

/** DCS, SOS, OSC, PM, APC. */
const STRING_STARTS: ReadonlySet<number> = new Set([0x90, 0x98, 0x9d, 0x9e, 0x9f])
