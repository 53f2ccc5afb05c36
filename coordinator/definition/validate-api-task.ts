/** HTTP calls. */
import type { ApiTask } from '../../proto/gen/rota/v1/job.ts'
import {
  checkContent,
  checkCount,
  checkInteger,
  checkLength,
  checkRepeats,
  entryPath,
  refuseUnless,
  show,
  violation,
} from '../../shared/errors/check-field.ts'
import type { FieldViolation } from '../../shared/errors/rota-error.ts'
import { checkTemplates, withoutTemplates } from './validate-template.ts'

const URL_BYTES_MAX = 8 * 1_024
const HEADERS_MAX = 100
const HEADER_BYTES_MAX = 8 * 1_024
const BODY_BYTES_MAX = 256 * 1_024
const CODES_MAX = 100

/** A token of RFC 9110, section 5.6.2. */
const TOKEN = /^[!#$%&'*+.^`|~\w-]{1,100}$/
/** What one byte each can carry, without control characters. */
const HEADER_VALUE = /^[\t\x20-\x7e\x80-\xff]*$/

/** The Fetch standard refuses these methods. */
const METHODS_REFUSED = ['CONNECT', 'TRACE', 'TRACK']
/** HTTP itself sets these, or Rota does, so that the target can tell attempts apart. */
const HEADERS_REFUSED = [
  'connection',
  'content-length',
  'expect',
  'idempotency-key',
  'keep-alive',
  'rota-epoch',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
]

/** `parameters`: names that the templates may use. */
export function validateApiTask(
  field: string,
  task: ApiTask,
  parameters: readonly string[],
): FieldViolation[] {
  const codes = task.expectedStatusCodes
  return [
    ...validateMethod(field, task),
    ...validateUrl(`${field}.url`, task.url),
    ...checkTemplates(`${field}.url`, task.url, parameters),
    ...validateHeaders(`${field}.headers`, task.headers, parameters),
    ...refuseUnless(task.body.length <= BODY_BYTES_MAX, `${field}.body`, {
      reason: 'FIELD_TOO_LONG',
      message: `is longer than ${BODY_BYTES_MAX / 1_024} KiB`,
    }),
    ...checkTemplates(`${field}.body`, task.body.toString('utf8'), parameters),
    ...checkCount(`${field}.expected_status_codes`, codes, CODES_MAX),
    ...checkRepeats(`${field}.expected_status_codes`, codes.slice(0, CODES_MAX).map(String)),
    ...codes
      .slice(0, CODES_MAX)
      .flatMap((code, index) =>
        checkInteger(`${field}.expected_status_codes[${index}]`, code, { min: 200, max: 599 }),
      ),
  ]
}

function validateMethod(field: string, { method, body }: ApiTask): FieldViolation[] {
  const name = method.toUpperCase() || 'GET'
  const isRight = TOKEN.test(name) && !METHODS_REFUSED.includes(name)
  const carriesBody = name !== 'GET' && name !== 'HEAD'
  return [
    ...refuseUnless(isRight, `${field}.method`, {
      message: `${show(method)} is no method that can be called`,
      hint: 'Use GET, POST, PUT, PATCH, DELETE, HEAD or OPTIONS.',
    }),
    ...refuseUnless(carriesBody || body.length === 0, `${field}.body`, {
      message: `${name} carries no body`,
      hint: 'Choose a method such as POST.',
    }),
  ]
}

function validateUrl(field: string, text: string): FieldViolation[] {
  const wrong = checkContent(field, text, URL_BYTES_MAX)
  if (wrong.length > 0) return wrong
  const plain = withoutTemplates(text)
  const url = /^https?:\/\/[^\s]+$/i.test(plain) ? URL.parse(plain) : null
  if (url === null) {
    const message = `${show(text)} is no absolute http or https URL`
    return [violation(field, { message, hint: 'Write it like https://example.org/path.' })]
  }
  return refuseUnless(url.username === '' && url.password === '', field, {
    message: 'holds a user name or password',
    hint: 'Send them in an `authorization` header.',
  })
}

function validateHeaders(
  field: string,
  headers: Readonly<Record<string, string>>,
  parameters: readonly string[],
): FieldViolation[] {
  const entries = Object.entries(headers)
  return [
    ...checkCount(field, entries, HEADERS_MAX),
    ...entries.slice(0, HEADERS_MAX).flatMap(([name, value]) => {
      const path = entryPath(field, name)
      return [
        ...refuseUnless(TOKEN.test(name), path, { message: `${show(name)} is no header name` }),
        ...refuseUnless(!HEADERS_REFUSED.includes(name.toLowerCase()), path, {
          message: 'is set by Rota or by HTTP itself',
          hint: 'Leave it out.',
        }),
        ...refuseUnless(HEADER_VALUE.test(value), path, {
          message: 'holds a line break, a control character or one that is not Latin-1',
        }),
        ...checkLength(path, value, HEADER_BYTES_MAX),
        ...checkTemplates(path, value, parameters),
      ]
    }),
  ]
}
