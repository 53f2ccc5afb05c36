/** When a failed attempt is tried again. Pure. */
import { type RetryPolicy, RetryPolicy_Kind } from '../../proto/gen/rota/v1/job.ts'
import { type Backoff, backoffDelayMs } from '../../shared/backoff.ts'
import { durationToMs } from '../../shared/duration.ts'

export interface RetryPlan {
  /** Attempts after the first one; 0 for none. */
  readonly maxRetries: number
  readonly backoff: Backoff
  /** Exit codes after which no further attempt is made. */
  readonly finalExitCodes: ReadonlySet<number>
}

const DELAY_MS = 10_000
const MAX_DELAY_MS = 3_600_000
const MULTIPLIER = 2
/** Failures with a common cause should not come back all at once. Exponential only: a fixed delay is meant as it is. */
const JITTER = 0.1

const NO_RETRIES: RetryPlan = {
  maxRetries: 0,
  backoff: { delayMs: DELAY_MS, maxDelayMs: MAX_DELAY_MS, multiplier: 1, jitter: 0 },
  finalExitCodes: new Set(),
}

/**
 * A policy with its defaults: no retries; for FIXED and EXPONENTIAL a delay of 10 s; for EXPONENTIAL doubling, at most
 * 1 h, with a jitter of 0.1. Numbers that are 0 count as not given, since the wire cannot tell the two apart.
 */
export function retryPlan(policy: RetryPolicy | undefined): RetryPlan {
  if (policy?.kind !== RetryPolicy_Kind.FIXED && policy?.kind !== RetryPolicy_Kind.EXPONENTIAL) {
    return NO_RETRIES
  }
  const isFixed = policy.kind === RetryPolicy_Kind.FIXED
  const delayMs = durationToMs(policy.delay) ?? DELAY_MS
  return {
    maxRetries: policy.maxRetries,
    backoff: {
      delayMs,
      maxDelayMs: isFixed
        ? delayMs
        : (durationToMs(policy.maxDelay) ?? Math.max(MAX_DELAY_MS, delayMs)),
      multiplier: isFixed ? 1 : policy.multiplier || MULTIPLIER,
      jitter: policy.jitter || (isFixed ? 0 : JITTER),
    },
    finalExitCodes: new Set(policy.finalExitCodes),
  }
}

/** Delay in ms before retry number `retry` (from 1). `fraction` in [0, 1) places it within the jitter. */
export function retryDelayMs(plan: RetryPlan, retry: number, fraction: number): number {
  return backoffDelayMs(plan.backoff, retry, fraction)
}

export interface FailedAttempt {
  /** Its number, from 1, among the attempts that count. */
  readonly attempt: number
  /** Undefined when the process never ended by itself. */
  readonly exitCode: number | undefined
}

/** True when another attempt is allowed after this one. */
export function mayRetry(plan: RetryPlan, { attempt, exitCode }: FailedAttempt): boolean {
  if (exitCode !== undefined && plan.finalExitCodes.has(exitCode)) return false
  return attempt <= plan.maxRetries
}
