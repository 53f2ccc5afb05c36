/**
 * Makes any bytes safe to show on a terminal: text, newlines, tabs and colours pass; whatever else would drive the terminal
 * (cursor, title, clipboard, answers typed in the user's name) is dropped. Sequences may be split over pieces anywhere.
 *
 * F1. Nothing below U+0020 but newline and tab, no DEL and no C1 control is let through outside a colour sequence.
 * F2. A sequence ends at its final character; one that never ends is given up at the next newline, so it hides no line.
 * F3. A carriage return becomes a newline: progress bars read as lines, and nothing overwrites what was shown.
 * F4. A colour that the job left on is switched off at the end.
 */

interface TerminalFilter {
  push(bytes: Uint8Array): string
  end(): string
}

/**
 * text: between sequences. escape: after ESC. control: within CSI (ECMA-48 5.4). string: within OSC, DCS, SOS, PM or APC,
 * ended by BEL or ST. terminator: after an ESC within a string.
 */
type Mode = 'text' | 'escape' | 'control' | 'string' | 'terminator'

interface Place {
  mode: Mode
  /** What came after CSI. */
  control: string
  isColoured: boolean
  /** The last character was a carriage return. */
  isReturned: boolean
  readonly keepColours: boolean
}

const ESC = 0x1b
const CSI = 0x9b
/** DCS, SOS, OSC, PM, APC. */
const STRING_STARTS: ReadonlySet<number> = new Set([0x90, 0x98, 0x9d, 0x9e, 0x9f])
const BEL = 0x07
const ST = 0x9c

const COLOUR = /^[\d;:]*m$/
const COLOUR_OFF = /^0*m$/
/** What is longer is no colour, but a sequence that never ends. */
const CONTROL_LENGTH_MAX = 64

/** Without `keepColours` the colours are dropped too. */
export function createTerminalFilter({
  keepColours,
}: {
  readonly keepColours: boolean
}): TerminalFilter {
  const decoder = new TextDecoder('utf-8')
  const place: Place = {
    mode: 'text',
    control: '',
    isColoured: false,
    isReturned: false,
    keepColours,
  }
  const filter = (text: string): string => {
    let passed = ''
    for (const character of text) passed += take(place, character)
    return passed
  }
  return {
    push: (bytes) => filter(decoder.decode(bytes, { stream: true })),
    end: () => filter(decoder.decode()) + (place.isColoured ? '\u001b[0m' : ''),
  }
}

/** What of one more character is shown. */
function take(place: Place, character: string): string {
  const { isReturned } = place
  place.isReturned = false
  if (character === '\n') {
    place.mode = 'text'
    // The return before it was shown as the newline already.
    return isReturned ? '' : '\n'
  }
  const code = character.codePointAt(0) ?? 0
  switch (place.mode) {
    case 'text':
      return takeText(place, character, code)
    case 'control':
      return takeControl(place, character, code)
    case 'escape':
      place.mode = afterEscape(place, code)
      return ''
    case 'string':
      place.mode = inString(code)
      return ''
    case 'terminator':
      place.mode = character === '\\' ? 'text' : inString(code)
      return ''
  }
}

function takeText(place: Place, character: string, code: number): string {
  if (character === '\r') {
    place.isReturned = true
    return '\n'
  }
  if (code === ESC) place.mode = 'escape'
  else if (code === CSI) place.mode = beginControl(place)
  else if (STRING_STARTS.has(code)) place.mode = 'string'
  const isControl = (code < 0x20 && character !== '\t') || (code >= 0x7f && code <= 0x9f)
  return isControl ? '' : character
}

function takeControl(place: Place, character: string, code: number): string {
  place.control += character
  const isParameter = code >= 0x20 && code < 0x40
  if (isParameter && place.control.length < CONTROL_LENGTH_MAX) return ''
  place.mode = code === ESC ? 'escape' : 'text'
  if (!place.keepColours || !COLOUR.test(place.control)) return ''
  place.isColoured = !COLOUR_OFF.test(place.control)
  return `\u001b[${place.control}`
}

function afterEscape(place: Place, code: number): Mode {
  // ESC and a character from @ on stand for the C1 control 0x40 above it.
  const c1 = code + 0x40
  if (c1 === CSI) return beginControl(place)
  if (STRING_STARTS.has(c1)) return 'string'
  // Intermediate characters, e.g. of the choice of a character set.
  const goesOn = code === ESC || (code >= 0x20 && code <= 0x2f)
  return goesOn ? 'escape' : 'text'
}

function beginControl(place: Place): Mode {
  place.control = ''
  return 'control'
}

function inString(code: number): Mode {
  if (code === BEL || code === ST) return 'text'
  return code === ESC ? 'terminator' : 'string'
}
