import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, it } from 'vitest'
import { isProcessAlive, takeLock } from '../../../shared/lock-file.ts'

let folder: string
const file = () => join(folder, 'owner.lock')

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'rota-lock-'))
})
afterEach(() => rmSync(folder, { recursive: true }))

it('is held by one process until it releases it', () => {
  const lock = takeLock(file())
  expect(lock.outcome).toBe('locked')
  expect(takeLock(file())).toEqual({ outcome: 'held', pid: process.pid })
  if (lock.outcome === 'locked') lock.release()
  expect(readdirSync(folder)).toEqual([])
  expect(takeLock(file()).outcome).toBe('locked')
})

it('passes on when its owner has ended', async () => {
  const owner = spawn(process.execPath, ['-e', ''])
  await once(owner, 'exit')
  writeFileSync(file(), JSON.stringify({ pid: owner.pid, start: '' }))
  expect(takeLock(file()).outcome).toBe('locked')
})

it.runIf(process.platform === 'linux')('passes on when another process has got the pid', () => {
  takeLock(file())
  const { pid, start } = JSON.parse(readFileSync(file(), 'utf8'))
  writeFileSync(file(), JSON.stringify({ pid, start: `${start}0` }))
  expect(takeLock(file()).outcome).toBe('locked')
})

it('passes on when the record is damaged', () => {
  writeFileSync(file(), '{"pid":')
  expect(takeLock(file()).outcome).toBe('locked')
})

it('is not released by somebody who has lost it', () => {
  const lost = takeLock(file())
  const other = JSON.stringify({ pid: 1, start: 'somebody' })
  writeFileSync(file(), other)
  if (lost.outcome === 'locked') lost.release()
  expect(readFileSync(file(), 'utf8')).toBe(other)
})

it('knows a process that runs from one that does not', async () => {
  const child = spawn(process.execPath, ['-e', 'process.stdin.resume()'], {
    stdio: ['pipe', 'ignore', 'ignore'],
  })
  expect(isProcessAlive(child.pid!)).toBe(true)
  child.stdin.end()
  await once(child, 'exit')
  expect(isProcessAlive(child.pid!)).toBe(false)
})

it.runIf(process.platform === 'linux')(
  'takes a process that waits to be reaped for ended',
  async () => {
    // A shell that starts a child and then becomes a program that never waits for it.
    const script = 'sleep 0.01 & echo $!; exec sleep 60'
    const parent = spawn('/bin/sh', ['-c', script], { stdio: ['ignore', 'pipe', 'ignore'] })
    const [line] = await once(parent.stdout, 'data')
    const pid = Number(String(line).trim())
    try {
      await expect.poll(() => readFileSync(`/proc/${pid}/stat`, 'utf8')).toContain(') Z ')
      expect(isProcessAlive(pid)).toBe(false)
    } finally {
      parent.kill('SIGKILL')
    }
  },
)
