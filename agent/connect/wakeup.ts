/** Lets one loop sleep until somebody has something for it; a wake-up before the wait is not lost. */
export class Wakeup {
  #next = Promise.withResolvers<void>()
  #isWoken = false

  wake(): void {
    this.#isWoken = true
    this.#next.resolve()
  }

  async wait(): Promise<void> {
    if (!this.#isWoken) await this.#next.promise
    this.#isWoken = false
    this.#next = Promise.withResolvers<void>()
  }
}
