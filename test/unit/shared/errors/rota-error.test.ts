import { expect, test } from 'vitest'
import { CATALOGUE } from '../../../../shared/errors/catalogue.ts'
import {
  type FieldViolation,
  invalidRequest,
  RotaError,
  refuseViolations,
} from '../../../../shared/errors/rota-error.ts'

const CRON: FieldViolation = {
  field: 'job.spec.schedule',
  reason: 'CRON_INVALID',
  message: 'is blank',
}
const LABEL: FieldViolation = {
  field: 'job.labels',
  reason: 'FIELD_INVALID',
  message: 'is odd',
  hint: 'Mend it.',
}

test('an error has the code and the hint of its reason, unless it has a better one', () => {
  const error = new RotaError('JOB_NOT_FOUND', 'there is no job x')
  expect(error.code).toBe('NOT_FOUND')
  expect(error.hint).toBe(CATALOGUE.JOB_NOT_FOUND.hint)
  expect(new RotaError('JOB_NOT_FOUND', 'none', { hint: 'Did you mean y?' }).hint).toBe(
    'Did you mean y?',
  )
})

test('it keeps its cause', () => {
  const cause = new Error('socket closed')
  expect(new RotaError('DATABASE_UNAVAILABLE', 'away', { cause }).cause).toBe(cause)
  expect('cause' in new RotaError('DATABASE_UNAVAILABLE', 'away')).toBe(false)
})

test('several violations make one error: the first gives the reason, all travel along', () => {
  const error = invalidRequest([LABEL, CRON])
  expect(error.reason).toBe('FIELD_INVALID')
  expect(error.message).toBe('job.labels: is odd (and 1 more)')
  expect(error.hint).toBe('Mend it.')
  expect(error.violations).toEqual([LABEL, CRON])
  expect(invalidRequest([CRON]).hint).toBe(CATALOGUE.CRON_INVALID.hint)
})

test('without violations nothing is refused', () => {
  expect(() => refuseViolations([])).not.toThrow()
  expect(() => refuseViolations([CRON])).toThrow('job.spec.schedule: is blank')
})
