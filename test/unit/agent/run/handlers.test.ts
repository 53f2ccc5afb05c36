import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { loadHandlers } from '../../../../agent/run/handler-registry.ts'
import type { HandlerContext } from '../../../../agent/run/handlers/handler.ts'

let folder: string

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'rota-handlers-'))
})

afterEach(() => {
  rmSync(folder, { recursive: true })
})

async function run(name: string, payload: Record<string, unknown>, dir?: string) {
  const handlers = await loadHandlers(dir)
  const output: string[] = []
  const sleeps: number[] = []
  const context: HandlerContext = {
    payload,
    parameters: {},
    signal: new AbortController().signal,
    log: (text) => output.push(text),
    progress: () => {},
    sleep: async (delayMs) => {
      sleeps.push(delayMs)
    },
  }
  const outputs = await handlers.get(name)?.(context)
  return { outputs, output: output.join(''), sleeps }
}

test('noop does nothing', async () => {
  expect(await run('noop', {})).toEqual({ outputs: undefined, output: '', sleeps: [] })
})

test('echo gives its payload back', async () => {
  expect(await run('echo', { a: [1] })).toMatchObject({
    outputs: { a: [1] },
    output: '{"a":[1]}\n',
  })
})

test('sleep waits as long as its payload says, in either way', async () => {
  expect((await run('sleep', { durationMs: 5 })).sleeps).toEqual([5])
  expect((await run('sleep', { duration: '1.5s' })).sleeps).toEqual([1_500])
  await expect(run('sleep', {})).rejects.toThrow(/neither durationMs/)
  await expect(run('sleep', { duration: 'long' })).rejects.toThrow(/neither durationMs/)
})

test('fail fails with its message and exit code', async () => {
  await expect(run('fail', {})).rejects.toMatchObject({ message: 'failed as asked', exitCode: 1 })
  const payload = { message: 'broken', exitCode: 7 }
  await expect(run('fail', payload)).rejects.toMatchObject(payload)
  await expect(run('fail', { exitCode: 256 })).rejects.toThrow(/exitCode/)
})

test('log writes its lines', async () => {
  expect(await run('log', { lines: 3, message: 'row', intervalMs: 2 })).toMatchObject({
    output: 'row 1\nrow 2\nrow 3\n',
    sleeps: [2, 2, 2],
    outputs: { lines: 3 },
  })
  await expect(run('log', { lines: 0 })).rejects.toThrow(/payload.lines/)
})

test('modules of the site add handlers', async () => {
  const code = 'export const handlers = { double: async ({ payload }) => ({ n: payload.n * 2 }) }'
  writeFileSync(join(folder, 'a.mjs'), code)
  writeFileSync(join(folder, 'notes.txt'), 'not a module')
  expect((await run('double', { n: 4 }, folder)).outputs).toEqual({ n: 8 })
})

test.each([
  ['export const other = {}', /does not export an object named handlers/],
  ['export const handlers = { x: 5 }', /x is not a function/],
  ['export const handlers = { "Bad Name": async () => {} }', /cannot be the name/],
  ['export const handlers = { noop: async () => {} }', /another handler noop/],
])('%s stops the start', async (code, message) => {
  writeFileSync(join(folder, 'a.mjs'), code)
  await expect(loadHandlers(folder)).rejects.toThrow(message)
})
