import { status as codes, Metadata, type ServiceError } from '@grpc/grpc-js'
import { expect, test } from 'vitest'
import {
  type FieldViolation,
  invalidRequest,
  RotaError,
} from '../../../../shared/errors/rota-error.ts'
import {
  fromServiceError,
  toGrpcStatus,
  toRpcStatus,
} from '../../../../shared/errors/rpc-status.ts'

/** What a client is given when the call ends with this status. */
function asServiceError(error: RotaError): ServiceError {
  const { code, details, metadata } = toGrpcStatus(error, 'request-1')
  if (!(metadata instanceof Metadata)) throw new Error('no trailers')
  return Object.assign(new Error(details), { code, details, metadata })
}

test('an error arrives as it left', () => {
  const violations: FieldViolation[] = [
    { field: 'job.spec.schedule', reason: 'CRON_INVALID', message: 'is blank' },
    { field: 'job.labels["a"]', reason: 'FIELD_INVALID', message: 'is odd' },
  ]
  const left = new RotaError('CRON_INVALID', 'wrong', {
    violations,
    hint: 'Mend it.',
    metadata: { path: 'a -> b' },
  })
  const { error, requestId } = fromServiceError(asServiceError(left))
  expect(requestId).toBe('request-1')
  expect(error).toMatchObject({
    reason: 'CRON_INVALID',
    message: 'wrong',
    hint: 'Mend it.',
    violations,
  })
  expect(error.metadata).toEqual({ path: 'a -> b' })
})

test('the hint of a violation travels within its description', () => {
  const violation: FieldViolation = {
    field: 'f',
    reason: 'FIELD_INVALID',
    message: 'is odd',
    hint: 'Mend it.',
  }
  const { error } = fromServiceError(asServiceError(invalidRequest([violation])))
  expect(error.violations[0]?.message).toBe('is odd Hint: Mend it.')
})

test('a status fits in what peers take as trailers, however much is wrong', () => {
  const violations = Array.from(
    { length: 500 },
    (_, index): FieldViolation => ({
      field: `job.tags[${index}]`,
      reason: 'FIELD_INVALID',
      message: `"${'x'.repeat(60)}..." is no tag`,
      hint: 'Use up to 63 letters, digits and . _ - /.',
    }),
  )
  const [first, ...others] = violations
  if (first === undefined) throw new Error('no violations')
  const trailer = toGrpcStatus(invalidRequest([first, ...others]), 'id').metadata
  const bytes = trailer.get('grpc-status-details-bin')[0]
  expect(Buffer.isBuffer(bytes) && (bytes.length * 4) / 3).toBeLessThan(8_192)
})

test('the wire carries the code of the reason', () => {
  expect(toRpcStatus(new RotaError('JOB_NOT_FOUND', 'none'), 'id').code).toBe(codes.NOT_FOUND)
  expect(toRpcStatus(new RotaError('INTERNAL', 'sorry'), 'id').code).toBe(codes.INTERNAL)
})

test.each([
  [codes.UNAVAILABLE, 'UNREACHABLE'],
  [codes.INTERNAL, 'INTERNAL'],
  [codes.CANCELLED, 'INTERNAL'],
])('an error without details and code %i is %s', (code, reason) => {
  const plain = Object.assign(new Error('no connection'), {
    code,
    details: 'no connection',
    metadata: new Metadata(),
  })
  expect(fromServiceError(plain)).toMatchObject({
    error: { reason, message: 'no connection' },
    requestId: undefined,
    status: { code },
  })
})
