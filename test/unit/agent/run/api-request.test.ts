import { expect, test } from 'vitest'
import { prepareRequest } from '../../../../agent/run/api-request.ts'
import { redirectOf } from '../../../../agent/run/http-call.ts'
import { ApiTask } from '../../../../proto/gen/rota/v1/job.ts'
import { shellOf } from '../../../support/assignments.ts'

const ID = '0190d0c0-0000-7000-8000-000000000001'
const ASSIGNMENT = shellOf('true', {
  execution: `executions/${ID}`,
  epoch: 12n,
  parameters: { day: 'a/b?c', evil: 'x\r\nInjected: y' },
})

function prepare(task: Partial<ApiTask>) {
  return prepareRequest(ApiTask.fromPartial(task), ASSIGNMENT)
}

test('a call is a GET that can be told from others and repeated safely', () => {
  expect(prepare({ url: 'http://host/' })).toEqual({
    kind: 'request',
    request: {
      method: 'GET',
      url: new URL('http://host/'),
      headers: {
        'user-agent': expect.stringMatching(/^rota-agent\//),
        'idempotency-key': ID,
        'rota-epoch': '12',
      },
      body: undefined,
    },
  })
})

test('templates are filled in, and values stay in their place', () => {
  const prepared = prepare({
    method: 'post',
    url: 'http://host/x?day={{parameters.day}}',
    headers: { 'X-Day': '{{parameters.day}}', 'Idempotency-Key': 'own', 'Rota-Epoch': 'forged' },
    body: Buffer.from('{"epoch":{{epoch}}}'),
  })
  expect(prepared).toMatchObject({
    request: {
      method: 'POST',
      url: new URL('http://host/x?day=a%2Fb%3Fc'),
      headers: { 'x-day': 'a/b?c', 'idempotency-key': 'own', 'rota-epoch': '12' },
      body: Buffer.from('{"epoch":12}'),
    },
  })
})

test('a body that is no text is sent as it is', () => {
  const body = Buffer.from([0xff, 0x00, 0x7b, 0x7b])
  expect(prepare({ method: 'PUT', url: 'http://host/', body })).toMatchObject({ request: { body } })
})

test.each<[Partial<ApiTask>, string, RegExp]>([
  [{ url: 'http://host/{{nothing}}' }, 'TEMPLATE_INVALID', /^url: \{\{nothing\}\}/],
  [{ url: 'not a url' }, 'START_FAILED', /is not an http or https URL/],
  [{ url: 'file:///etc/passwd' }, 'START_FAILED', /http/],
  [{ url: 'http://h/', headers: { a: '{{x}}' } }, 'TEMPLATE_INVALID', /^header a: /],
  [{ url: 'http://h/', headers: { a: '{{parameters.evil}}' } }, 'TEMPLATE_INVALID', /line break/],
  [{ url: 'http://h/', headers: { 'a b': 'x' } }, 'TEMPLATE_INVALID', /^header a b: /],
  [{ url: 'http://h/', body: Buffer.from('{{x}}'), method: 'POST' }, 'TEMPLATE_INVALID', /^body: /],
  [{ url: 'http://h/', body: Buffer.from('x') }, 'START_FAILED', /GET request cannot have a body/],
  [{ url: 'http://h/', method: 'GET /x HTTP/1.1' }, 'START_FAILED', /method/],
])('%j is refused', (task, reason, why) => {
  expect(prepare(task)).toEqual({ kind: 'refused', reason, why: expect.stringMatching(why) })
})

const REQUEST = {
  method: 'POST',
  url: new URL('http://host/a'),
  headers: { authorization: 'secret', 'content-type': 'text/plain', 'idempotency-key': ID },
  body: Buffer.from('x'),
}

test('a 303 is read with GET, a 307 sent again', () => {
  const location = '/b'
  expect(redirectOf(REQUEST, { statusCode: 303, headers: { location } })).toEqual({
    method: 'GET',
    url: new URL('http://host/b'),
    headers: { authorization: 'secret', 'idempotency-key': ID },
    body: undefined,
  })
  expect(redirectOf(REQUEST, { statusCode: 307, headers: { location } })).toEqual({
    ...REQUEST,
    url: new URL('http://host/b'),
  })
})

test('credentials do not follow to another origin', () => {
  const to = { statusCode: 308, headers: { location: 'http://other/b' } }
  expect(redirectOf(REQUEST, to)?.headers).not.toHaveProperty('authorization')
})

test('other answers are no redirect', () => {
  expect(redirectOf(REQUEST, { statusCode: 304, headers: { location: '/b' } })).toBeUndefined()
  expect(redirectOf(REQUEST, { statusCode: 302, headers: {} })).toBeUndefined()
})
