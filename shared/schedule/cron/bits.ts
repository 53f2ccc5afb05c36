/** Sets of small numbers as bits, and the next member of one. */

/** Numbers 0 to 59: more than the bits of one number that JavaScript calculates with. */
export interface SixtyBits {
  /** 0 to 29. */
  readonly low: number
  /** 30 to 59. */
  readonly high: number
}

export function toSixtyBits(values: readonly number[]): SixtyBits {
  const low = toBits(values.filter((value) => value < 30))
  return { low, high: toBits(values.filter((value) => value >= 30).map((value) => value - 30)) }
}

/** Of numbers 0 to 31. */
export function toBits(values: readonly number[]): number {
  return values.reduce((bits, value) => bits | (1 << value), 0)
}

export function hasBit(bits: number, value: number): boolean {
  return ((bits >>> value) & 1) === 1
}

/** The smallest member from `from` (0 to 32) on; -1 when there is none. */
export function nextBit(bits: number, from: number): number {
  if (from > 31) return -1
  const rest = bits & (-1 << from)
  return rest === 0 ? -1 : 31 - Math.clz32(rest & -rest)
}

/** As nextBit, for 0 to 60. */
export function nextOfSixty({ low, high }: SixtyBits, from: number): number {
  if (from < 30) {
    const found = nextBit(low, from)
    if (found >= 0) return found
  }
  const found = nextBit(high, Math.max(0, from - 30))
  return found < 0 ? -1 : found + 30
}
