import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, it } from 'vitest'
import { claimDefaultContext, releaseDefaultContext } from '../../../../cli/dev/default-context.ts'
import { readCliContext, writeCliContext } from '../../../../shared/cli-context.ts'

let folder: string
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'rota-context-'))
})
afterEach(() => rmSync(folder, { recursive: true }))

const file = () => join(folder, '.rota', 'context.json')
const contextOf = (pid: number) => ({
  address: `host:${pid}`,
  caFile: '/ca',
  tokenFile: '/token',
  pid,
})

it('names this cluster until it is released', () => {
  expect(claimDefaultContext(file(), contextOf(process.pid))).toBe(true)
  expect(readCliContext(file())).toEqual(contextOf(process.pid))
  releaseDefaultContext(file(), process.pid)
  expect(existsSync(file())).toBe(false)
})

it('leaves the one of another living process as it is', () => {
  writeCliContext(file(), contextOf(process.ppid))
  expect(claimDefaultContext(file(), contextOf(process.pid))).toBe(false)
  releaseDefaultContext(file(), process.pid)
  expect(readCliContext(file())).toEqual(contextOf(process.ppid))
})

it('takes the place of a process that has ended', async () => {
  const child = spawn(process.execPath, ['-e', ''])
  await once(child, 'exit')
  writeCliContext(file(), contextOf(child.pid!))
  expect(claimDefaultContext(file(), contextOf(process.pid))).toBe(true)
})
