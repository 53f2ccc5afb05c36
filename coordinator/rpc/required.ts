import { RotaError } from '../../shared/errors/rota-error.ts'

/** A request without a field that it must have. */
export function required(field: string): RotaError {
  const violations = [{ field, reason: 'FIELD_REQUIRED' as const, message: 'is missing' }]
  return new RotaError('FIELD_REQUIRED', `${field}: is missing`, { violations })
}
