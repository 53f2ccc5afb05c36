/** Names of jobs. */

import { show, violation } from '../../shared/errors/check-field.ts'
import type { FieldViolation } from '../../shared/errors/rota-error.ts'

const ID_LENGTH_MAX = 200
const SEGMENT = '[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?'
const ID = new RegExp(`^${SEGMENT}(?:\\.${SEGMENT})*$`)

/** What is wrong with the `job_id` of a new job; blank is right, since one is generated then. */
export function validateJobId(id: string): FieldViolation | undefined {
  return id === '' ? undefined : wrongJobId('job_id', id)
}

/** `jobs/ID`. */
export function checkJobName(field: string, name: string): FieldViolation[] {
  if (name === '') return [violation(field, { reason: 'FIELD_REQUIRED', message: 'is missing' })]
  if (!name.startsWith('jobs/')) {
    const message = `${show(name)} is not of the form jobs/ID`
    return [violation(field, { reason: 'NAME_INVALID', message, hint: 'Write it as jobs/ID.' })]
  }
  const wrong = wrongJobId(field, name.slice('jobs/'.length))
  return wrong === undefined ? [] : [wrong]
}

/** The same rule for the ids of other things. */
export function checkResourceId(field: string, id: string, noun: string): FieldViolation[] {
  const wrong = wrongId(field, id, noun)
  return wrong === undefined ? [] : [wrong]
}

function wrongJobId(field: string, id: string): FieldViolation | undefined {
  return wrongId(field, id, 'job')
}

function wrongId(field: string, id: string, noun: string): FieldViolation | undefined {
  if (id.length > ID_LENGTH_MAX) {
    const message = `is longer than ${ID_LENGTH_MAX} characters`
    return violation(field, { reason: 'FIELD_TOO_LONG', message })
  }
  if (ID.test(id)) return undefined
  const message = `${show(id)} is no ${noun} id: segments of a-z, 0-9 and hyphens, with dots between`
  const near = nearestId(id)
  const hint = ID.test(near) ? `Use ${near}.` : undefined
  return violation(field, { reason: 'NAME_INVALID', message, hint })
}

function nearestId(id: string): string {
  const segments = id.toLowerCase().split('.')
  return segments.map((text) => text.replace(/[^a-z0-9]+/g, '-').replace(/^-|-$/g, '')).join('.')
}
