/** Filters and orders of lists: a subset of AIP-160 and AIP-132, checked against the fields that a list has. */
import {
  type Comparison,
  FILTER_HINT,
  type Fields,
  readComparison,
  unknownField,
} from './comparison.ts'
import { type Condition, parseCondition, problem, type SyntaxProblem } from './condition.ts'

export type { Comparison, Fields } from './comparison.ts'

export type Filter = Condition<Comparison>

export type FilterReading =
  | { readonly kind: 'ok'; readonly filter: Filter | undefined }
  | SyntaxProblem

/** Longest filter, in characters. */
const FILTER_LENGTH_MAX = 4_000

/** Reads a filter; blank is undefined. Never throws. */
export function parseFilter(text: string, fields: Fields): FilterReading {
  const filter = parseCondition<Comparison>(text, {
    lengthMax: FILTER_LENGTH_MAX,
    hint: FILTER_HINT,
    readTerm: (scanner) => readComparison(scanner, fields),
  })
  return filter?.kind === 'error' ? filter : { kind: 'ok', filter }
}

export interface OrderKey {
  readonly field: string
  readonly isDescending: boolean
}

export type OrderReading =
  | { readonly kind: 'ok'; readonly order: readonly OrderKey[] }
  | SyntaxProblem

/** Most fields of an order. */
const ORDER_KEYS_MAX = 5

/** Reads `create_time desc, name` over the fields that the list can be sorted by; blank is empty. Never throws. */
export function parseOrderBy(text: string, fields: Fields): OrderReading {
  if (text.trim() === '') return { kind: 'ok', order: [] }
  const order: OrderKey[] = []
  let position = 1
  for (const part of text.split(',', ORDER_KEYS_MAX + 1)) {
    const at = position + part.length - part.trimStart().length
    const key = readOrderKey(part.trim(), at, fields)
    if ('kind' in key) return key
    const hint = `Name each field once, at most ${ORDER_KEYS_MAX}.`
    if (order.length === ORDER_KEYS_MAX) return problem(at, 'names too many fields', { hint })
    if (order.some(({ field }) => field === key.field)) {
      return problem(at, `names ${key.field} twice`, { hint })
    }
    order.push(key)
    position += part.length + 1
  }
  return { kind: 'ok', order }
}

function readOrderKey(text: string, position: number, fields: Fields): OrderKey | SyntaxProblem {
  const [field = '', direction = 'asc', ...others] = text.split(/\s+/)
  if (!/^(asc|desc)$/i.test(direction) || others.length > 0) {
    const message = `expected asc, desc or a comma after ${field.slice(0, 60)}`
    return problem(position, message, { hint: 'Write it like create_time desc, name.' })
  }
  if (Object.hasOwn(fields, field)) {
    return { field, isDescending: direction.toLowerCase() === 'desc' }
  }
  return unknownField(field, position, fields)
}
