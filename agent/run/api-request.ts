/** The HTTP request that an `api` task asks for. Pure. */
import { validateHeaderName, validateHeaderValue } from 'node:http'
import type { Assignment } from '../../proto/gen/rota/agent/v1/agent_service.ts'
import type { ApiTask } from '../../proto/gen/rota/v1/job.ts'
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

interface RefusedRequest {
  readonly kind: 'refused'
  readonly reason: 'TEMPLATE_INVALID' | 'START_FAILED'
  readonly why: string
}

export type PreparedRequest =
  | { readonly kind: 'request'; readonly request: ApiRequest }
  | RefusedRequest

/** A token of RFC 9110, section 5.6.2. */
const METHOD = /^[!#$%&'*+.^_`|~0-9A-Z-]{1,40}$/

/** Fills in the templates; a value cannot break out of its place in the URL or a header. */
export function prepareRequest(task: ApiTask, assignment: Assignment): PreparedRequest {
  const url = renderTemplate(task.url, assignment, encodeURIComponent)
  if (url.kind === 'invalid') return refuse('TEMPLATE_INVALID', `url: ${url.why}`)
  const headers = renderHeaders(task, assignment)
  if (typeof headers === 'string') return refuse('TEMPLATE_INVALID', headers)
  const body = renderBody(task.body, assignment)
  if (typeof body === 'string') return refuse('TEMPLATE_INVALID', body)
  const parsed = URL.parse(url.text)
  if (parsed === null || !/^https?:$/.test(parsed.protocol)) {
    return refuse('START_FAILED', `url: ${url.text} is not an http or https URL`)
  }
  const method = (task.method || 'GET').toUpperCase()
  if (!METHOD.test(method)) return refuse('START_FAILED', 'method: is not an HTTP method')
  if (body !== undefined && (method === 'GET' || method === 'HEAD')) {
    return refuse('START_FAILED', `a ${method} request cannot have a body`)
  }
  return { kind: 'request', request: { method, url: parsed, headers, body } }
}

function refuse(reason: RefusedRequest['reason'], why: string): RefusedRequest {
  return { kind: 'refused', reason, why }
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
