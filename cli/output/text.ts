/** Text of jobs and people on a terminal: no control character gets through, and its width is known. */

/** Control characters as `\n`, `\x1b`: what a person named cannot move the cursor or forge a line. */
export function escapeControls(text: string): string {
  const short: Readonly<Record<string, string>> = { '\n': '\\n', '\r': '\\r', '\t': '\\t' }
  return text.replace(
    // C0, DEL, C1, and the marks that turn the direction of writing.
    // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for
    /[\u0000-\u001f\u007f-\u009f\u200e\u200f\u202a-\u202e\u2066-\u2069]/g,
    (character) => short[character] ?? escapeCode(character.charCodeAt(0)),
  )
}

function escapeCode(code: number): string {
  return code < 0x100
    ? `\\x${code.toString(16).padStart(2, '0')}`
    : `\\u${code.toString(16).padStart(4, '0')}`
}

const graphemes = new Intl.Segmenter('en', { granularity: 'grapheme' })

/** Wide in every terminal: East Asian wide and full-width blocks (UAX #11), and emoji. */
const WIDE =
  /^[\u1100-\u115f\u2e80-\u303e\u3041-\ua4cf\ua960-\ua97f\uac00-\ud7a3\uf900-\ufaff\ufe30-\ufe6f\uff00-\uff60\uffe0-\uffe6\u{20000}-\u{3fffd}]|\p{Emoji_Presentation}/u

/** Columns that `text` takes on a terminal. */
export function displayWidth(text: string): number {
  if (/^[\x20-\x7e]*$/.test(text)) return text.length
  return [...graphemes.segment(text)].reduce((sum, { segment }) => sum + cells(segment), 0)
}

/** At most `width` columns; a cut is shown by an ellipsis. */
export function truncate(text: string, width: number): string {
  if (displayWidth(text) <= width) return text
  let taken = ''
  let used = 0
  for (const { segment } of graphemes.segment(text)) {
    used += cells(segment)
    if (used > width - 1) break
    taken += segment
  }
  return `${taken}…`
}

/** Breaks `text` at spaces into lines of at most `width` columns; a longer word stays whole. */
export function wrap(text: string, width: number): string[] {
  const lines: string[] = []
  let line = ''
  for (const word of text.split(' ')) {
    const longer = line === '' ? word : `${line} ${word}`
    if (line !== '' && displayWidth(longer) > width) {
      lines.push(line)
      line = word
    } else line = longer
  }
  return [...lines, line]
}

/** 1.2 KiB */
export function formatBytes(bytes: number): string {
  if (bytes < 1024) return `${bytes} B`
  const units = ['KiB', 'MiB', 'GiB', 'TiB'] as const
  let value = bytes / 1024
  let unit = 0
  while (value >= 1024 && unit < units.length - 1) {
    value /= 1024
    unit++
  }
  return `${value.toFixed(1)} ${units[unit]}`
}

function cells(grapheme: string): number {
  if (WIDE.test(grapheme)) return 2
  return /^\p{Mark}|^\p{Cf}/u.test(grapheme) ? 0 : 1
}
