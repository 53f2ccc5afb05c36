import { expect, test } from 'vitest'
import {
  CATALOGUE,
  ERROR_CODES,
  type ErrorReason,
  errorDocs,
  isErrorReason,
} from '../../../../shared/errors/catalogue.ts'

const REASONS = Object.keys(CATALOGUE) as ErrorReason[]

test.each(REASONS)('%s says in whole sentences what happened and what to do', (reason) => {
  const { code, title, hint } = CATALOGUE[reason]
  expect(reason).toMatch(/^[A-Z]+(_[A-Z0-9]+)*$/)
  expect(ERROR_CODES[code]).toBeDefined()
  expect(title).toMatch(/^[A-Z].*\.$/s)
  expect(hint).toMatch(/^[A-Z].*[.?]$/s)
})

test('the codes are the numbers of gRPC, each once', () => {
  const numbers = Object.values(ERROR_CODES).map(({ grpc }) => grpc)
  expect(new Set(numbers).size).toBe(numbers.length)
  expect(numbers.every((number) => number >= 1 && number <= 16)).toBe(true)
})

test('only reasons of the catalogue are reasons', () => {
  expect(isErrorReason('JOB_NOT_FOUND')).toBe(true)
  expect(isErrorReason('job_not_found')).toBe(false)
  expect(isErrorReason('toString')).toBe(false)
})

test('the docs page of a reason is its own', () => {
  expect(errorDocs('JOB_NOT_FOUND')).toBe('docs/errors.md#job_not_found')
  expect(new Set(REASONS.map(errorDocs)).size).toBe(REASONS.length)
})
