export interface Backoff {
  /** Delay of the first retry, in ms. */
  readonly delayMs: number
  /** No delay is longer, in ms. */
  readonly maxDelayMs: number
  /** 1: fixed. 2: doubles each time. */
  readonly multiplier: number
  /** 0 to 1: how much of the delay may be added at random. */
  readonly jitter: number
}

/** Delay in ms before retry number `retry` (from 1). `fraction` in [0, 1) places it within the jitter. */
export function backoffDelayMs(backoff: Backoff, retry: number, fraction: number): number {
  const growth = Math.min(backoff.multiplier ** (retry - 1), Number.MAX_VALUE)
  const delayMs = Math.min(backoff.delayMs * growth, backoff.maxDelayMs)
  return Math.round(delayMs + delayMs * backoff.jitter * fraction)
}
