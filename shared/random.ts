import { randomBytes } from 'node:crypto'

/** The only source of randomness. */
export interface Random {
  /** Uniform in [0, 1). Not for secrets. */
  fraction(): number
  /** Cryptographically strong bytes. */
  bytes(length: number): Buffer
}

/** Asked for at once: an id of 16 bytes alone would cost a call of the system's generator. */
const POOL_BYTES = 4_096
/** More than this is asked for as it is. */
const POOLED_BYTES_MAX = 64

export const systemRandom: Random = {
  fraction: () => Math.random(),
  bytes: createPooledBytes(),
}

function createPooledBytes(): Random['bytes'] {
  let pool = Buffer.alloc(0)
  return (length) => {
    if (length > POOLED_BYTES_MAX) return randomBytes(length)
    if (pool.length < length) pool = randomBytes(POOL_BYTES)
    // Each byte is given away once, and is nobody else's memory.
    const bytes = Buffer.from(pool.subarray(0, length))
    pool = pool.subarray(length)
    return bytes
  }
}
