/** Answers that are worth keeping, as many as there is room for; the one that was not asked for longest goes. */
export class RecentlyUsed<V> {
  readonly #max: number
  readonly #values = new Map<string, V>()

  constructor(max: number) {
    this.#max = max
  }

  /** What is kept under `key`, else what `make` makes, which is kept then. */
  get(key: string, make: () => V): V {
    const known = this.#values.get(key)
    const value = known ?? make()
    if (known !== undefined) this.#values.delete(key)
    this.#values.set(key, value)
    if (this.#values.size > this.#max) {
      const [oldest] = this.#values.keys()
      if (oldest !== undefined) this.#values.delete(oldest)
    }
    return value
  }
}
