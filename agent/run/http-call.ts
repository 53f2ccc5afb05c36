/**
 * One HTTP exchange by node:http. `fetch` would give up on an answer that takes five minutes, and keeps several MB of
 * memory for what an agent does now and then.
 */
import { type ClientRequest, request as httpRequest, type IncomingMessage } from 'node:http'
import { request as httpsRequest } from 'node:https'
import type { ApiRequest, HttpHeaders } from './api-request.ts'

const REDIRECTS_MAX = 10
/** Not sent to another origin than the one they were meant for (https://fetch.spec.whatwg.org/#http-redirect-fetch). */
const CREDENTIALS = ['authorization', 'cookie', 'proxy-authorization']
const BODY_HEADERS = ['content-encoding', 'content-language', 'content-length', 'content-type']

/** Resolves with the head of the answer; its body is still to be read. Rejects when there is none, or `signal` aborts. */
export async function callHttp(
  request: ApiRequest,
  options: { readonly followRedirects: boolean; readonly signal: AbortSignal },
): Promise<IncomingMessage> {
  let next = request
  for (let redirects = 0; redirects <= REDIRECTS_MAX; redirects++) {
    const answer = await exchange(next, options.signal)
    const target = options.followRedirects ? redirectOf(next, answer) : undefined
    if (target === undefined) return answer
    answer.resume()
    next = target
  }
  throw new Error(`more than ${REDIRECTS_MAX} redirects`)
}

function exchange(request: ApiRequest, signal: AbortSignal): Promise<IncomingMessage> {
  const { body, headers, method, url } = request
  const send = url.protocol === 'https:' ? httpsRequest : httpRequest
  return new Promise((resolve, reject) => {
    const call: ClientRequest = send(url, {
      method,
      // A connection of its own: nothing stays open between two calls.
      agent: false,
      headers: {
        ...headers,
        ...(body === undefined ? {} : { 'content-length': body.length }),
      },
      signal,
    })
    call.once('response', resolve)
    // Also after the answer has begun: then the body says it too.
    call.on('error', reject)
    call.end(body)
  })
}

/** The request that a redirect asks for, or undefined when the answer is none. */
export function redirectOf(
  request: ApiRequest,
  answer: Pick<IncomingMessage, 'statusCode' | 'headers'>,
): ApiRequest | undefined {
  const { location } = answer.headers
  const status = answer.statusCode ?? 0
  if (location === undefined || ![301, 302, 303, 307, 308].includes(status)) return undefined
  const url = new URL(location, request.url)
  const isOther = url.origin !== request.url.origin
  const headers = isOther ? without(request.headers, CREDENTIALS) : request.headers
  const isReread =
    (status === 303 && request.method !== 'HEAD') ||
    ((status === 301 || status === 302) && request.method === 'POST')
  if (!isReread) return { ...request, url, headers }
  return { method: 'GET', url, headers: without(headers, BODY_HEADERS), body: undefined }
}

function without(headers: HttpHeaders, names: readonly string[]): HttpHeaders {
  return Object.fromEntries(Object.entries(headers).filter(([name]) => !names.includes(name)))
}
