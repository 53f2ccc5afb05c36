import { RotaError } from '../../shared/errors/rota-error.ts'

/** Refuses a field that a later release fills: it is never ignored silently. */
export function refuseFeature(field: string, isSet: boolean): void {
  if (!isSet) return
  const message = 'this release does not have it yet'
  throw new RotaError('FEATURE_UNAVAILABLE', `${field}: ${message}`, {
    violations: [{ field, reason: 'FEATURE_UNAVAILABLE', message }],
  })
}
