import { execFileSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, readdirSync, rmdirSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { readEnd, reserveEnd, writeEnd } from '../../../../agent/warden/end-file.ts'
import type { ProcessEnd } from '../../../../agent/warden/messages.ts'

const KEY = 'an-attempt.7'
const END: ProcessEnd = {
  exit: { kind: 'exited', exitCode: 3 },
  cause: { kind: 'cancelled', reason: 'enough' },
  startTimeMs: 1_700_000_000_000,
  endTimeMs: 1_700_000_001_000,
  usage: { cpuMs: 12 },
}
let attemptsDir: string

beforeEach(() => {
  attemptsDir = mkdtempSync(join(tmpdir(), 'rota-end-'))
  mkdirSync(join(attemptsDir, KEY))
})
afterEach(() => rmSync(attemptsDir, { recursive: true }))

test('what is written is read again, and leaves one file', async () => {
  await reserveEnd(attemptsDir, KEY)
  expect(await readEnd(attemptsDir, KEY)).toBeUndefined()
  await writeEnd({ attemptsDir, key: KEY, isDurable: true }, END)
  expect(await readEnd(attemptsDir, KEY)).toEqual(END)
  expect(readdirSync(join(attemptsDir, KEY))).toEqual(['end.json'])
})

test('a reason may be as long as it likes: the file stays within its reserve', async () => {
  await reserveEnd(attemptsDir, KEY)
  const reason = '\u0001'.repeat(5_000)
  await writeEnd(
    { attemptsDir, key: KEY, isDurable: true },
    { ...END, cause: { kind: 'lost', reason } },
  )
  expect((await readEnd(attemptsDir, KEY))?.cause).toEqual({
    kind: 'lost',
    reason: '\u0001'.repeat(1_000),
  })
})

test('nonsense in its place is no end', async () => {
  writeFileSync(join(attemptsDir, KEY, 'end.json'), '{"exit":')
  expect(await readEnd(attemptsDir, KEY)).toBeUndefined()
})

/** Mounting a small disk takes root, and not every container lets root do it. */
function canMount(): boolean {
  if (process.getuid?.() !== 0 || process.platform !== 'linux') return false
  const place = mkdtempSync(join(tmpdir(), 'rota-mount-'))
  try {
    execFileSync('/bin/mount', ['-t', 'tmpfs', 'rota-test', place], { stdio: 'ignore' })
    execFileSync('/bin/umount', [place], { stdio: 'ignore' })
    return true
  } catch {
    return false
  } finally {
    rmdirSync(place)
  }
}

test.runIf(canMount())('it is written on a disk that the attempt has filled up', async () => {
  execFileSync('/bin/mount', ['-t', 'tmpfs', '-o', 'size=1m', 'rota-test', attemptsDir])
  try {
    mkdirSync(join(attemptsDir, KEY))
    mkdirSync(join(attemptsDir, 'other.1'))
    await reserveEnd(attemptsDir, KEY)
    const fill = () => writeFileSync(join(attemptsDir, KEY, 'stdout'), Buffer.alloc(2 * 1024 ** 2))
    expect(fill).toThrow(/ENOSPC/)
    await writeEnd({ attemptsDir, key: KEY, isDurable: true }, END)
    expect(await readEnd(attemptsDir, KEY)).toEqual(END)
    await expect(reserveEnd(attemptsDir, 'other.1')).rejects.toThrow(/ENOSPC/)
  } finally {
    execFileSync('/bin/umount', [attemptsDir])
  }
})
