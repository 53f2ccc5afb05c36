/** Labels and tags. */

import {
  checkCount,
  checkRepeats,
  entryPath,
  refuseUnless,
  show,
} from '../../shared/errors/check-field.ts'
import type { FieldViolation } from '../../shared/errors/rota-error.ts'

const LABELS_MAX = 64
const KEY = /^[\w./-]{1,63}$/
const VALUE = /^[\w./-]{0,63}$/

const ALLOWED = 'Use up to 63 letters, digits and . _ - /.'

export function validateLabels(
  field: string,
  labels: Readonly<Record<string, string>>,
): FieldViolation[] {
  const entries = Object.entries(labels)
  return [
    ...checkCount(field, entries, LABELS_MAX),
    ...entries.slice(0, LABELS_MAX).flatMap(([key, value]) => {
      const path = entryPath(field, key)
      if (!KEY.test(key))
        return refuseUnless(false, path, { message: `${show(key)} is no label key`, hint: ALLOWED })
      const message = `${show(value)} is no label value`
      return refuseUnless(VALUE.test(value), path, { message, hint: ALLOWED })
    }),
  ]
}

export function validateTags(field: string, tags: readonly string[]): FieldViolation[] {
  return [
    ...checkCount(field, tags, LABELS_MAX),
    ...checkRepeats(field, tags.slice(0, LABELS_MAX)),
    ...tags.slice(0, LABELS_MAX).flatMap((tag, index) =>
      refuseUnless(KEY.test(tag), `${field}[${index}]`, {
        message: `${show(tag)} is no tag`,
        hint: ALLOWED,
      }),
    ),
  ]
}
