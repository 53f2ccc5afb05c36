/** Content lines of iCalendar (RFC 5545, 3.1): unfolded, split into name, parameters and value. */

export interface ContentLine {
  /** In the file, from 1: where it begins. */
  readonly number: number
  /** In capitals. */
  readonly name: string
  /** Names in capitals, values without quotes. */
  readonly parameters: ReadonlyMap<string, string>
  readonly value: string
}

export interface IcsProblem {
  readonly kind: 'problem'
  /** Of the file, from 1. */
  readonly line: number
  readonly message: string
}

/** Of one message of the API, with room for what else is in it. */
export const ICS_LENGTH_MAX = 900 * 1_024
const LINES_MAX = 100_000

/** The lines of a file that matter, or the first that cannot be read. Never throws. */
export function readLines(text: string): readonly ContentLine[] | IcsProblem {
  if (text.length > ICS_LENGTH_MAX) {
    return icsProblem(1, `the file is larger than ${ICS_LENGTH_MAX / 1_024} KiB`)
  }
  const raw = text.replace(/^\uFEFF/, '').split(/\r\n|\n|\r/)
  if (raw.length > LINES_MAX) return icsProblem(LINES_MAX, `there are more than ${LINES_MAX} lines`)
  const lines: ContentLine[] = []
  for (let index = 0; index < raw.length; ) {
    const number = index + 1
    const parts = [raw[index] ?? '']
    for (index += 1; /^[ \t]/.test(raw[index] ?? ''); index += 1)
      parts.push(raw[index]?.slice(1) ?? '')
    const whole = parts.join('')
    if (whole.trim() === '') continue
    const line = readLine(whole, number)
    if ('kind' in line) return line
    lines.push(line)
  }
  return lines
}

const NAME = /^([A-Za-z0-9-]+)/
const PARAMETER = /;([A-Za-z0-9-]+)=((?:"[^"]*"|[^";:,]*)(?:,(?:"[^"]*"|[^";:,]*))*)/y

function readLine(text: string, number: number): ContentLine | IcsProblem {
  const name = NAME.exec(text)?.[1]
  if (name === undefined) return icsProblem(number, `${quote(text)} does not begin with a name`)
  const parameters = new Map<string, string>()
  let at = name.length
  for (;;) {
    PARAMETER.lastIndex = at
    const found = PARAMETER.exec(text)
    if (found === null) break
    parameters.set(found[1]?.toUpperCase() ?? '', found[2]?.replaceAll('"', '') ?? '')
    at = PARAMETER.lastIndex
  }
  if (text[at] !== ':') return icsProblem(number, `${quote(text)} has no ":" before its value`)
  return { number, name: name.toUpperCase(), parameters, value: text.slice(at + 1) }
}

export function icsProblem(line: number, message: string): IcsProblem {
  return { kind: 'problem', line, message }
}

/** A piece of the file, short enough to print. */
export function quote(text: string): string {
  return JSON.stringify(text.length > 40 ? `${text.slice(0, 40)}...` : text)
}
