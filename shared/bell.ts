import type { Clock } from './clock.ts'

/** Wakes one waiter; a ring before the wait is not lost. */
export class Bell {
  #isRung = false
  #wake: (() => void) | undefined

  ring(): void {
    this.#isRung = true
    this.#wake?.()
  }

  /** Until it rings, or `atMostMs`. */
  async wait(clock: Clock, atMostMs: number): Promise<void> {
    if (!this.#isRung) {
      await new Promise<void>((resolve) => {
        const timer = clock.after(atMostMs, resolve)
        this.#wake = () => {
          timer.cancel()
          resolve()
        }
      })
    }
    this.#isRung = false
    this.#wake = undefined
  }
}
