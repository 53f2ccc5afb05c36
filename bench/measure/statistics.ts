/** What many measurements come to. Pure. */

/** Middle, ends and number of repeated measurements. */
export interface Summary {
  readonly median: number
  readonly min: number
  readonly max: number
  readonly count: number
}

/** Throws RangeError without values: nothing measured is no zero. */
export function summarise(values: readonly number[]): Summary {
  const sorted = sortedOf(values)
  return {
    median: quantileOf(sorted, 0.5),
    min: sorted[0] ?? 0,
    max: sorted.at(-1) ?? 0,
    count: sorted.length,
  }
}

/** The value below which `fraction` (0 to 1) of the values lie, between neighbours in proportion. */
export function quantile(values: readonly number[], fraction: number): number {
  return quantileOf(sortedOf(values), fraction)
}

/** How far apart the ends are, in percent of the median: how noisy the machine was. */
export function spreadPercent({ max, median, min }: Summary): number {
  return median === 0 ? 0 : (100 * (max - min)) / median
}

function sortedOf(values: readonly number[]): number[] {
  if (values.length === 0) throw new RangeError('nothing was measured')
  return [...values].sort((a, b) => a - b)
}

function quantileOf(sorted: readonly number[], fraction: number): number {
  const position = (sorted.length - 1) * fraction
  const below = sorted[Math.floor(position)] ?? 0
  const above = sorted[Math.ceil(position)] ?? below
  return below + (above - below) * (position - Math.floor(position))
}
