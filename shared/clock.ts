/** A running timer; `cancel` is safe to call twice and after it fired. */
export interface Timer {
  cancel(): void
}

/** The only reader of time. Spans are measured with `monotonicMs`, never with `now`. */
export interface Clock {
  /** Wall-clock time; may jump. */
  now(): Date
  /** Milliseconds since an arbitrary start; never goes back. */
  monotonicMs(): number
  /** Calls `fn` once after `delayMs`; the timer keeps no process alive. */
  after(delayMs: number, fn: () => void): Timer
}

/** Longest delay of Node's timers, in ms: a longer one fires at once. */
const DELAY_MS_MAX = 2_147_483_647

export const systemClock: Clock = {
  now: () => new Date(),
  monotonicMs: () => performance.now(),
  after(delayMs, fn) {
    const handle = setTimeout(fn, Math.min(Math.max(0, delayMs), DELAY_MS_MAX))
    handle.unref()
    return { cancel: () => clearTimeout(handle) }
  },
}

/** Resolves after `delayMs`, or at once when `signal` aborts. Never rejects. */
export function sleep(clock: Clock, delayMs: number, signal?: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal?.aborted) return resolve()
    const done = () => {
      timer.cancel()
      signal?.removeEventListener('abort', done)
      resolve()
    }
    const timer = clock.after(delayMs, done)
    signal?.addEventListener('abort', done, { once: true })
  })
}
