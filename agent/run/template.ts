/** `{{scheduled_for}}` and the like in the strings of an `api` task. Pure. */
import type { Assignment } from '../../proto/gen/rota/agent/v1/agent_service.ts'
import { executionId } from '../report/attempt-ref.ts'
import { jobId, parameterText } from './environment.ts'

export type Rendered =
  | { readonly kind: 'text'; readonly text: string }
  | { readonly kind: 'invalid'; readonly why: string }

const PLACE = /\{\{([^{}]*)\}\}/g
const PARAMETER = 'parameters.'

/** Replaces every `{{name}}`; `encode` makes a value fit for where it goes. */
export function renderTemplate(
  template: string,
  assignment: Assignment,
  encode: (value: string) => string = (value) => value,
): Rendered {
  const unknown: string[] = []
  const text = template.replaceAll(PLACE, (_place, inner: string) => {
    const name = inner.trim()
    const value = lookUp(name, assignment)
    if (value === undefined) unknown.push(name)
    return encode(value ?? '')
  })
  const [first] = unknown
  return first === undefined
    ? { kind: 'text', text }
    : { kind: 'invalid', why: `{{${first}}} names nothing that this execution has` }
}

function lookUp(name: string, assignment: Assignment): string | undefined {
  if (name.startsWith(PARAMETER)) {
    const parameters = assignment.parameters ?? {}
    const key = name.slice(PARAMETER.length)
    return Object.hasOwn(parameters, key) ? parameterText(parameters[key]) : undefined
  }
  switch (name) {
    case 'execution':
      return executionId(assignment)
    case 'job':
      return jobId(assignment)
    case 'attempt':
      return String(assignment.attempt)
    case 'epoch':
      return assignment.epoch.toString()
    case 'scheduled_for':
      return assignment.scheduledFor?.toISOString()
    default:
      return undefined
  }
}
