/**
 * Texts and times of any request, before anything looks at what they mean: PostgreSQL stores neither NUL nor broken
 * Unicode, and a time is from the years that google.protobuf.Timestamp has, 0001 to 9999.
 * Walks what ts-proto decoded without knowing its type.
 */
import type { FieldViolation } from '../../shared/errors/rota-error.ts'

const VIOLATIONS_MAX = 20
const DEPTH_MAX = 64
const TEXT_BYTES_MAX = 256 * 1_024
const TIME_MS_MIN = Date.parse('0001-01-01T00:00:00Z')
const TIME_MS_MAX = Date.parse('9999-12-31T23:59:59.999Z')

/** Fields whose keys are the caller's own: maps and google.protobuf.Struct. A test compares them with the contract. */
export const MAP_FIELDS: ReadonlySet<string> = new Set([
  'details',
  'env',
  'headers',
  'labels',
  'outputs',
  'parameters',
  'payload',
])

interface Place {
  readonly path: string
  readonly depth: number
  /** Keys from here on are data, not field names of the contract. */
  readonly isData: boolean
}

/** At most 20 violations, with the paths of the contract, e.g. `job.labels["team"]`. */
export function checkText(request: unknown): FieldViolation[] {
  const violations: FieldViolation[] = []
  visit(violations, request, { path: '', depth: 0, isData: false })
  return violations.slice(0, VIOLATIONS_MAX)
}

function visit(violations: FieldViolation[], value: unknown, place: Place): void {
  if (violations.length >= VIOLATIONS_MAX) return
  if (typeof value === 'string') violations.push(...checkOne(value, place.path))
  if (value instanceof Date) violations.push(...checkTime(value, place.path))
  if (typeof value !== 'object' || value === null || ArrayBuffer.isView(value)) return
  if (place.depth >= DEPTH_MAX) {
    const message = `is nested deeper than ${DEPTH_MAX}`
    violations.push({ field: place.path, reason: 'FIELD_INVALID', message })
  } else if (Array.isArray(value)) {
    for (const [index, item] of value.entries()) {
      visit(violations, item, below(place, `${place.path}[${index}]`))
    }
  } else {
    visitFields(violations, value, place)
  }
}

function visitFields(violations: FieldViolation[], value: object, place: Place): void {
  for (const [key, item] of Object.entries(value)) {
    if (place.isData) {
      const path = `${place.path}[${JSON.stringify(key.slice(0, 100))}]`
      violations.push(...checkOne(key, path))
      visit(violations, item, below(place, path))
    } else if (MAP_FIELDS.has(key) && !Array.isArray(item)) {
      visit(violations, item, { ...below(place, join(place.path, key)), isData: true })
    } else if (isOneof(item)) {
      visit(violations, item.value, below(place, join(place.path, item.$case)))
    } else {
      visit(violations, item, below(place, join(place.path, key)))
    }
  }
}

function checkOne(text: string, field: string): FieldViolation[] {
  if (text.includes('\0')) {
    return [{ field, reason: 'TEXT_INVALID', message: `holds a NUL at ${text.indexOf('\0') + 1}` }]
  }
  if (!text.isWellFormed()) {
    return [{ field, reason: 'TEXT_INVALID', message: 'holds half of a surrogate pair' }]
  }
  if (Buffer.byteLength(text) <= TEXT_BYTES_MAX) return []
  const message = `is longer than ${TEXT_BYTES_MAX / 1_024} KiB`
  return [{ field, reason: 'FIELD_TOO_LONG', message }]
}

function checkTime(time: Date, field: string): FieldViolation[] {
  if (time.getTime() >= TIME_MS_MIN && time.getTime() <= TIME_MS_MAX) return []
  return [{ field, reason: 'FIELD_INVALID', message: 'is not a time of the years 0001 to 9999' }]
}

/** What ts-proto makes of a oneof; the contract has no name for it, only for its cases. */
function isOneof(value: unknown): value is { readonly $case: string; readonly value: unknown } {
  return (
    typeof value === 'object' && value !== null && typeof Reflect.get(value, '$case') === 'string'
  )
}

function below(place: Place, path: string): Place {
  return { ...place, path, depth: place.depth + 1 }
}

function join(path: string, key: string): string {
  const name = key.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`)
  return path === '' ? name : `${path}.${name}`
}
