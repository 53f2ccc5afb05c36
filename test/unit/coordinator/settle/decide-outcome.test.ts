import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import type { AttemptOutcome } from '../../../../coordinator/job/execution.ts'
import { retryPlan } from '../../../../coordinator/job/retry-policy.ts'
import {
  type AttemptContext,
  decideOutcome,
  type EndedAttempt,
  LOSSES_MAX,
} from '../../../../coordinator/settle/decide-outcome.ts'
import { RetryPolicy, RetryPolicy_Kind } from '../../../../proto/gen/rota/v1/job.ts'

const OUTCOMES: readonly AttemptOutcome[] = [
  ...(['succeeded', 'failed', 'timed_out', 'cancelled', 'lost'] as const),
  ...(['refused', 'start_failed', 'superseded'] as const),
]

const anAttempt: fc.Arbitrary<EndedAttempt> = fc.record({
  outcome: fc.constantFrom(...OUTCOMES),
  reasonCode: fc.constant('EXIT_CODE'),
  message: fc.string(),
  exitCode: fc.option(fc.integer({ min: 0, max: 255 }), { nil: undefined }),
})

const aContext: fc.Arbitrary<AttemptContext> = fc.record({
  guarantee: fc.constantFrom('at_least_once', 'exclusive', 'at_most_once'),
  retry: fc
    .record({
      kind: fc.constantFrom(
        RetryPolicy_Kind.UNSPECIFIED,
        RetryPolicy_Kind.NONE,
        RetryPolicy_Kind.FIXED,
        RetryPolicy_Kind.EXPONENTIAL,
      ),
      maxRetries: fc.nat({ max: 5 }),
      finalExitCodes: fc.array(fc.integer({ min: 0, max: 255 }), { maxLength: 3 }),
    })
    .map((policy) => retryPlan(RetryPolicy.fromPartial(policy))),
  failureCount: fc.nat({ max: 8 }),
  lostCount: fc.nat({ max: 8 }),
  isCancelRequested: fc.boolean(),
  isGivenUp: fc.boolean(),
  fraction: fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true }),
})

function forAll(check: (attempt: EndedAttempt, context: AttemptContext) => void): void {
  fc.assert(fc.property(anAttempt, aContext, check), { numRuns: 500 })
}

describe('whatever happened', () => {
  test('failures are tried again as often as the policy says, never more', () => {
    forAll((attempt, context) => {
      const verdict = decideOutcome(attempt, context)
      if (verdict.kind !== 'retry' || verdict.counts !== 'failure') return
      expect(context.failureCount).toBeLessThan(context.retry.maxRetries)
      expect(context.retry.finalExitCodes.has(attempt.exitCode ?? -1)).toBe(false)
      expect(verdict.delayMs).toBeGreaterThan(0)
    })
  })

  test('an execution comes to an end after its failures and LOSSES_MAX losses', () => {
    fc.assert(
      fc.property(fc.array(anAttempt), aContext, (attempts, start) => {
        let context = { ...start, failureCount: 0, lostCount: 0 }
        let tries = 0
        for (const attempt of attempts) {
          const verdict = decideOutcome(attempt, { ...context, isGivenUp: false })
          if (verdict.kind === 'requeue') continue
          tries += 1
          if (verdict.kind === 'settle') break
          const isLoss = verdict.counts === 'loss'
          context = isLoss
            ? { ...context, lostCount: context.lostCount + 1 }
            : { ...context, failureCount: context.failureCount + 1 }
        }
        expect(tries).toBeLessThanOrEqual(start.retry.maxRetries + LOSSES_MAX + 1)
      }),
    )
  })

  test('what was taken from its worker goes on at once and counts against nothing', () => {
    forAll((attempt, context) => {
      const given = { ...attempt, outcome: 'lost' as const }
      const asked = { ...context, isGivenUp: true, isCancelRequested: false }
      const verdict = decideOutcome(given, { ...asked, guarantee: 'exclusive' })
      expect(verdict).toMatchObject({ kind: 'retry', delayMs: 0, counts: 'nothing' })
    })
  })

  test('nothing that may start once only is tried again, unless it never started', () => {
    forAll((attempt, context) => {
      const verdict = decideOutcome(attempt, { ...context, guarantee: 'at_most_once' })
      expect(verdict.kind).toBe(
        attempt.outcome === 'refused' && !context.isCancelRequested ? 'requeue' : 'settle',
      )
    })
  })

  test('a cancel that was asked for is the end', () => {
    forAll((attempt, context) => {
      const verdict = decideOutcome(attempt, { ...context, isCancelRequested: true })
      const state = attempt.outcome === 'succeeded' ? 'succeeded' : 'cancelled'
      expect(verdict).toMatchObject({ kind: 'settle', state })
    })
  })

  test('succeeded is said of success only, and uncertain only of what was lost', () => {
    forAll((attempt, context) => {
      const verdict = decideOutcome(attempt, context)
      if (verdict.kind !== 'settle') return
      expect(verdict.state === 'succeeded').toBe(attempt.outcome === 'succeeded')
      if (verdict.state !== 'uncertain') return
      expect(['lost', 'superseded']).toContain(attempt.outcome)
      expect(context.guarantee).toBe('at_most_once')
    })
  })
})
