import { describe, expect, test } from 'vitest'
import { ExecutionState } from '../../../proto/gen/rota/v1/execution.ts'
import { RotaError } from '../../../shared/errors/rota-error.ts'
import {
  enumFromWord,
  parseResourceName,
  resourceName,
  wordFromEnum,
} from '../../../shared/wire.ts'

describe('resource names', () => {
  test('are made and taken apart', () => {
    expect(resourceName('jobs', 'billing.nightly')).toBe('jobs/billing.nightly')
    expect(parseResourceName('jobs', 'jobs/billing.nightly', 'name')).toBe('billing.nightly')
  })

  test.each([
    ['', 'FIELD_REQUIRED'],
    ['backup', 'NAME_INVALID'],
    ['jobs/', 'NAME_INVALID'],
    ['jobs/a/b', 'NAME_INVALID'],
    ['workers/a', 'NAME_INVALID'],
    [`x${'y'.repeat(10_000)}`, 'NAME_INVALID'],
  ])('%j is refused as %s', (name, reason) => {
    const refuse = () => parseResourceName('jobs', name, 'job.name')
    expect(refuse).toThrow(RotaError)
    try {
      refuse()
    } catch (error) {
      expect(error).toMatchObject({ reason, violations: [{ field: 'job.name', reason }] })
      expect((error as RotaError).message.length).toBeLessThan(300)
    }
  })
})

describe('enum words', () => {
  test('are the names in lower case, both ways', () => {
    expect(enumFromWord(ExecutionState, 'queued')).toBe(ExecutionState.QUEUED)
    expect(wordFromEnum(ExecutionState, ExecutionState.QUEUED)).toBe('queued')
  })

  test('an unknown word is a programmer mistake', () => {
    expect(() => enumFromWord(ExecutionState, 'lost')).toThrow(TypeError)
  })

  test.each([0, -1, 99])('%i has no word', (value) => {
    expect(wordFromEnum(ExecutionState, value)).toBeUndefined()
  })
})
