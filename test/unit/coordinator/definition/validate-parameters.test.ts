import { describe, expect, test } from 'vitest'
import {
  readParameters,
  validateParameters,
} from '../../../../coordinator/definition/validate-parameters.ts'
import { Parameter, Parameter_Kind } from '../../../../proto/gen/rota/v1/job.ts'
import { job, wrongs } from './a-job.ts'

const { STRING, INTEGER, BOOLEAN, DATE, JSON: JSON_KIND } = Parameter_Kind

function parameter(name: string, rest: Partial<Parameter> = {}): Parameter {
  return { ...Parameter.fromPartial({ name }), ...rest }
}

describe('a declaration', () => {
  test.each([
    [parameter('day', { kind: DATE, default: '2028-02-29' })],
    [parameter('_Count9', { kind: INTEGER, default: '-12', choices: ['-12', '7'] })],
    [parameter('dry', { kind: BOOLEAN, default: 'false' })],
    [parameter('shape', { kind: JSON_KIND, default: '{"a":[1,null]}' })],
    [parameter('free', { kind: Parameter_Kind.UNSPECIFIED, default: 'anything', required: true })],
  ])('%o is right', (declared) => {
    expect(wrongs(job({ parameters: [declared] }))).toEqual([])
  })

  test.each([
    [parameter(''), 'name FIELD_REQUIRED: is missing'],
    [parameter('a-b'), 'name FIELD_INVALID: "a-b" is no parameter name'],
    [parameter('9a'), 'name FIELD_INVALID: "9a" is no parameter name'],
    [
      parameter('a', { kind: 99 as never }),
      'kind FIELD_INVALID: 99 is not a value of this release',
    ],
    [
      parameter('a', { kind: INTEGER, default: '1.5' }),
      'default FIELD_INVALID: "1.5" is not a whole number such as 42',
    ],
    [
      parameter('a', { kind: INTEGER, default: '9007199254740993' }),
      'default FIELD_INVALID: "9007199254740993" is not a whole number such as 42',
    ],
    [
      parameter('a', { kind: BOOLEAN, default: 'yes' }),
      'default FIELD_INVALID: "yes" is not true or false',
    ],
    [
      parameter('a', { kind: DATE, default: '2026-02-29' }),
      'default FIELD_INVALID: "2026-02-29" is not a date such as 2026-11-20',
    ],
    [
      parameter('a', { kind: DATE, default: '2026-2-9' }),
      'default FIELD_INVALID: "2026-2-9" is not a date such as 2026-11-20',
    ],
    [
      parameter('a', { choices: Array.from({ length: 101 }, (_, index) => `c${index}`) }),
      'choices FIELD_TOO_LONG: has 101 entries, more than 100',
    ],
    [
      parameter('a', { kind: JSON_KIND, default: '{' }),
      'default FIELD_INVALID: "{" is not JSON, nested at most 32 deep',
    ],
    [
      parameter('a', { kind: JSON_KIND, default: '[1e999]' }),
      'default FIELD_INVALID: "[1e999]" is not JSON, nested at most 32 deep',
    ],
    [
      parameter('a', { choices: ['x', 'y'], default: 'z' }),
      'default FIELD_INVALID: "z" is not one of the choices',
    ],
    [
      parameter('a', { choices: ['x', 'x'] }),
      'choices[1] FIELD_INVALID: "x" is in the list already',
    ],
    [
      parameter('a', { kind: INTEGER, choices: ['1', 'b'] }),
      'choices[1] FIELD_INVALID: "b" is not a whole number such as 42',
    ],
    [
      parameter('a', { default: 'x'.repeat(16_385) }),
      'default FIELD_TOO_LONG: is longer than 16 KiB',
    ],
    [
      parameter('a', { description: 'x'.repeat(4_097) }),
      'description FIELD_TOO_LONG: is longer than 4 KiB',
    ],
  ])('%o is not', (declared, wrong) => {
    expect(wrongs(job({ parameters: [declared] }))).toEqual([`job.spec.parameters[0].${wrong}`])
  })

  test('names differ by more than capitals, for they become environment variables', () => {
    expect(wrongs(job({ parameters: [parameter('day'), parameter('DAY')] }))).toEqual([
      'job.spec.parameters[1].name FIELD_INVALID: "DAY" is declared already, but for capitals',
    ])
  })

  test('there are at most 64', () => {
    const parameters = Array.from({ length: 65 }, (_, index) => parameter(`p${index}`))
    expect(wrongs(job({ parameters }))).toEqual([
      'job.spec.parameters FIELD_TOO_LONG: has 65 entries, more than 64',
    ])
  })
})

describe('the values of a trigger', () => {
  const declared = [
    parameter('day', { kind: DATE, required: true }),
    parameter('count', { kind: INTEGER, choices: ['1', '2'] }),
    parameter('dry', { kind: BOOLEAN, required: true, default: 'false' }),
    parameter('shape', { kind: JSON_KIND }),
    parameter('note', { kind: STRING, choices: ['a', 'b'] }),
  ]
  const day = '2026-11-20'

  function check(values: Record<string, unknown>): string[] {
    return validateParameters(declared, values).map(({ field, reason, message, hint }) =>
      `${field} ${reason}: ${message} ${hint ?? ''}`.trim(),
    )
  }

  test('of the right kinds are right, as they are or as text', () => {
    expect(check({ day, count: 1, dry: true, shape: [1], note: 'a' })).toEqual([])
    expect(check({ day, count: '2', dry: 'false', shape: '{"a":1}' })).toEqual([])
    expect(check({ day, shape: null })).toEqual([])
  })

  test('are read as their kinds', () => {
    const values = { day, count: '2', dry: 'true', shape: '{"a":1}', note: '2' }
    expect(readParameters(declared, values)).toEqual({
      day,
      count: 2,
      dry: true,
      shape: { a: 1 },
      note: '2',
    })
  })

  test.each([
    [{}, 'parameters["day"] FIELD_REQUIRED: is missing'],
    [
      { day, dya: 1 },
      'parameters["dya"] FIELD_INVALID: the job has no such parameter Did you mean day, dry?',
    ],
    [
      { day, other: 1 },
      'parameters["other"] FIELD_INVALID: the job has no such parameter It has day, count, dry, shape, note.',
    ],
    [
      { day, toString: 1 },
      'parameters["toString"] FIELD_INVALID: the job has no such parameter It has day, count, dry, shape, note.',
    ],
    [{ day: 5 }, 'parameters["day"] FIELD_INVALID: "5" is not a date such as 2026-11-20'],
    [{ day: null }, 'parameters["day"] FIELD_INVALID: "null" is not a date such as 2026-11-20'],
    [
      { day, count: 1.5 },
      'parameters["count"] FIELD_INVALID: "1.5" is not a whole number such as 42',
    ],
    [{ day, count: '' }, 'parameters["count"] FIELD_INVALID: "" is not a whole number such as 42'],
    [
      { day, count: 3 },
      'parameters["count"] FIELD_INVALID: "3" is not one of the choices Use 1, 2.',
    ],
    [{ day, dry: 'no' }, 'parameters["dry"] FIELD_INVALID: "no" is not true or false'],
    [
      { day, shape: '{' },
      'parameters["shape"] FIELD_INVALID: "{" is not JSON, nested at most 32 deep',
    ],
    [
      { day, note: 'c' },
      'parameters["note"] FIELD_INVALID: "c" is not one of the choices Use a, b.',
    ],
    [{ day, note: 1 }, 'parameters["note"] FIELD_INVALID: "1" is not a text'],
    [
      { day, shape: { a: Infinity } },
      'parameters["shape"]["a"] FIELD_INVALID: Infinity has no place in JSON',
    ],
    [{ day, shape: 'x'.repeat(70_000) }, 'parameters FIELD_TOO_LONG: is longer than 64 KiB'],
  ])('%o are not', (values, wrong) => {
    expect(check(values)).toEqual([wrong])
  })

  test('of a job without parameters are not there', () => {
    expect(validateParameters([], { a: 1 })[0]?.hint).toBe('The job has no parameters.')
    expect(validateParameters([], {})).toEqual([])
  })
})
