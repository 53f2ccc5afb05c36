/** Typed inputs: their declaration in a job, and the values that a trigger gives. */
import { type Parameter, Parameter_Kind } from '../../proto/gen/rota/v1/job.ts'
import {
  checkCount,
  checkEnum,
  checkLength,
  checkRepeats,
  didYouMean,
  entryPath,
  refuseUnless,
  show,
  violation,
} from '../../shared/errors/check-field.ts'
import type { FieldViolation } from '../../shared/errors/rota-error.ts'
import { nearNames } from '../../shared/near-names.ts'
import { validateStruct } from './validate-struct.ts'

type Values = Readonly<Record<string, unknown>>

const PARAMETERS_MAX = 64
const CHOICES_MAX = 100
const TEXT_BYTES_MAX = 16 * 1_024
const DESCRIPTION_BYTES_MAX = 4 * 1_024

const NAME = /^[A-Za-z_]\w{0,62}$/

export function validateParameterDeclarations(
  field: string,
  parameters: readonly Parameter[],
): FieldViolation[] {
  // They become ROTA_PARAM_<NAME> in capitals.
  const names = parameters.map(({ name }) => name.toUpperCase())
  return [
    ...checkCount(field, parameters, PARAMETERS_MAX),
    ...parameters.slice(0, PARAMETERS_MAX).flatMap((parameter, index) => {
      const path = `${field}[${index}]`
      return [
        ...refuseUnless(names.indexOf(names[index] ?? '') === index, `${path}.name`, {
          message: `${show(parameter.name)} is declared already, but for capitals`,
        }),
        ...validateDeclaration(path, parameter),
      ]
    }),
  ]
}

function validateDeclaration(path: string, parameter: Parameter): FieldViolation[] {
  const { name, kind, choices } = parameter
  return [
    ...refuseUnless(NAME.test(name), `${path}.name`, {
      reason: name === '' ? 'FIELD_REQUIRED' : 'FIELD_INVALID',
      message: name === '' ? 'is missing' : `${show(name)} is no parameter name`,
      hint: 'Use up to 63 letters, digits and _, no digit first.',
    }),
    ...checkEnum(`${path}.kind`, kind, Parameter_Kind),
    ...checkLength(`${path}.description`, parameter.description, DESCRIPTION_BYTES_MAX),
    ...checkCount(`${path}.choices`, choices, CHOICES_MAX),
    ...checkRepeats(`${path}.choices`, choices.slice(0, CHOICES_MAX)),
    ...choices
      .slice(0, CHOICES_MAX)
      .flatMap((choice, index) => checkText(`${path}.choices[${index}]`, choice, kind)),
    ...validateDefault(`${path}.default`, parameter),
  ]
}

function validateDefault(path: string, parameter: Parameter): FieldViolation[] {
  const { kind, choices, default: text } = parameter
  if (text === '') return []
  const wrong = checkText(path, text, kind)
  if (wrong.length > 0 || choices.length === 0) return wrong
  return refuseUnless(choices.includes(text), path, {
    message: `${show(text)} is not one of the choices`,
  })
}

/** A value written as text must read as its kind. */
function checkText(path: string, text: string, kind: Parameter_Kind): FieldViolation[] {
  const tooLong = checkLength(path, text, TEXT_BYTES_MAX)
  if (tooLong.length > 0 || readAs(text, kind) !== undefined) return tooLong
  return [wrongKind(path, text, kind)]
}

/** What is wrong with the values of a trigger; paths begin with `parameters`. */
export function validateParameters(
  parameters: readonly Parameter[],
  values: Values,
): FieldViolation[] {
  const wrong = validateStruct('parameters', values)
  if (wrong.length > 0) return wrong
  const known = new Map(parameters.map((parameter) => [parameter.name, parameter]))
  const missing = parameters.filter(
    ({ name, required, default: text }) => required && text === '' && !Object.hasOwn(values, name),
  )
  return [
    ...missing.map(({ name }) =>
      violation(entryPath('parameters', name), { reason: 'FIELD_REQUIRED', message: 'is missing' }),
    ),
    ...Object.entries(values).flatMap(([name, value]) => {
      const parameter = known.get(name)
      return parameter === undefined
        ? [unknownParameter(name, [...known.keys()])]
        : checkValue(entryPath('parameters', name), value, parameter)
    }),
  ]
}

/** The values as their kinds: the text `5` of an INTEGER is the number. Only for values that validateParameters passed. */
export function readParameters(
  parameters: readonly Parameter[],
  values: Values,
): Record<string, unknown> {
  const kinds = new Map(parameters.map(({ name, kind }) => [name, kind]))
  return Object.fromEntries(
    Object.entries(values).map(([name, value]) => [
      name,
      readAs(value, kinds.get(name) ?? Parameter_Kind.STRING),
    ]),
  )
}

function checkValue(path: string, value: unknown, parameter: Parameter): FieldViolation[] {
  const { kind, choices } = parameter
  const read = readAs(value, kind)
  if (read === undefined) return [wrongKind(path, value, kind)]
  const text = typeof read === 'string' ? read : JSON.stringify(read)
  const isChoice =
    choices.length === 0 ||
    choices.some((choice) => choice === text || JSON.stringify(readAs(choice, kind)) === text)
  return refuseUnless(isChoice, path, {
    message: `${show(text)} is not one of the choices`,
    hint: `Use ${choices.slice(0, 10).join(', ')}.`,
  })
}

function unknownParameter(name: string, known: readonly string[]): FieldViolation {
  const all =
    known.length === 0 ? 'The job has no parameters.' : `It has ${known.slice(0, 10).join(', ')}.`
  return violation(entryPath('parameters', name), {
    message: 'the job has no such parameter',
    hint: didYouMean(nearNames(name, known)) ?? all,
  })
}

/** The value as its kind; a text that reads as the kind will do, for shells know no other type. Undefined: it is not. */
function readAs(value: unknown, kind: Parameter_Kind): unknown {
  switch (kind) {
    case Parameter_Kind.INTEGER:
      return readInteger(value)
    case Parameter_Kind.BOOLEAN:
      if (typeof value === 'boolean') return value
      return value === 'true' || value === 'false' ? value === 'true' : undefined
    case Parameter_Kind.DATE:
      return typeof value === 'string' && isDate(value) ? value : undefined
    case Parameter_Kind.JSON:
      return typeof value === 'string' ? readJson(value) : value
    default:
      return typeof value === 'string' ? value : undefined
  }
}

function readInteger(value: unknown): number | undefined {
  const isText = typeof value === 'string' && /^-?\d{1,16}$/.test(value)
  const number = isText ? Number(value) : value
  return Number.isSafeInteger(number) ? (number as number) : undefined
}

/** A day of the calendar: `2026-02-29` is none. */
function isDate(text: string): boolean {
  if (!/^\d{4}-\d\d-\d\d$/.test(text)) return false
  const day = new Date(`${text}T00:00:00Z`)
  return !Number.isNaN(day.getTime()) && day.toISOString().startsWith(text)
}

function readJson(text: string): unknown {
  try {
    const value: unknown = JSON.parse(text)
    return validateStruct('', { value }).length === 0 ? value : undefined
  } catch {
    return undefined
  }
}

const KIND_HINTS: Readonly<Record<Parameter_Kind, string>> = {
  [Parameter_Kind.UNSPECIFIED]: 'a text',
  [Parameter_Kind.STRING]: 'a text',
  [Parameter_Kind.INTEGER]: 'a whole number such as 42',
  [Parameter_Kind.BOOLEAN]: 'true or false',
  [Parameter_Kind.DATE]: 'a date such as 2026-11-20',
  [Parameter_Kind.JSON]: 'JSON, nested at most 32 deep',
  [Parameter_Kind.UNRECOGNIZED]: 'a text',
}

function wrongKind(path: string, value: unknown, kind: Parameter_Kind): FieldViolation {
  const text = typeof value === 'string' ? value : (JSON.stringify(value) ?? '')
  return violation(path, { message: `${show(text)} is not ${KIND_HINTS[kind] ?? 'a text'}` })
}
