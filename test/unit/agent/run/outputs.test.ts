import { execFileSync } from 'node:child_process'
import { mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import fc from 'fast-check'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { checkOutputs, parseOutputs, readOutputs } from '../../../../agent/run/outputs.ts'

let folder: string
let file: string

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'rota-outputs-'))
  file = join(folder, 'output')
})

afterEach(() => {
  rmSync(folder, { recursive: true })
})

function parse(text: string) {
  return parseOutputs(Buffer.from(text))
}

test.each([
  ['a=1\nb.c=two words \n', { a: '1', 'b.c': 'two words ' }],
  ['a=1\r\na=2\r\n', { a: '2' }],
  ['a==x=', { a: '=x=' }],
  ['text<<END\nline 1\n\nline=2\nEND\nb=1', { text: 'line 1\n\nline=2', b: '1' }],
  ['{"n": 1, "list": [true, null, {"x": "y"}]}', { n: 1, list: [true, null, { x: 'y' }] }],
  [' \n ', undefined],
])('%j gives %j', (text, outputs) => {
  expect(parse(text)).toEqual({ kind: 'outputs', outputs })
})

test.each([
  ['no pair', /line 1 is not key=value/],
  ['ok=1\n=2', /line 2 is not key=value/],
  ['a b=2', /line 1/],
  ['text<<END\nnever', /line 1: the block has no end/],
  ['{"a": }', /JSON/],
  ['{"a": "\\u0000"}', /NUL/],
  ['{"a": "\\ud800"}', /half of a character/],
  ['a=\0', /NUL/],
  [`{"a":${'['.repeat(40)}${']'.repeat(40)}}`, /nested deeper/],
])('%j is refused', (text, why) => {
  expect(parse(text)).toEqual({ kind: 'invalid', why: expect.stringMatching(why) })
})

test('bytes that are no UTF-8 are refused', () => {
  expect(parseOutputs(Buffer.from([0x61, 0x3d, 0xff]))).toMatchObject({ kind: 'invalid' })
})

test('what would be too large as a message is refused, however short its text is', () => {
  const numbers = Array.from({ length: 50_000 }, () => 1)
  expect(JSON.stringify(numbers).length).toBeLessThan(110_000)
  expect(checkOutputs({ numbers })).toMatchObject({ kind: 'invalid' })
  expect(checkOutputs({ text: 'x'.repeat(230_000) })).toMatchObject({ kind: 'outputs' })
})

test('no bytes make it throw', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
      expect(parseOutputs(Buffer.from(bytes)).kind).toMatch(/outputs|invalid/)
    }),
  )
})

test('no file means no outputs', async () => {
  expect(await readOutputs(file)).toEqual({ kind: 'outputs', outputs: undefined })
})

test('a file above 256 KiB is not read', async () => {
  writeFileSync(file, `a=${'x'.repeat(256 * 1024)}`)
  expect(await readOutputs(file)).toMatchObject({ kind: 'invalid' })
})

test('a link is not followed, a pipe not waited for, a folder not read', async () => {
  const secret = join(folder, 'secret')
  writeFileSync(secret, 'a=1')
  symlinkSync(secret, file)
  expect(await readOutputs(file)).toMatchObject({ kind: 'invalid' })
  const pipe = join(folder, 'pipe')
  execFileSync('mkfifo', [pipe])
  expect(await readOutputs(pipe)).toMatchObject({ kind: 'invalid' })
  expect(await readOutputs(folder)).toMatchObject({ kind: 'invalid' })
})
