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

/** Where a value lies. Most requests are right, so its path is written only when it is asked for. */
interface Place {
  readonly parent: Place | undefined
  /** Blank at the root. */
  readonly step: string | number
  /** How the step is written. */
  readonly kind: 'field' | 'index' | 'key'
  readonly depth: number
  /** Keys from here on are data, not field names of the contract. */
  readonly isData: boolean
}

const ROOT: Place = { parent: undefined, step: '', kind: 'field', depth: 0, isData: false }

/** At most 20 violations, with the paths of the contract, e.g. `job.labels["team"]`. */
export function checkText(request: unknown): FieldViolation[] {
  const violations: FieldViolation[] = []
  visit(violations, request, ROOT)
  return violations.slice(0, VIOLATIONS_MAX)
}

function visit(violations: FieldViolation[], value: unknown, place: Place): void {
  if (violations.length >= VIOLATIONS_MAX) return
  if (typeof value === 'string') checkOne(violations, value, place)
  else if (value instanceof Date) checkTime(violations, value, place)
  else if (typeof value === 'object' && value !== null && !ArrayBuffer.isView(value)) {
    visitObject(violations, value, place)
  }
}

function visitObject(violations: FieldViolation[], value: object, place: Place): void {
  if (place.depth >= DEPTH_MAX) {
    const message = `is nested deeper than ${DEPTH_MAX}`
    violations.push({ field: pathOf(place), reason: 'FIELD_INVALID', message })
  } else if (Array.isArray(value)) {
    for (let index = 0; index < value.length; index++) {
      visit(violations, value[index], below(place, 'index', index))
    }
  } else {
    visitFields(violations, value, place)
  }
}

function visitFields(violations: FieldViolation[], value: object, place: Place): void {
  for (const [key, item] of Object.entries(value) as [string, unknown][]) {
    if (place.isData) {
      const own = below(place, 'key', key)
      checkOne(violations, key, own)
      visit(violations, item, own)
    } else if (MAP_FIELDS.has(key) && !Array.isArray(item)) {
      visit(violations, item, { ...below(place, 'field', key), isData: true })
    } else if (isOneof(item)) {
      visit(violations, item.value, below(place, 'field', item.$case))
    } else {
      visit(violations, item, below(place, 'field', key))
    }
  }
}

function checkOne(violations: FieldViolation[], text: string, place: Place): void {
  if (text.includes('\0')) {
    const message = `holds a NUL at ${text.indexOf('\0') + 1}`
    violations.push({ field: pathOf(place), reason: 'TEXT_INVALID', message })
  } else if (!text.isWellFormed()) {
    const message = 'holds half of a surrogate pair'
    violations.push({ field: pathOf(place), reason: 'TEXT_INVALID', message })
  } else if (text.length > TEXT_BYTES_MAX / 3 && Buffer.byteLength(text) > TEXT_BYTES_MAX) {
    const message = `is longer than ${TEXT_BYTES_MAX / 1_024} KiB`
    violations.push({ field: pathOf(place), reason: 'FIELD_TOO_LONG', message })
  }
}

function checkTime(violations: FieldViolation[], time: Date, place: Place): void {
  if (time.getTime() >= TIME_MS_MIN && time.getTime() <= TIME_MS_MAX) return
  const message = 'is not a time of the years 0001 to 9999'
  violations.push({ field: pathOf(place), reason: 'FIELD_INVALID', message })
}

/** What ts-proto makes of a oneof; the contract has no name for it, only for its cases. */
function isOneof(value: unknown): value is { readonly $case: string; readonly value: unknown } {
  return (
    typeof value === 'object' && value !== null && typeof Reflect.get(value, '$case') === 'string'
  )
}

function below(place: Place, kind: Place['kind'], step: string | number): Place {
  return { parent: place, step, kind, depth: place.depth + 1, isData: place.isData }
}

function pathOf({ kind, parent, step }: Place): string {
  if (parent === undefined) return ''
  const before = pathOf(parent)
  switch (kind) {
    case 'index':
      return `${before}[${step}]`
    case 'key':
      return `${before}[${JSON.stringify(String(step).slice(0, 100))}]`
    case 'field': {
      const name = String(step).replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`)
      return before === '' ? name : `${before}.${name}`
    }
  }
}
