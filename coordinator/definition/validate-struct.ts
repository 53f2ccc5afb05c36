/** Free-form structured data: payloads and parameters. */

import { checkLength, entryPath, violation } from '../../shared/errors/check-field.ts'
import type { FieldViolation } from '../../shared/errors/rota-error.ts'

type Struct = Readonly<Record<string, unknown>>

const DEPTH_MAX = 32
const BYTES_MAX = 64 * 1_024

/** At most 64 KiB as JSON, nested at most 32 deep, no NaN and no infinity (JSON has neither). */
export function validateStruct(field: string, struct: Struct | undefined): FieldViolation[] {
  if (struct === undefined) return []
  const wrong = wrongValue(field, struct, 1)
  if (wrong !== undefined) return [wrong]
  return checkLength(field, JSON.stringify(struct), BYTES_MAX)
}

/** The first wrong value, depth first. */
function wrongValue(path: string, value: unknown, depth: number): FieldViolation | undefined {
  if (typeof value === 'number' && !Number.isFinite(value)) {
    return violation(path, { message: `${value} has no place in JSON` })
  }
  if (typeof value !== 'object' || value === null) return undefined
  if (depth > DEPTH_MAX) return violation(path, { message: `is nested deeper than ${DEPTH_MAX}` })
  for (const [key, item] of Object.entries(value)) {
    const itemPath = Array.isArray(value) ? `${path}[${key}]` : entryPath(path, key)
    const wrong = wrongValue(itemPath, item, depth + 1)
    if (wrong !== undefined) return wrong
  }
  return undefined
}
