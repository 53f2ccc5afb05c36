/** The HTTP request that an `api` task asks for. Pure. */
import { validateHeaderName, validateHeaderValue } from 'node:http'
import type { Assignment } from '../../proto/gen/rota/agent/v1/agent_service.ts'
import type { ApiTask } from '../../proto/gen/rota/v1/job.ts'
import type { ErrorReason } from '../../shared/errors/catalogue.ts'
import { executionId } from '../report/attempt-ref.ts'
import { AGENT_VERSION } from '../version.ts'
import { renderTemplate } from './template.ts'

/** By name in lower case. */
export type HttpHeaders = Readonly<Record<string, string>>

export interface ApiRequest {
  readonly method: string
  readonly url: URL
  readonly headers: HttpHeaders
  readonly body: Buffer | undefined
}

export type PreparedRequest =
  | { readonly kind: 'request'; readonly request: ApiRequest }
  | { readonly kind: 'refused'; readonly reason: ErrorReason; readonly why: string }

/** Fills in the templates; a value cannot break out of its place in the URL or a header. */
export function prepareRequest(task: ApiTask, assignment: Assignment): PreparedRequest {
  const refuse = (why: string, reason: ErrorReason = 'TEMPLATE_INVALID') =>
    ({ kind: 'refused', reason, why }) as const
  const url = renderTemplate(task.url, assignment, encodeURIComponent)
  if (url.kind === 'invalid') return refuse(`url: ${url.why}`)
  if (!URL.canParse(url.text)) return refuse(`url: ${url.text} is not a URL`, 'START_FAILED')
  const headers = renderHeaders(task, assignment)
  if (typeof headers === 'string') return refuse(headers)
  const body = renderBody(task.body, assignment)
  if (typeof body === 'string') return refuse(body)
  const method = (task.method || 'GET').toUpperCase()
  if (body !== undefined && (method === 'GET' || method === 'HEAD')) {
    return refuse(`a ${method} request cannot have a body`, 'START_FAILED')
  }
  return { kind: 'request', request: { method, url: new URL(url.text), headers, body } }
}

/** The headers, or why there are none. Own ones of the task win, except over the fencing epoch. */
function renderHeaders(task: ApiTask, assignment: Assignment): HttpHeaders | string {
  const headers = new Map([
    ['user-agent', `rota-agent/${AGENT_VERSION}`],
    ['idempotency-key', executionId(assignment)],
  ])
  for (const [name, template] of Object.entries(task.headers)) {
    const value = renderTemplate(template, assignment)
    if (value.kind === 'invalid') return `header ${name}: ${value.why}`
    try {
      validateHeaderName(name)
      validateHeaderValue(name, value.text)
    } catch {
      return `header ${name}: its name or value holds what HTTP does not allow, such as a line break`
    }
    headers.set(name.toLowerCase(), value.text)
  }
  headers.set('rota-epoch', assignment.epoch.toString())
  return Object.fromEntries(headers)
}

/** The body, or why there is none. What is not UTF-8 is sent as it is: it can hold no template. */
function renderBody(bytes: Buffer, assignment: Assignment): Buffer | string | undefined {
  if (bytes.length === 0) return undefined
  const text = bytes.toString('utf8')
  if (!Buffer.from(text).equals(bytes)) return bytes
  const body = renderTemplate(text, assignment)
  return body.kind === 'invalid' ? `body: ${body.why}` : Buffer.from(body.text)
}
