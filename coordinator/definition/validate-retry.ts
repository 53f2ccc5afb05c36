/** Whether and when a failed attempt is tried again. */
import {
  Guarantee,
  type RetryPolicy,
  RetryPolicy_Kind,
  RetryPolicy_Where,
} from '../../proto/gen/rota/v1/job.ts'
import { durationToMs } from '../../shared/duration.ts'
import {
  checkCount,
  checkDuration,
  checkEnum,
  checkInteger,
  checkRepeats,
  refuseFeature,
  refuseUnless,
} from '../../shared/errors/check-field.ts'
import type { FieldViolation } from '../../shared/errors/rota-error.ts'

const RETRIES_MAX = 100
const MULTIPLIER_MAX = 100
const EXIT_CODES_MAX = 256

export function validateRetry(
  field: string,
  policy: RetryPolicy | undefined,
  guarantee: Guarantee,
): FieldViolation[] {
  if (policy === undefined) return []
  const { kind } = policy
  const isRetrying = kind === RetryPolicy_Kind.FIXED || kind === RetryPolicy_Kind.EXPONENTIAL
  const isElsewhere =
    policy.where === RetryPolicy_Where.SAME_WORKER ||
    policy.where === RetryPolicy_Where.OTHER_WORKER
  return [
    ...checkEnum(`${field}.kind`, kind, RetryPolicy_Kind),
    ...checkEnum(`${field}.where`, policy.where, RetryPolicy_Where),
    ...refuseFeature(isElsewhere, `${field}.where`, 'Choosing the worker of a retry'),
    ...refuseUnless(!isRetrying || guarantee !== Guarantee.AT_MOST_ONCE, `${field}.kind`, {
      message: 'an execution that runs at most once is never tried again',
      hint: 'Leave out retry, or choose another guarantee.',
    }),
    ...(isRetrying ? validateRetrying(field, policy) : validateNone(field, policy)),
  ]
}

function validateRetrying(field: string, policy: RetryPolicy): FieldViolation[] {
  const { finalExitCodes } = policy
  return [
    ...checkInteger(`${field}.max_retries`, policy.maxRetries, { min: 1, max: RETRIES_MAX }),
    ...checkDuration(`${field}.delay`, policy.delay, 0),
    ...checkDuration(`${field}.max_delay`, policy.maxDelay, 0),
    ...validateGrowth(field, policy),
    ...refuseUnless(policy.jitter >= 0 && policy.jitter <= 1, `${field}.jitter`, {
      message: `${policy.jitter} is not from 0 to 1`,
    }),
    ...checkCount(`${field}.final_exit_codes`, finalExitCodes, EXIT_CODES_MAX),
    ...checkRepeats(
      `${field}.final_exit_codes`,
      finalExitCodes.slice(0, EXIT_CODES_MAX).map(String),
    ),
    ...finalExitCodes
      .slice(0, EXIT_CODES_MAX)
      .flatMap((code, index) =>
        checkInteger(`${field}.final_exit_codes[${index}]`, code, { min: 1, max: 255 }),
      ),
  ]
}

function validateGrowth(field: string, policy: RetryPolicy): FieldViolation[] {
  const { multiplier, delay, maxDelay } = policy
  if (policy.kind === RetryPolicy_Kind.FIXED) {
    const message = 'has no meaning for a fixed delay'
    const hint = 'Choose EXPONENTIAL for growing delays.'
    return [
      ...refuseUnless(multiplier === 0, `${field}.multiplier`, { message, hint }),
      ...refuseUnless(maxDelay === undefined, `${field}.max_delay`, { message, hint }),
    ]
  }
  const isOrdered =
    delay === undefined || maxDelay === undefined || durationToMs(delay) <= durationToMs(maxDelay)
  const isGrowing = multiplier === 0 || (multiplier >= 1 && multiplier <= MULTIPLIER_MAX)
  return [
    ...refuseUnless(isOrdered, `${field}.max_delay`, { message: 'is shorter than delay' }),
    ...refuseUnless(isGrowing, `${field}.multiplier`, {
      message: `${multiplier} is not from 1 to ${MULTIPLIER_MAX}`,
    }),
  ]
}

/** Without a kind that retries, everything else would be ignored silently. */
function validateNone(field: string, policy: RetryPolicy): FieldViolation[] {
  const isBlank =
    policy.maxRetries === 0 &&
    policy.delay === undefined &&
    policy.maxDelay === undefined &&
    policy.multiplier === 0 &&
    policy.jitter === 0 &&
    policy.finalExitCodes.length === 0
  return refuseUnless(isBlank, `${field}.kind`, {
    message: 'does not retry, so the other fields have no effect',
    hint: 'Choose FIXED or EXPONENTIAL.',
  })
}
