/** Charts as SVG text: bars and lines, nothing else. Pure. */

export interface Bar {
  readonly name: string
  readonly value: number
  /** Ends of what was measured. */
  readonly min: number
  readonly max: number
}

export interface Series {
  readonly name: string
  readonly points: readonly (readonly [number, number])[]
}

const WIDTH = 720
const INK = '#222'
const FAINT = '#ccc'
const COLOURS = ['#2563a8', '#c2571a', '#3a7d44', '#8a4fa3', '#8c6d1f']
const FONT = 'font-family="sans-serif" font-size="12"'

/** Bars from the left, one below the other, with a whisker from the least to the most that was measured. */
export function barChart(title: string, unit: string, bars: readonly Bar[]): string {
  const [left, right, rowHeight, top] = [190, 90, 28, 40]
  const most = Math.max(...bars.map(({ max, value }) => Math.max(max, value)), Number.MIN_VALUE)
  const scale = (value: number) => left + (Math.max(0, value) / most) * (WIDTH - left - right)
  const rows = bars.map(({ max, min, name, value }, index) => {
    const y = top + index * rowHeight
    const middle = y + rowHeight / 2
    return [
      text([left - 8, middle + 4], name, { anchor: 'end' }),
      `<rect x="${left}" y="${y + 5}" width="${at(scale(value) - left)}" height="${rowHeight - 10}" fill="${COLOURS[index === 0 ? 0 : 1]}"/>`,
      line([scale(min), middle], [scale(max), middle], INK),
      text([scale(Math.max(value, max)) + 6, middle + 4], format(value)),
    ].join('\n')
  })
  return svg(title, top + bars.length * rowHeight + 12, [heading(`${title} (${unit})`), ...rows])
}

/** Lines over a common x; logarithmic where x spans more than a factor of fifty. */
export function lineChart(
  title: string,
  labels: { readonly x: string; readonly y: string },
  series: readonly Series[],
): string {
  const [left, right, top, bottom, height] = [70, 20, 40, 60, 320]
  const points = series.flatMap((each) => each.points)
  const xs = points.map(([x]) => x)
  const [least, most] = [Math.min(...xs), Math.max(...xs)]
  const isLogarithmic = least > 0 && most / least > 50
  const along = (x: number) => (isLogarithmic ? Math.log(x) : x)
  const span = along(most) - along(least) || 1
  const peak = Math.max(...points.map(([, y]) => y), Number.MIN_VALUE) * 1.1
  const place = ([x, y]: readonly [number, number]): readonly [number, number] => [
    left + ((along(x) - along(least)) / span) * (WIDTH - left - right),
    height - bottom - (y / peak) * (height - top - bottom),
  ]
  const ticks = [...new Set(xs)].map((x) => {
    const [px] = place([x, 0])
    return text([px, height - bottom + 18], format(x), { anchor: 'middle' })
  })
  const grid = [0, 0.25, 0.5, 0.75, 1].flatMap((part) => {
    const [, y] = place([least, peak * part])
    return [
      line([left, y], [WIDTH - right, y], FAINT),
      text([left - 8, y + 4], format(peak * part), { anchor: 'end' }),
    ]
  })
  const lines = series.flatMap(({ name, points: own }, index) => {
    const colour = COLOURS[index % COLOURS.length] ?? INK
    const path = own.map((point) => place(point).map(at).join(',')).join(' ')
    const dots = own.map((point) => {
      const [x, y] = place(point)
      return `<circle cx="${at(x)}" cy="${at(y)}" r="3" fill="${colour}"/>`
    })
    const key = text([left + 10 + index * 200, top - 8], name, { fill: colour })
    return [
      `<polyline points="${path}" fill="none" stroke="${colour}" stroke-width="2"/>`,
      ...dots,
      key,
    ]
  })
  const under = text([(left + WIDTH - right) / 2, height - 16], labels.x, { anchor: 'middle' })
  return svg(title, height, [heading(`${title} (${labels.y})`), ...grid, ...ticks, ...lines, under])
}

function svg(title: string, height: number, parts: readonly string[]): string {
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" width="${WIDTH}" height="${height}" viewBox="0 0 ${WIDTH} ${height}" role="img">`,
    `<title>${escapeXml(title)}</title>`,
    `<rect width="${WIDTH}" height="${height}" fill="#fff"/>`,
    ...parts,
    '</svg>',
    '',
  ].join('\n')
}

function heading(title: string): string {
  return `<text x="12" y="20" font-family="sans-serif" font-size="14" font-weight="bold" fill="${INK}">${escapeXml(title)}</text>`
}

type Anchor = 'start' | 'middle' | 'end'

interface Words {
  readonly anchor?: Anchor
  readonly fill?: string
}

type Place = readonly [x: number, y: number]

function text([x, y]: Place, words: string, { anchor = 'start', fill = INK }: Words = {}): string {
  return `<text x="${at(x)}" y="${at(y)}" ${FONT} text-anchor="${anchor}" fill="${fill}">${escapeXml(words)}</text>`
}

function line(from: Place, to: Place, colour: string): string {
  const [[x1 = 0, y1 = 0], [x2 = 0, y2 = 0]] = [from.map(at), to.map(at)]
  return `<line x1="${x1}" y1="${y1}" x2="${x2}" y2="${y2}" stroke="${colour}"/>`
}

/** A tenth of a pixel is enough, and the same everywhere. */
function at(value: number): number {
  return Math.round(value * 10) / 10
}

function format(value: number): string {
  if (value >= 1e6) return `${Number((value / 1e6).toPrecision(3))}M`
  if (value >= 10_000) return `${Number((value / 1e3).toPrecision(3))}k`
  return String(Number(value.toPrecision(3)))
}

function escapeXml(words: string): string {
  return words
    .replaceAll('&', '&amp;')
    .replaceAll('<', '&lt;')
    .replaceAll('>', '&gt;')
    .replaceAll('"', '&quot;')
}
