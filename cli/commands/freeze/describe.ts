/** A freeze in words. */
import { type Freeze, Freeze_After } from '../../../proto/gen/rota/v1/freeze_service.ts'
import { word } from '../../words.ts'

/** `all jobs`, `billing.*, team = payments`. */
export function describeScope({ jobPrefix, selector }: Freeze): string {
  const parts = [jobPrefix === '' ? '' : `${jobPrefix}*`, selector]
  return parts.filter((part) => part !== '').join(', ') || 'all jobs'
}

/** `run_once`. */
export function describeAfter({ after }: Freeze): string {
  return word(Freeze_After, after)
}
