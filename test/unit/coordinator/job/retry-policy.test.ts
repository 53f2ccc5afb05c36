import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { mayRetry, retryDelayMs, retryPlan } from '../../../../coordinator/job/retry-policy.ts'
import { RetryPolicy, RetryPolicy_Kind } from '../../../../proto/gen/rota/v1/job.ts'
import { durationFromMs } from '../../../../shared/duration.ts'

function plan(policy: Partial<RetryPolicy>) {
  return retryPlan({ ...RetryPolicy.fromPartial({}), ...policy })
}

function delays(policy: Partial<RetryPolicy>, fraction: number): number[] {
  return [1, 2, 3, 4, 5].map((retry) => retryDelayMs(plan(policy), retry, fraction))
}

describe('how long', () => {
  test('a fixed delay stays the same, 10 s by default, without jitter', () => {
    expect(delays({ kind: RetryPolicy_Kind.FIXED, maxRetries: 5 }, 0.9)).toEqual(
      Array(5).fill(10_000),
    )
    expect(delays({ kind: RetryPolicy_Kind.FIXED, delay: durationFromMs(500) }, 0)).toEqual(
      Array(5).fill(500),
    )
  })

  test('an exponential delay doubles from 10 s by default', () => {
    const policy = { kind: RetryPolicy_Kind.EXPONENTIAL, maxRetries: 5 }
    expect(delays(policy, 0)).toEqual([10_000, 20_000, 40_000, 80_000, 160_000])
  })

  test('an exponential delay has a tenth of jitter by default', () => {
    expect(delays({ kind: RetryPolicy_Kind.EXPONENTIAL }, 0.5)[0]).toBe(10_500)
    expect(delays({ kind: RetryPolicy_Kind.EXPONENTIAL, jitter: 1 }, 0.5)[0]).toBe(15_000)
  })

  test('it grows no further than its maximum, one hour by default', () => {
    const exponential = RetryPolicy_Kind.EXPONENTIAL
    expect(
      delays({ kind: exponential, multiplier: 3, maxDelay: durationFromMs(60_000) }, 0),
    ).toEqual([10_000, 30_000, 60_000, 60_000, 60_000])
    expect(retryDelayMs(plan({ kind: exponential }), 100, 0)).toBe(3_600_000)
    expect(delays({ kind: exponential, delay: durationFromMs(7_200_000) }, 0)[0]).toBe(7_200_000)
  })

  test('no delay at all is kept', () => {
    expect(delays({ kind: RetryPolicy_Kind.FIXED, delay: durationFromMs(0) }, 0.5)).toEqual(
      Array(5).fill(0),
    )
  })

  test('it never shrinks, and jitter only adds', () => {
    const policies = fc.record({
      kind: fc.constant(RetryPolicy_Kind.EXPONENTIAL),
      delay: fc.integer({ min: 0, max: 10_000_000 }).map(durationFromMs),
      multiplier: fc.double({ min: 1, max: 100, noNaN: true }),
      jitter: fc.double({ min: 0, max: 1, noNaN: true }),
    })
    const retries = fc.integer({ min: 1, max: 100 })
    const fractions = fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true })
    fc.assert(
      fc.property(policies, retries, fractions, (policy, retry, fraction) => {
        const least = retryDelayMs(plan(policy), retry, 0)
        expect(retryDelayMs(plan(policy), retry + 1, 0)).toBeGreaterThanOrEqual(least)
        expect(retryDelayMs(plan(policy), retry, fraction)).toBeGreaterThanOrEqual(least)
        expect(retryDelayMs(plan(policy), retry, fraction)).toBeLessThanOrEqual(2 * least + 1)
      }),
    )
  })
})

describe('whether', () => {
  test('without a policy, or with NONE, nothing is tried again', () => {
    for (const none of [retryPlan(undefined), plan({}), plan({ kind: RetryPolicy_Kind.NONE })]) {
      expect(mayRetry(none, { attempt: 1, exitCode: 1 })).toBe(false)
    }
  })

  test('retries are attempts after the first one', () => {
    const two = plan({ kind: RetryPolicy_Kind.FIXED, maxRetries: 2 })
    const allowed = [1, 2, 3].map((attempt) => mayRetry(two, { attempt, exitCode: 1 }))
    expect(allowed).toEqual([true, true, false])
  })

  test('a final exit code ends it, an attempt without one does not', () => {
    const final = plan({ kind: RetryPolicy_Kind.FIXED, maxRetries: 2, finalExitCodes: [64, 78] })
    expect(mayRetry(final, { attempt: 1, exitCode: 78 })).toBe(false)
    expect(mayRetry(final, { attempt: 1, exitCode: 1 })).toBe(true)
    expect(mayRetry(final, { attempt: 1, exitCode: undefined })).toBe(true)
  })
})
