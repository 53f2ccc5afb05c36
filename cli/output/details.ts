/** One thing on a screen: a name and a value per line. */
import { escapeControls, wrap } from './text.ts'

/** A line is left out when its value is undefined or empty. `paint` colours it, line by line. */
export type Detail = readonly [
  label: string,
  value: string | undefined,
  paint?: (line: string) => string,
]

/** Lines with their values in one column; long values are wrapped under themselves. */
export function renderDetails(details: readonly Detail[], width: number | undefined): string {
  const shown = details.filter(([, value]) => value !== undefined && value !== '')
  const indent = Math.max(...shown.map(([label]) => label.length), 0) + 2
  return shown
    .map(([label, value = '', paint = unpainted]) => {
      const lines = value
        .split('\n')
        .flatMap((line) => wrapLine(escapeControls(line), indent, width))
        .map(paint)
      return `${label.padEnd(indent)}${lines.join(`\n${' '.repeat(indent)}`)}\n`
    })
    .join('')
}

function unpainted(line: string): string {
  return line
}

function wrapLine(line: string, indent: number, width: number | undefined): string[] {
  return width === undefined ? [line] : wrap(line, Math.max(20, width - indent))
}
