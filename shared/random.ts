import { randomBytes } from 'node:crypto'

/** The only source of randomness. */
export interface Random {
  /** Uniform in [0, 1). Not for secrets. */
  fraction(): number
  /** Cryptographically strong bytes. */
  bytes(length: number): Buffer
}

export const systemRandom: Random = {
  fraction: () => Math.random(),
  bytes: (length) => randomBytes(length),
}
