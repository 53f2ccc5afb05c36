/**
 * Lets loops sleep until somebody has something for them; a wake-up before the wait is not lost. Each loop remembers what
 * it has seen, so that several can wait on one.
 */
export class Wakeup {
  /** What those who wait are waiting for. */
  #next: PromiseWithResolvers<void> | undefined
  #count = 0

  wake(): void {
    this.#count += 1
    this.#next?.resolve()
    this.#next = undefined
  }

  /** Waits for a wake-up after `seen`, which is 0 at first; answers what is seen now. */
  async wait(seen: number): Promise<number> {
    if (this.#count === seen) {
      this.#next ??= Promise.withResolvers<void>()
      await this.#next.promise
    }
    return this.#count
  }
}
