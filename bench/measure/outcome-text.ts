/** How outcomes are told: one line of JSON, or a table for people. Pure. */
import type { Machine } from './machine.ts'
import type { Outcome, Side } from './result.ts'
import { spreadPercent } from './statistics.ts'

/** One line: what `--json` prints. */
export function toJsonLine(outcome: Outcome, machine: Machine): string {
  const { curves, notes, peers, ratios, refused, rota, scenario, targets } = outcome
  return JSON.stringify({
    scenario,
    rota: sideJson(rota),
    peers: Object.fromEntries(
      Object.entries(peers).map(([name, side]) => [
        name,
        { ...sideJson(side), checks: side.checks },
      ]),
    ),
    ratios: rounded(ratios),
    checks: rota.checks,
    ...(targets.length === 0 ? {} : { targets }),
    ...(refused.length === 0 ? {} : { refused }),
    ...(notes.length === 0 ? {} : { notes }),
    ...(Object.keys(curves).length === 0 ? {} : { curves }),
    machine,
  })
}

function sideJson({ figures, spread }: Side): object {
  const ends = Object.entries(spread).map(([name, { count, max, min }]) => [
    name,
    { min: round(min), max: round(max), runs: count },
  ])
  return { ...rounded(figures), spread: Object.fromEntries(ends) }
}

function rounded(figures: Readonly<Record<string, number>>): Record<string, number> {
  return Object.fromEntries(Object.entries(figures).map(([name, value]) => [name, round(value)]))
}

/** Four digits: more is noise. */
function round(value: number): number {
  return Number(value.toPrecision(4))
}

/** The same for people, as lines. */
export function toLines(outcome: Outcome): string[] {
  const { curves, notes, peers, ratios, refused, rota, scenario, targets } = outcome
  const ratioLines = Object.entries(ratios).map(
    ([name, ratio]) =>
      `  ${'ratio to'.padEnd(9)}${name.padEnd(43)} ${ratio.toFixed(3).padStart(12)}`,
  )
  return [
    '',
    scenario,
    ...sideLines('rota', rota),
    ...Object.entries(peers).flatMap(([name, side]) => sideLines(name, side)),
    ...Object.entries(curves).map(([name, points]) => `  ${name}: ${pointsText(points)}`),
    ...ratioLines,
    ...targets.map(({ isMet, what }) => `  ${isMet ? 'met' : 'MISSED'}: ${what}`),
    ...refused.map((why) => `  NO RATIO: ${why}`),
    ...notes.map((note) => `  note: ${note}`),
  ]
}

function sideLines(name: string, { spread }: Side): string[] {
  return Object.entries(spread).map(([figure, summary]) => {
    const { count, max, median, min } = summary
    const ends =
      count === 1
        ? 'one run'
        : `${number(min)} to ${number(max)}, ${spreadPercent(summary).toFixed(0)} % apart, ${count} runs`
    return `  ${name.padEnd(24)} ${figure.padEnd(27)} ${number(median).padStart(12)}   ${ends}`
  })
}

function pointsText(points: readonly (readonly [number, number])[]): string {
  return points.map(([x, y]) => `${x}: ${number(y)}`).join('  ')
}

function number(value: number): string {
  if (Math.abs(value) >= 1_000) return String(Math.round(value))
  return Math.abs(value) >= 100 ? value.toFixed(1) : value.toFixed(3)
}
