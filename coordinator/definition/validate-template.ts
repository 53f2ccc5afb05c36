/** Templates such as `{{scheduled_for}}` in the strings of an HTTP call. */

import { didYouMean, show, violation } from '../../shared/errors/check-field.ts'
import type { FieldViolation } from '../../shared/errors/rota-error.ts'
import { nearNames } from '../../shared/near-names.ts'

const TEMPLATE = /\{\{([^{}]*)\}\}/g

const NAMES: readonly string[] = ['execution', 'job', 'attempt', 'epoch', 'scheduled_for']

/** Templates that name nothing; `parameters` are the names that the job declares. */
export function checkTemplates(
  field: string,
  text: string,
  parameters: readonly string[],
): FieldViolation[] {
  const known = new Set([...NAMES, ...parameters.map((name) => `parameters.${name}`)])
  const names = [...text.matchAll(TEMPLATE)].map((match) => (match[1] ?? '').trim())
  const unknown = [...new Set(names)].filter((name) => !known.has(name))
  return unknown.slice(0, 5).map((name) => {
    const hint = didYouMean(nearNames(name, known)) ?? `Use ${[...known].slice(0, 10).join(', ')}.`
    const message = `{{${show(name).slice(1, -1)}}} names nothing`
    return violation(field, { reason: 'TEMPLATE_INVALID', message, hint })
  })
}

/** The text with a digit for each template: it has the form that the filled one will have. */
export function withoutTemplates(text: string): string {
  return text.replace(TEMPLATE, '1')
}
