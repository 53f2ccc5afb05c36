import type { Clock } from './clock.ts'
import { type Rate, TokenBucket } from './token-bucket.ts'

/** Keys that are remembered; beyond, the one that was not used for longest is forgotten, and begins anew. */
const KEYS_MAX = 10_000

/** A bucket for each address, principal or worker, in bounded memory. */
export class KeyedBuckets<K> {
  readonly #clock: Pick<Clock, 'monotonicMs'>
  readonly #rate: Rate
  /** In the order of their last use. */
  readonly #buckets = new Map<K, TokenBucket>()

  constructor(clock: Pick<Clock, 'monotonicMs'>, rate: Rate) {
    this.#clock = clock
    this.#rate = rate
  }

  /** See TokenBucket.look. */
  look(key: K, count = 1): number {
    return this.#bucketOf(key).look(count)
  }

  /** See TokenBucket.take. */
  take(key: K, count = 1): number {
    return this.#bucketOf(key).take(count)
  }

  get size(): number {
    return this.#buckets.size
  }

  #bucketOf(key: K): TokenBucket {
    const bucket = this.#buckets.get(key) ?? new TokenBucket(this.#clock, this.#rate)
    this.#buckets.delete(key)
    this.#buckets.set(key, bucket)
    if (this.#buckets.size > KEYS_MAX) {
      const [oldest] = this.#buckets.keys()
      if (oldest !== undefined) this.#buckets.delete(oldest)
    }
    return bucket
  }
}
