/** How many executions of a job may live at once, and what becomes of more. */
import { type Concurrency, Concurrency_Overlap } from '../../proto/gen/rota/v1/job.ts'
import {
  checkEnum,
  checkInteger,
  refuseFeature,
  refuseUnless,
} from '../../shared/errors/check-field.ts'
import type { FieldViolation } from '../../shared/errors/rota-error.ts'

const AT_ONCE_MAX = 1_000

export function validateConcurrency(
  field: string,
  concurrency: Concurrency | undefined,
): FieldViolation[] {
  if (concurrency === undefined) return []
  const { max, key, maxPerKey, overlap, rate, ratePeriod } = concurrency
  const isCancelling = overlap === Concurrency_Overlap.CANCEL_RUNNING
  return [
    ...checkInteger(`${field}.max`, max, { min: 0, max: AT_ONCE_MAX }),
    ...checkEnum(`${field}.overlap`, overlap, Concurrency_Overlap),
    ...refuseUnless(!isCancelling || max <= 1, `${field}.max`, {
      message: 'CANCEL_RUNNING lets one execution live at a time',
      hint: 'Leave out max, or choose SKIP, QUEUE_ONE or QUEUE_ALL.',
    }),
    ...refuseFeature(key !== '', `${field}.key`, 'A concurrency key'),
    ...refuseFeature(maxPerKey !== 0, `${field}.max_per_key`, 'A concurrency key'),
    ...refuseFeature(rate !== 0, `${field}.rate`, 'A rate of starts'),
    ...refuseFeature(ratePeriod !== undefined, `${field}.rate_period`, 'A rate of starts'),
  ]
}
