/** One comparison of a filter: a field, an operator and a value that fit each other. */
import { nearNames } from '../../shared/near-names.ts'
import { problem, type Scanner, type SyntaxProblem, takeQuoted } from './condition.ts'

/**
 * `text`, `number`, `time`; `oneOf`: words such as states, in any case; `labels`: a map, asked by `labels.team = ops` or
 * `labels:team`; `set`: asked by `capabilities:gpu`.
 */
type FieldType =
  | 'text'
  | 'number'
  | 'time'
  | 'labels'
  | 'set'
  | { readonly oneOf: readonly string[] }

export type Fields = Readonly<Record<string, FieldType>>

type Order = '=' | '!=' | '<' | '<=' | '>' | '>='

/** One comparison; `field` is a key of the fields that the list has. */
export type Comparison = { readonly field: string } & (
  | { readonly type: 'number'; readonly operator: Order; readonly value: number }
  | { readonly type: 'time'; readonly operator: Order; readonly value: Date }
  /** `:` is contains. */
  | { readonly type: 'text'; readonly operator: '=' | '!=' | ':'; readonly value: string }
  /** `value` is spelled as in `oneOf`. */
  | { readonly type: 'oneOf'; readonly operator: '=' | '!='; readonly value: string }
  | {
      readonly type: 'labels'
      readonly key: string
      readonly operator: '=' | '!=' | 'exists'
      /** Blank for exists. */
      readonly value: string
    }
  /** The set contains the value. */
  | { readonly type: 'set'; readonly operator: ':'; readonly value: string }
)

export const FILTER_HINT = 'Write it like state = FAILED AND create_time > "2026-11-01T00:00:00Z".'

/** A field as the text names it: `labels.team` is the key `team` of the field `labels`. */
interface FieldRef {
  readonly field: string
  readonly type: FieldType
  readonly key: string
}

/** An operator and a value as they stand in the text. */
interface Demand {
  readonly operator: string
  readonly operatorAt: number
  readonly value: string
  readonly valueAt: number
}

type Reading = Comparison | SyntaxProblem

export function readComparison(scanner: Scanner, fields: Fields): Reading {
  const fieldAt = scanner.position()
  const name = scanner.take(/[A-Za-z_][\w./-]*/y)
  if (name === undefined) return problem(fieldAt, 'expected a field', { hint: knownFields(fields) })
  const ref = findField(name, fields)
  if (ref === undefined) return unknownField(name, fieldAt, fields)
  const operatorAt = scanner.position()
  const operator = scanner.take(/!=|<=|>=|[=<>:]/y)
  if (operator === undefined) {
    return problem(operatorAt, `expected an operator after ${name.slice(0, 60)}`, {
      hint: FILTER_HINT,
    })
  }
  const valueAt = scanner.position()
  const value = takeQuoted(scanner) ?? scanner.take(/[^\s()"',=<>!]+/y)
  if (value === undefined) {
    return problem(valueAt, `expected a value after ${name.slice(0, 60)} ${operator}`, {
      hint: FILTER_HINT,
    })
  }
  return compare(ref, { operator, operatorAt, value, valueAt })
}

/** What is wrong with a field that the list does not have. */
export function unknownField(name: string, position: number, fields: Fields): SyntaxProblem {
  const near = nearNames(name, Object.keys(fields))
  const hint = near.length === 0 ? knownFields(fields) : `Did you mean ${near.join(' or ')}?`
  return problem(position, `there is no field ${JSON.stringify(name.slice(0, 60))}`, { hint })
}

function knownFields(fields: Fields): string {
  return `Fields are ${Object.keys(fields).join(', ')}.`
}

function findField(name: string, fields: Fields): FieldRef | undefined {
  const whole = Object.hasOwn(fields, name) ? fields[name] : undefined
  if (whole !== undefined) return { field: name, type: whole, key: '' }
  const dot = name.indexOf('.')
  const field = name.slice(0, Math.max(0, dot))
  const key = name.slice(dot + 1)
  const isLabel = Object.hasOwn(fields, field) && fields[field] === 'labels' && key !== ''
  return isLabel ? { field, type: 'labels', key } : undefined
}

function compare(ref: FieldRef, demand: Demand): Reading {
  const { field, type } = ref
  switch (type) {
    case 'text':
      return withOperator(demand, ['=', '!=', ':'], (operator) => ({
        field,
        type,
        operator,
        value: demand.value,
      }))
    case 'set':
      return withOperator(demand, [':'], (operator) => ({
        field,
        type,
        operator,
        value: demand.value,
      }))
    case 'number':
      return withOperator(demand, ORDERS, (operator) => compareNumber(field, operator, demand))
    case 'time':
      return withOperator(demand, ORDERS, (operator) => compareTime(field, operator, demand))
    case 'labels':
      return compareLabel(ref, demand)
    default:
      return withOperator(demand, ['=', '!='], (operator) =>
        compareWord({ field, words: type.oneOf }, operator, demand),
      )
  }
}

const ORDERS = ['=', '!=', '<', '<=', '>', '>='] as const

function withOperator<Operator extends string>(
  demand: Demand,
  allowed: readonly Operator[],
  make: (operator: Operator) => Reading,
): Reading {
  const operator = allowed.find((candidate) => candidate === demand.operator)
  if (operator !== undefined) return make(operator)
  const hint = `Use ${allowed.join(' or ')}.`
  return problem(demand.operatorAt, `the operator ${demand.operator} does not fit the field`, {
    hint,
  })
}

function compareNumber(field: string, operator: Order, { value, valueAt }: Demand): Reading {
  const number = /^-?\d+(\.\d+)?$/.test(value) ? Number(value) : Number.NaN
  if (Number.isFinite(number)) return { field, type: 'number', operator, value: number }
  return wrongValue(valueAt, value, { expected: 'a number', hint: `Write it like ${field} > 3.` })
}

/** RFC 3339, or a day that begins in UTC. */
const TIME = /^\d{4}-\d\d-\d\d(T\d\d:\d\d(:\d\d(\.\d{1,9})?)?(Z|[+-]\d\d:\d\d))?$/i

function compareTime(field: string, operator: Order, { value, valueAt }: Demand): Reading {
  const time = new Date(TIME.test(value) ? value.toUpperCase() : Number.NaN)
  if (!Number.isNaN(time.getTime())) return { field, type: 'time', operator, value: time }
  const hint = `Write it like ${field} > "2026-11-01T00:00:00Z".`
  return wrongValue(valueAt, value, { expected: 'a time', hint })
}

interface WordField {
  readonly field: string
  readonly words: readonly string[]
}

function compareWord(
  { field, words }: WordField,
  operator: '=' | '!=',
  { value, valueAt }: Demand,
): Reading {
  const word = words.find((candidate) => candidate.toLowerCase() === value.toLowerCase())
  if (word !== undefined) return { field, type: 'oneOf', operator, value: word }
  const [near] = nearNames(value, words)
  const hint = near === undefined ? `Use ${words.join(', ')}.` : `Did you mean ${near}?`
  return wrongValue(valueAt, value, { expected: `a ${field}`, hint })
}

function compareLabel({ field, key }: FieldRef, demand: Demand): Reading {
  if (key === '') {
    return withOperator(demand, [':'], () => label(field, demand.value, 'exists'))
  }
  return withOperator(demand, ['=', '!=', ':'], (operator) => {
    if (operator === ':' && demand.value === '*') return label(field, key, 'exists')
    return { ...label(field, key, operator === '!=' ? '!=' : '='), value: demand.value }
  })
}

function label(field: string, key: string, operator: '=' | '!=' | 'exists') {
  return { field, type: 'labels', key, operator, value: '' } as const
}

function wrongValue(
  position: number,
  value: string,
  { expected, hint }: { readonly expected: string; readonly hint: string },
): SyntaxProblem {
  return problem(position, `${JSON.stringify(value.slice(0, 60))} is not ${expected}`, { hint })
}
