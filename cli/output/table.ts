/** Tables as kubectl prints them: no borders, two spaces between columns, cut to the width of the terminal. */
import { displayWidth, escapeControls, truncate } from './text.ts'

export interface Column<T> {
  readonly title: string
  readonly value: (row: T) => string
  readonly align?: 'right'
  /** May be cut down to this many columns when the table is too wide. Not given: never cut. */
  readonly shrinkTo?: number
  /** Colours a cell that has been cut and padded already. */
  readonly paint?: (row: T, cell: string) => string
}

const GAP = '  '

/** Rows under their titles, each line ended by a newline. `width` undefined: as wide as it gets. */
export function renderTable<T>(
  columns: readonly Column<T>[],
  rows: readonly T[],
  width: number | undefined,
): string {
  const cells = rows.map((row) => columns.map(({ value }) => escapeControls(value(row)) || '-'))
  const widths = columns.map(({ title }, index) =>
    Math.max(title.length, ...cells.map((line) => displayWidth(line[index] ?? ''))),
  )
  if (width !== undefined) shrink(columns, widths, width)
  const titles = columns.map((column, index) => fitCell(column.title, column, widths[index] ?? 0))
  const lines = cells.map((line, y) =>
    columns.map((column, x) => {
      const cell = fitCell(line[x] ?? '', column, widths[x] ?? 0)
      const row = rows[y]
      return column.paint === undefined || row === undefined ? cell : column.paint(row, cell)
    }),
  )
  return [titles, ...lines].map((line) => `${line.join(GAP).trimEnd()}\n`).join('')
}

/** Takes columns from the widest column that may shrink, until the table fits or nothing is left to take. */
function shrink<T>(columns: readonly Column<T>[], widths: number[], width: number): void {
  const total = () => widths.reduce((sum, each) => sum + each, GAP.length * (widths.length - 1))
  for (let excess = total() - width; excess > 0; excess--) {
    const widest = columns
      .map(({ shrinkTo, title }, index) => ({
        index,
        spare: (widths[index] ?? 0) - Math.max(title.length, shrinkTo ?? Number.POSITIVE_INFINITY),
      }))
      .reduce((a, b) => (b.spare > a.spare ? b : a))
    if (widest.spare <= 0) return
    widths[widest.index] = (widths[widest.index] ?? 0) - 1
  }
}

function fitCell<T>(text: string, column: Column<T>, width: number): string {
  const cut = truncate(text, width)
  const padding = ' '.repeat(Math.max(0, width - displayWidth(cut)))
  return column.align === 'right' ? padding + cut : cut + padding
}
