/** Randomness that a seed repeats: xorshift128+ over 32-bit halves would be overkill, sfc32 is small and good. */
import type { Random } from '../../../shared/random.ts'

export class SeededRandom implements Random {
  #a: number
  #b: number
  #c: number
  #counter = 1

  constructor(seed: number, stream = 0) {
    this.#a = seed | 0
    this.#b = Math.floor(seed / 2 ** 32) ^ 0x9e3779b9
    this.#c = stream ^ 0x243f6a88
    for (let round = 0; round < 12; round++) this.uint32()
  }

  /** A stream of its own, so that one consumer more changes nothing for the others. */
  fork(): SeededRandom {
    return new SeededRandom(this.uint32() * 2 ** 20 + (this.uint32() >>> 12), this.uint32())
  }

  uint32(): number {
    const sum = (this.#a + this.#b + this.#counter) | 0
    this.#counter = (this.#counter + 1) | 0
    this.#a = this.#b ^ (this.#b >>> 9)
    this.#b = (this.#c + (this.#c << 3)) | 0
    this.#c = ((this.#c << 21) | (this.#c >>> 11)) + sum
    return sum >>> 0
  }

  fraction(): number {
    return this.uint32() / 2 ** 32
  }

  bytes(length: number): Buffer {
    const bytes = Buffer.alloc(length)
    for (let index = 0; index < length; index += 4) {
      const word = this.uint32()
      for (let offset = 0; offset < 4 && index + offset < length; offset++) {
        bytes[index + offset] = (word >>> (8 * offset)) & 0xff
      }
    }
    return bytes
  }

  /** An integer in [low, high]. */
  between(low: number, high: number): number {
    return low + Math.floor(this.fraction() * (high - low + 1))
  }

  /** Uniform in [low, high). */
  span(low: number, high: number): number {
    return low + this.fraction() * (high - low)
  }

  /** Exponential with this mean: the time between independent events. */
  exponential(mean: number): number {
    return -Math.log(1 - this.fraction()) * mean
  }

  chance(probability: number): boolean {
    return this.fraction() < probability
  }

  pick<T>(items: readonly T[]): T {
    const item = items[Math.floor(this.fraction() * items.length)]
    if (item === undefined) throw new RangeError('nothing to pick from')
    return item
  }

  /** One of the items, in proportion to its weight. */
  pickWeighted<T extends { readonly weight: number }>(items: readonly T[]): T {
    const total = items.reduce((sum, { weight }) => sum + weight, 0)
    let left = this.fraction() * total
    for (const item of items) {
      left -= item.weight
      if (left < 0) return item
    }
    return this.pick(items)
  }
}
