import { CATALOGUE, type ErrorReason } from './catalogue.ts'
import type { ErrorCode } from './catalogue-entry.ts'

/** One field of a request and what is wrong with it. `field` is its path, e.g. `job.spec.schedule.recurrences[0].cron`. */
export interface FieldViolation {
  readonly field: string
  readonly reason: ErrorReason
  readonly message: string
  /** What to do; default is the hint of the reason. */
  readonly hint?: string
}

export interface RotaErrorOptions {
  readonly hint?: string
  readonly violations?: readonly FieldViolation[]
  /** Shown to clients, e.g. the path of a cycle. Never secrets. */
  readonly metadata?: Readonly<Record<string, string>>
  /** The same call may go better after this, in ms. */
  readonly retryAfterMs?: number
  readonly cause?: unknown
}

/** The one exception class: what a caller may see, with its reason from the catalogue. */
export class RotaError extends Error {
  readonly reason: ErrorReason
  readonly hint: string
  readonly violations: readonly FieldViolation[]
  readonly metadata: Readonly<Record<string, string>>
  readonly retryAfterMs: number | undefined

  constructor(reason: ErrorReason, message: string, options: RotaErrorOptions = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause })
    this.name = 'RotaError'
    this.reason = reason
    this.hint = options.hint ?? CATALOGUE[reason].hint
    this.violations = options.violations ?? []
    this.metadata = options.metadata ?? {}
    this.retryAfterMs = options.retryAfterMs
  }

  get code(): ErrorCode {
    return CATALOGUE[this.reason].code
  }
}

/** One error for a request with wrong fields: the first violation gives the reason, all of them travel along. */
export function invalidRequest(
  violations: readonly [FieldViolation, ...FieldViolation[]],
): RotaError {
  const [first, ...others] = violations
  const more = others.length === 0 ? '' : ` (and ${others.length} more)`
  return new RotaError(first.reason, `${first.field}: ${first.message}${more}`, {
    hint: first.hint ?? CATALOGUE[first.reason].hint,
    violations,
  })
}

/** Throws `invalidRequest` when there is any violation. */
export function refuseViolations(violations: readonly FieldViolation[]): void {
  const [first, ...others] = violations
  if (first !== undefined) throw invalidRequest([first, ...others])
}
