import { mkdtempSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { readCliContext, writeCliContext } from '../../../shared/cli-context.ts'

const CONTEXT = { address: '127.0.0.1:7420', caFile: '/ca.crt', tokenFile: '/token', pid: 42 }

let folder: string

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'rota-context-'))
})
afterEach(() => rmSync(folder, { recursive: true }))

test('what is written is read, from a folder that did not exist', () => {
  const file = join(folder, 'new', 'context.json')
  writeCliContext(file, CONTEXT)
  expect(readCliContext(file)).toEqual(CONTEXT)
})

test('it is for its owner only, and no draft stays behind', () => {
  const file = join(folder, 'context.json')
  writeCliContext(file, { ...CONTEXT, pid: 1 })
  writeCliContext(file, CONTEXT)
  expect(statSync(file).mode & 0o777).toBe(0o600)
  expect(readdirSync(folder)).toEqual(['context.json'])
  expect(readCliContext(file)?.pid).toBe(42)
})

test.each(['', '{', 'null', '[]', '{"address":"a"}', JSON.stringify({ ...CONTEXT, pid: '42' })])(
  '%j counts as none',
  (content) => {
    const file = join(folder, 'context.json')
    writeFileSync(file, content)
    expect(readCliContext(file)).toBeUndefined()
  },
)

test('a file that is not there counts as none', () => {
  expect(readCliContext(join(folder, 'nothing.json'))).toBeUndefined()
})
