import { describe, expect, test } from 'vitest'
import {
  type ApiTask,
  Parameter,
  type ScriptTask,
  type ShellTask,
} from '../../../../proto/gen/rota/v1/job.ts'
import { api, job, onlyHint, script, shell, wrongs } from './a-job.ts'

const TASK = 'job.spec.task'

test('a task is needed, and it needs a kind', () => {
  expect(wrongs(job({ task: undefined }))).toEqual([`${TASK} FIELD_REQUIRED: is missing`])
  expect(wrongs(job({ task: {} }))).toEqual([`${TASK} FIELD_REQUIRED: is missing`])
})

describe('shell', () => {
  test.each([
    [{ command: 'a'.repeat(65_536) }],
    [{ env: { PATH: '/bin', _x1: '' }, workingDirectory: '/srv', runAs: 'www-data' }],
  ])('%o is right', (task: Partial<ShellTask>) => {
    expect(wrongs(job({ task: shell(task) }))).toEqual([])
  })

  test.each([
    [{ command: '' }, 'command FIELD_REQUIRED: is missing'],
    [{ command: ' \n\t' }, 'command FIELD_REQUIRED: is missing'],
    [{ command: 'a'.repeat(65_537) }, 'command FIELD_TOO_LONG: is longer than 64 KiB'],
    [{ env: { '1A': 'x' } }, 'env["1A"] FIELD_INVALID: "1A" is no name of an environment variable'],
    [
      { env: { 'A=B': 'x' } },
      'env["A=B"] FIELD_INVALID: "A=B" is no name of an environment variable',
    ],
    [
      { env: { ROTA_EPOCH: '1' } },
      'env["ROTA_EPOCH"] FIELD_INVALID: names beginning with ROTA_ belong to Rota',
    ],
    [{ env: { A: 'x'.repeat(131_072) } }, 'env FIELD_TOO_LONG: is longer than 128 KiB in total'],
    [{ workingDirectory: 'srv' }, 'working_directory FIELD_INVALID: "srv" is no absolute path'],
    [
      { workingDirectory: `/${'a'.repeat(4_096)}` },
      'working_directory FIELD_TOO_LONG: is longer than 4 KiB',
    ],
    [{ runAs: 'root; rm' }, 'run_as FIELD_INVALID: "root; rm" is no user name'],
  ])('%o is not', (task: Partial<ShellTask>, wrong) => {
    expect(wrongs(job({ task: shell(task) }))).toEqual([`${TASK}.shell.${wrong}`])
  })

  test('more than 200 variables are not', () => {
    const env = Object.fromEntries(Array.from({ length: 201 }, (_, index) => [`V${index}`, '']))
    expect(wrongs(job({ task: shell({ env }) }))).toEqual([
      `${TASK}.shell.env FIELD_TOO_LONG: has 201 entries, more than 200`,
    ])
  })
})

test('environment and arguments have 128 KiB together, with the NUL after each', () => {
  const args = ['a'.repeat(131_071)]
  expect(wrongs(job({ task: script({ args }) }))).toEqual([])
  expect(wrongs(job({ task: script({ args: [...args, ''] }) }))).toHaveLength(1)
})

describe('script', () => {
  test.each([
    [{ source: { $case: 'inline', value: 'a'.repeat(262_144) } }],
    [
      {
        source: { $case: 'path', value: 'bin/report.py' },
        interpreter: 'python3.12',
        args: ['', '-v'],
      },
    ],
    [{ interpreter: '/usr/bin/node' }],
  ] satisfies [Partial<ScriptTask>][])('%o is right', (task) => {
    expect(wrongs(job({ task: script(task) }))).toEqual([])
  })

  test.each([
    [{ source: undefined }, ' FIELD_REQUIRED: has no source'],
    [{ source: { $case: 'inline', value: '\n' } }, '.inline FIELD_REQUIRED: is missing'],
    [
      { source: { $case: 'inline', value: 'a'.repeat(262_145) } },
      '.inline FIELD_TOO_LONG: is longer than 256 KiB',
    ],
    [{ source: { $case: 'path', value: '' } }, '.path FIELD_REQUIRED: is missing'],
    [
      { source: { $case: 'path', value: 'a'.repeat(4_097) } },
      '.path FIELD_TOO_LONG: is longer than 4 KiB',
    ],
    [
      { interpreter: 'python3 -u' },
      '.interpreter FIELD_INVALID: "python3 -u" is not the name or path of a program',
    ],
    [{ args: Array(1_001).fill('') }, '.args FIELD_TOO_LONG: has 1001 entries, more than 1000'],
    [{ args: ['a'.repeat(131_072)] }, '.args FIELD_TOO_LONG: is longer than 128 KiB in total'],
    [{ env: { '': '' } }, '.env[""] FIELD_INVALID: "" is no name of an environment variable'],
  ] satisfies [Partial<ScriptTask>, string][])('%o is not', (task, wrong) => {
    expect(wrongs(job({ task: script(task) }))).toEqual([`${TASK}.script${wrong}`])
  })
})

describe('api', () => {
  test.each([
    [{ url: 'http://localhost:8080/a?b=c#d' }],
    [{ url: 'HTTPS://example.org' }],
    [
      {
        url: 'https://{{parameters.host}}:{{parameters.port}}/{{execution}}?at={{ scheduled_for }}',
      },
    ],
    [
      {
        method: 'post',
        body: Buffer.from('{"day":"{{parameters.day}}"}'),
        headers: { 'X-Job': '{{job}}' },
      },
    ],
    [
      {
        expectedStatusCodes: [200, 404, 599],
        headers: { accept: 'text/plain; q=0.5', 'x-latin': 'é' },
      },
    ],
    [{ method: 'PROPFIND', body: Buffer.alloc(262_144, 'a') }],
  ] satisfies [Partial<ApiTask>][])('%o is right', (task) => {
    const parameters = ['host', 'port', 'day'].map((name) => Parameter.fromPartial({ name }))
    expect(wrongs(job({ task: api(task), parameters }))).toEqual([])
  })

  const post = { method: 'POST' }
  test.each([
    [{ url: '' }, 'url FIELD_REQUIRED: is missing'],
    [{ url: 'example.org' }, 'url FIELD_INVALID: "example.org" is no absolute http or https URL'],
    [{ url: '/path' }, 'url FIELD_INVALID: "/path" is no absolute http or https URL'],
    [
      { url: 'ftp://example.org' },
      'url FIELD_INVALID: "ftp://example.org" is no absolute http or https URL',
    ],
    [
      { url: 'http:example.org' },
      'url FIELD_INVALID: "http:example.org" is no absolute http or https URL',
    ],
    [{ url: 'http://' }, 'url FIELD_INVALID: "http://" is no absolute http or https URL'],
    [
      { url: 'http://a:99999/' },
      'url FIELD_INVALID: "http://a:99999/" is no absolute http or https URL',
    ],
    [{ url: 'http://a/ b' }, 'url FIELD_INVALID: "http://a/ b" is no absolute http or https URL'],
    [{ url: 'http://me:secret@a/' }, 'url FIELD_INVALID: holds a user name or password'],
    [{ url: `http://a/${'b'.repeat(8_192)}` }, 'url FIELD_TOO_LONG: is longer than 8 KiB'],
    [
      { url: 'http://a/{{parameters.dy}}' },
      'url TEMPLATE_INVALID: {{parameters.dy}} names nothing',
    ],
    [{ url: 'http://a/{{}}' }, 'url TEMPLATE_INVALID: {{}} names nothing'],
    [{ method: 'GE T' }, 'method FIELD_INVALID: "GE T" is no method that can be called'],
    [{ method: 'TRACE' }, 'method FIELD_INVALID: "TRACE" is no method that can be called'],
    [{ body: Buffer.from('x') }, 'body FIELD_INVALID: GET carries no body'],
    [{ method: 'head', body: Buffer.from('x') }, 'body FIELD_INVALID: HEAD carries no body'],
    [{ ...post, body: Buffer.alloc(262_145, 'a') }, 'body FIELD_TOO_LONG: is longer than 256 KiB'],
    [{ ...post, body: Buffer.from('{{jb}}') }, 'body TEMPLATE_INVALID: {{jb}} names nothing'],
    [{ headers: { 'a b': 'x' } }, 'headers["a b"] FIELD_INVALID: "a b" is no header name'],
    [
      { headers: { a: 'x\r\ny' } },
      'headers["a"] FIELD_INVALID: holds a line break, a control character or one that is not Latin-1',
    ],
    [
      { headers: { a: '👋' } },
      'headers["a"] FIELD_INVALID: holds a line break, a control character or one that is not Latin-1',
    ],
    [
      { headers: { 'Content-Length': '3' } },
      'headers["Content-Length"] FIELD_INVALID: is set by Rota or by HTTP itself',
    ],
    [
      { headers: { 'idempotency-key': '3' } },
      'headers["idempotency-key"] FIELD_INVALID: is set by Rota or by HTTP itself',
    ],
    [{ headers: { a: '{{x}}' } }, 'headers["a"] TEMPLATE_INVALID: {{x}} names nothing'],
    [
      { expectedStatusCodes: [99] },
      'expected_status_codes[0] FIELD_INVALID: 99 is not a whole number from 200 to 599',
    ],
    [
      { expectedStatusCodes: [200, 200] },
      'expected_status_codes[1] FIELD_INVALID: "200" is in the list already',
    ],
  ] satisfies [Partial<ApiTask>, string][])('%o is not', (task, wrong) => {
    expect(wrongs(job({ task: api(task) }))).toEqual([`${TASK}.api.${wrong}`])
  })

  test('a password alone is refused as well', () => {
    expect(wrongs(job({ task: api({ url: 'http://:secret@a/' }) }))).toEqual([
      `${TASK}.api.url FIELD_INVALID: holds a user name or password`,
    ])
  })

  test('too many of anything are refused', () => {
    const headers = Object.fromEntries(Array.from({ length: 101 }, (_, index) => [`h${index}`, '']))
    const expectedStatusCodes = Array.from({ length: 101 }, (_, index) => 200 + index)
    const long = { h: 'x'.repeat(8_193) }
    expect(wrongs(job({ task: api({ headers, expectedStatusCodes }) }))).toEqual([
      `${TASK}.api.headers FIELD_TOO_LONG: has 101 entries, more than 100`,
      `${TASK}.api.expected_status_codes FIELD_TOO_LONG: has 101 entries, more than 100`,
    ])
    expect(wrongs(job({ task: api({ headers: long }) }))).toEqual([
      `${TASK}.api.headers["h"] FIELD_TOO_LONG: is longer than 8 KiB`,
    ])
  })

  test('an unknown template names those that were meant', () => {
    const parameters = [Parameter.fromPartial({ name: 'day' })]
    const broken = job({ task: api({ url: 'http://a/{{parameters.dya}}' }), parameters })
    expect(onlyHint(broken)).toBe('Did you mean parameters.day?')
    expect(onlyHint(job({ task: api({ url: 'http://a/{{scheduledfor}}' }) }))).toBe(
      'Did you mean scheduled_for?',
    )
  })
})

describe('handler', () => {
  test('one of the release or of a worker is right', () => {
    for (const handler of ['noop', 'echo', 'sleep', 'fail', 'log', 'backup']) {
      const payload = { nested: [{ a: 1.5, b: null, c: true }] }
      expect(
        wrongs(job({ task: { kind: { $case: 'handler', value: { handler, payload } } } })),
      ).toEqual([])
    }
  })

  test.each([
    [{ handler: '' }, 'handler FIELD_REQUIRED: is missing'],
    [{ handler: 'bakcup' }, 'handler CAPABILITY_UNKNOWN: no worker has the handler "bakcup"'],
    [
      { handler: 'noop', payload: { a: { b: [Number.NaN] } } },
      'payload["a"]["b"][0] FIELD_INVALID: NaN has no place in JSON',
    ],
    [
      { handler: 'noop', payload: { a: -Infinity } },
      'payload["a"] FIELD_INVALID: -Infinity has no place in JSON',
    ],
    [
      { handler: 'noop', payload: { a: 'x'.repeat(65_536) } },
      'payload FIELD_TOO_LONG: is longer than 64 KiB',
    ],
  ])('%o is not', (value, wrong) => {
    expect(wrongs(job({ task: { kind: { $case: 'handler', value } } }))).toEqual([
      `${TASK}.handler.${wrong}`,
    ])
  })

  test('a misspelt one is named', () => {
    const broken = job({ task: { kind: { $case: 'handler', value: { handler: 'bakcup' } } } })
    expect(onlyHint(broken)).toBe('Did you mean backup?')
  })

  test('a payload nests 32 deep and no deeper', () => {
    const nest = (depth: number): object => (depth === 0 ? {} : { a: nest(depth - 1) })
    const withDepth = (depth: number) =>
      wrongs(
        job({
          task: { kind: { $case: 'handler', value: { handler: 'noop', payload: nest(depth) } } },
        }),
      )
    expect(withDepth(31)).toEqual([])
    expect(withDepth(32)).toEqual([
      expect.stringMatching(/ FIELD_INVALID: is nested deeper than 32$/),
    ])
  })
})
