import { execFileSync } from 'node:child_process'
import {
  appendFileSync,
  mkdtempSync,
  readFileSync,
  rmdirSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import fc from 'fast-check'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { EndLog, readEnds } from '../../../../agent/warden/end-log.ts'
import type { ProcessEnd } from '../../../../agent/warden/messages.ts'

const END: ProcessEnd = {
  exit: { kind: 'exited', exitCode: 3 },
  cause: { kind: 'cancelled', reason: 'enough' },
  startTimeMs: 1_700_000_000_000,
  endTimeMs: 1_700_000_001_000,
  usage: { cpuMs: 12 },
}
let folder: string
let file: string
let logs: EndLog[] = []

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'rota-ends-'))
  file = join(folder, 'ends')
})
afterEach(() => {
  for (const log of logs) log.close()
  logs = []
  rmSync(folder, { recursive: true })
})

function open(): EndLog {
  const log = EndLog.open(file)
  logs.push(log)
  return log
}

function keysIn(ends: ReadonlyMap<string, ProcessEnd>): string[] {
  return [...ends.keys()].sort()
}

test('what is written is read again, by the next warden too, until it is forgotten', async () => {
  const log = open()
  log.reserve('a.1')
  log.reserve('b.1')
  expect(readEnds(file)).toEqual(new Map())
  await log.write({ key: 'a.1', end: END, isDurable: true })
  await log.write({ key: 'b.1', end: END, isDurable: false })
  const next = open()
  for (const ends of [readEnds(file), log.ends(), next.ends()]) {
    expect(ends).toEqual(
      new Map([
        ['a.1', END],
        ['b.1', END],
      ]),
    )
  }
  next.forget('a.1')
  next.forget('unknown.1')
  expect(keysIn(readEnds(file))).toEqual(['b.1'])
  next.forget('b.1')
  expect(readEnds(file)).toEqual(new Map())
})

test('a reason may be as long as it likes: the line stays within its room', async () => {
  const log = open()
  log.reserve('a.1')
  const { size } = statSync(file)
  const reason = '\u0001'.repeat(5_000)
  await log.write({ key: 'a.1', end: { ...END, cause: { kind: 'lost', reason } }, isDurable: true })
  expect(readEnds(file).get('a.1')?.cause).toEqual({ kind: 'lost', reason: '\u0001'.repeat(1_000) })
  expect(statSync(file).size).toBe(size)
})

test('a line that a crash has torn is no end, and harms none that follows', async () => {
  const whole = `${JSON.stringify({ key: 'a.1', end: END })}\n`
  for (const room of ['', '\n', '\n\n\n']) {
    writeFileSync(file, `${whole}${whole.replace('a.1', 'b.1').slice(0, 40)}${room}`)
    const log = open()
    expect(keysIn(log.ends())).toEqual(['a.1'])
    log.reserve('c.1')
    await log.write({ key: 'c.1', end: END, isDurable: false })
    expect(keysIn(readEnds(file))).toEqual(['a.1', 'c.1'])
  }
  appendFileSync(file, '\0\0nonsense')
  expect(keysIn(open().ends())).toEqual(['a.1', 'c.1'])
})

test('it does not grow with what has been forgotten, also while something always counts', async () => {
  const log = open()
  const reason = 'x'.repeat(1_000)
  const end: ProcessEnd = { ...END, cause: { kind: 'lost', reason } }
  log.reserve('old.1')
  await log.write({ key: 'old.1', end, isDurable: true })
  for (let number = 1; number <= 1_000; number += 1) {
    log.reserve(`n.${number}`)
    await log.write({ key: `n.${number}`, end, isDurable: number % 100 === 0 })
    if (number > 3) log.forget(`n.${number - 3}`)
  }
  expect(keysIn(readEnds(file))).toEqual(['n.1000', 'n.998', 'n.999', 'old.1'])
  expect(statSync(file).size).toBeLessThan(512 * 1024)
  expect(keysIn(open().ends())).toEqual(['n.1000', 'n.998', 'n.999', 'old.1'])
})

test('whatever is written, forgotten and opened again, it holds what was written and not forgotten', async () => {
  const step = fc.record({
    what: fc.constantFrom('end', 'end', 'forget', 'open'),
    key: fc.integer({ min: 1, max: 6 }).map((number) => `k.${number}`),
    text: fc.string({ maxLength: 1_000, unit: 'binary' }),
  })
  await fc.assert(
    fc.asyncProperty(fc.array(step, { maxLength: 40 }), async (steps) => {
      rmSync(file, { force: true })
      let log = EndLog.open(file)
      const expected = new Set<string>()
      for (const { key, text, what } of steps) {
        if (what === 'open') {
          log.close()
          log = EndLog.open(file)
        } else if (what === 'forget') {
          log.forget(key)
          expected.delete(key)
        } else if (!expected.has(key)) {
          log.reserve(key)
          const cause = { kind: 'lost', reason: text } as const
          await log.write({ key, end: { ...END, cause }, isDurable: false })
          expected.add(key)
        }
        expect(keysIn(readEnds(file))).toEqual([...expected].sort())
      }
      log.close()
    }),
    { numRuns: 50 },
  )
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

test.runIf(canMount())('ends are written on a disk that attempts have filled up', async () => {
  execFileSync('/bin/mount', ['-t', 'tmpfs', '-o', 'size=1m', 'rota-test', folder])
  try {
    const log = open()
    const keys = Array.from({ length: 12 }, (_, number) => `full.${number}`)
    for (const key of keys) log.reserve(key)
    const fill = () => writeFileSync(join(folder, 'stdout'), Buffer.alloc(2 * 1024 ** 2))
    expect(fill).toThrow(/ENOSPC/)
    const reason = '\u0001'.repeat(1_000)
    for (const key of keys) {
      await log.write({ key, end: { ...END, cause: { kind: 'lost', reason } }, isDurable: true })
    }
    expect(keysIn(readEnds(file))).toEqual([...keys].sort())
    const more = () => {
      for (let number = 0; number < 100; number += 1) log.reserve(`more.${number}`)
    }
    expect(more).toThrow(/ENOSPC/)
    log.close()
    logs = []
  } finally {
    execFileSync('/bin/umount', [folder])
  }
})

test('the file is for its owner alone', () => {
  open()
  expect(statSync(file).mode & 0o777).toBe(0o600)
  expect(readFileSync(file, 'utf8')).toBe('')
})
