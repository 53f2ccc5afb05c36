import { createHash } from 'node:crypto'

/** In [0, 1), even over seeds; another one for each `use`. Always the same for both. */
export function seedFraction(seed: string, use: string): number {
  return createHash('sha256').update(`${seed}/${use}`).digest().readUInt32BE(0) / 2 ** 32
}
