/** One measurement and how its figures are told. */
export interface Benchmark {
  /** What it measures, in one line. */
  readonly what: string
  /** `args` as on the command line. */
  readonly run: (args: readonly string[]) => Promise<readonly Figure[]>
}

export interface Figure {
  readonly name: string
  readonly value: number
  readonly unit: string
  /** Undefined when nothing was promised. */
  readonly target?: string
  readonly isMet?: boolean
}

/** One line for each figure: name, value, and what was promised. */
export function reportLines(figures: readonly Figure[]): string[] {
  return figures.map(({ name, value, unit, target, isMet }) => {
    const text = `${name.padEnd(44)} ${value.toFixed(2).padStart(10)} ${unit}`
    return target === undefined ? text : `${text.padEnd(66)} ${isMet ? 'met' : 'MISSED'}: ${target}`
  })
}
