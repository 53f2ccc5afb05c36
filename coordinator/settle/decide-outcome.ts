/** What follows from the end of an attempt. Pure. */
import type { AttemptOutcome, Guarantee } from '../job/execution.ts'
import { mayRetry, type RetryPlan, retryDelayMs } from '../job/retry-policy.ts'

export interface EndedAttempt {
  readonly outcome: AttemptOutcome
  readonly reasonCode: string
  readonly message: string
  readonly exitCode: number | undefined
}

export interface AttemptContext {
  readonly guarantee: Guarantee
  readonly retry: RetryPlan
  /** Attempts before this one that count against the retries. */
  readonly failureCount: number
  /** Attempts before this one that were lost. */
  readonly lostCount: number
  readonly isCancelRequested: boolean
  /** It was taken from its worker on purpose. */
  readonly isGivenUp: boolean
  /** In [0, 1): places the delay within its jitter. */
  readonly fraction: number
}

export type Verdict =
  | {
      readonly kind: 'settle'
      readonly state: 'succeeded' | 'failed' | 'cancelled' | 'uncertain'
      readonly reasonCode: string
      readonly reasonMessage: string
    }
  /** Another attempt, after `delayMs`. */
  | {
      readonly kind: 'retry'
      readonly delayMs: number
      readonly counts: 'failure' | 'loss' | 'nothing'
      readonly reasonCode: string
      readonly reasonMessage: string
    }
  /** The attempt never was: nothing ran. */
  | { readonly kind: 'requeue' }

/** An execution whose worker is lost this often probably takes its workers down with it. */
export const LOSSES_MAX = 5

export function decideOutcome(attempt: EndedAttempt, context: AttemptContext): Verdict {
  const reason = { reasonCode: attempt.reasonCode, reasonMessage: attempt.message }
  switch (attempt.outcome) {
    case 'succeeded':
      return { kind: 'settle', state: 'succeeded', reasonCode: '', reasonMessage: '' }
    case 'cancelled':
      return { kind: 'settle', state: 'cancelled', ...reason }
    case 'refused':
      return context.isCancelRequested
        ? { kind: 'settle', state: 'cancelled', ...reason }
        : { kind: 'requeue' }
    case 'lost':
    case 'superseded':
      return afterLoss(reason, context)
    case 'failed':
    case 'timed_out':
    case 'start_failed':
      return afterFailure(attempt, context)
  }
}

type Reason = { readonly reasonCode: string; readonly reasonMessage: string }

function afterLoss(reason: Reason, context: AttemptContext): Verdict {
  if (context.isCancelRequested) return { kind: 'settle', state: 'cancelled', ...reason }
  if (context.guarantee === 'at_most_once') return { kind: 'settle', state: 'uncertain', ...reason }
  if (context.isGivenUp) return { kind: 'retry', delayMs: 0, counts: 'nothing', ...reason }
  if (context.lostCount + 1 >= LOSSES_MAX) return { kind: 'settle', state: 'failed', ...reason }
  return { kind: 'retry', delayMs: 0, counts: 'loss', ...reason }
}

function afterFailure(attempt: EndedAttempt, context: AttemptContext): Verdict {
  const reason = { reasonCode: attempt.reasonCode, reasonMessage: attempt.message }
  if (context.isCancelRequested) return { kind: 'settle', state: 'cancelled', ...reason }
  const failures = context.failureCount + 1
  const isAllowed =
    context.guarantee !== 'at_most_once' &&
    mayRetry(context.retry, { attempt: failures, exitCode: attempt.exitCode })
  if (!isAllowed) return { kind: 'settle', state: 'failed', ...reason }
  const delayMs = retryDelayMs(context.retry, failures, context.fraction)
  return { kind: 'retry', delayMs, counts: 'failure', ...reason }
}
