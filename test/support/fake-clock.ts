import type { Clock } from '../../shared/clock.ts'

/** A clock that stands still until it is told to go on. */
export interface FakeClock extends Clock {
  /** Timers that have not fired. */
  readonly pending: number
  /** Goes on by `ms`; what comes due on the way is called in order, each followed by the promises that it settled. */
  advance(ms: number): Promise<void>
}

interface FakeTimer {
  readonly dueMs: number
  readonly fn: () => void
}

/** Starts at `start`; its monotonic time starts at 0. */
export function createFakeClock(start: Date = new Date('2026-11-20T10:00:00Z')): FakeClock {
  const timers = new Set<FakeTimer>()
  let elapsedMs = 0
  const takeDue = (untilMs: number): FakeTimer | undefined => {
    const [first] = [...timers].sort((a, b) => a.dueMs - b.dueMs)
    if (first === undefined || first.dueMs > untilMs) return undefined
    timers.delete(first)
    return first
  }
  return {
    now: () => new Date(start.getTime() + elapsedMs),
    monotonicMs: () => elapsedMs,
    after(delayMs, fn) {
      const timer = { dueMs: elapsedMs + Math.max(0, delayMs), fn }
      timers.add(timer)
      return { cancel: () => timers.delete(timer) }
    },
    get pending() {
      return timers.size
    },
    async advance(ms) {
      await settle()
      const untilMs = elapsedMs + ms
      for (let timer = takeDue(untilMs); timer !== undefined; timer = takeDue(untilMs)) {
        elapsedMs = timer.dueMs
        timer.fn()
        await settle()
      }
      elapsedMs = untilMs
      await settle()
    },
  }
}

/** Everything that promises have made ready has run when this resolves. */
function settle(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve))
}
