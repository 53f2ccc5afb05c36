import { execFileSync } from 'node:child_process'
import {
  appendFileSync,
  mkdtempSync,
  readFileSync,
  rmdirSync,
  statSync,
  writeFileSync,
} from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pino } from 'pino'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { Journal } from '../../../../agent/report/journal.ts'
import type { JournalRecord } from '../../../../agent/report/journal-records.ts'

const logger = pino({ level: 'silent' })
let folder: string
let file: string

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'rota-journal-'))
  file = join(folder, 'journal')
})

afterEach(async () => {
  await rm(folder, { recursive: true })
})

function open(living: readonly JournalRecord[] = []) {
  return Journal.open({ file, logger, living: () => living })
}

function record(epoch: number, assignment = ''): JournalRecord {
  return { type: 'accepted', execution: 'executions/x', epoch: String(epoch), assignment }
}

test('what was appended is there at the next start, in order', async () => {
  const { journal, records } = await open()
  expect(records).toEqual([])
  await Promise.all([1, 2, 3].map((epoch) => journal.append([record(epoch)], epoch === 2)))
  await journal.append([record(4)], true)
  await journal.close()
  const again = await open()
  expect(again.records).toEqual([1, 2, 3, 4].map((epoch) => record(epoch)))
  await again.journal.close()
})

test('a line that a crash cut short is cut off, and the journal goes on', async () => {
  const { journal } = await open()
  await journal.append([record(1)], true)
  await journal.close()
  appendFileSync(file, '0000')
  const second = await open()
  expect(second.records).toEqual([record(1)])
  await second.journal.append([record(2)], true)
  await second.journal.close()
  const third = await open()
  expect(third.records).toEqual([record(1), record(2)])
  await third.journal.close()
})

test('a damaged line costs only itself', async () => {
  const { journal } = await open()
  for (const epoch of [1, 2, 3]) await journal.append([record(epoch)], false)
  await journal.close()
  const lines = readFileSync(file, 'utf8').split('\n')
  lines[1] = `x${lines[1]?.slice(1)}`
  writeFileSync(file, lines.join('\n'))
  const again = await open()
  expect(again.records).toEqual([record(1), record(3)])
  await again.journal.close()
})

test('lines longer than a piece of reading are whole', async () => {
  const long = 'y'.repeat(300_000)
  const { journal } = await open()
  await journal.append([record(1, long)], true)
  await journal.append([record(2)], true)
  await journal.close()
  const again = await open()
  expect(again.records).toEqual([record(1, long), record(2)])
  await again.journal.close()
})

test('a journal that is mostly dead is replaced by what lives, while it is appended to', async () => {
  const { journal } = await open([record(0)])
  const filler = 'z'.repeat(10_000)
  await Promise.all(
    Array.from({ length: 200 }, (_, index) => journal.append([record(index + 1, filler)], false)),
  )
  await journal.append([record(999)], true)
  expect(statSync(file).size).toBeLessThan(100_000)
  await journal.close()
  const { records, journal: again } = await open()
  expect(records[0]).toEqual(record(0))
  expect(records.at(-1)).toEqual(record(999))
  await again.close()
})

test.runIf(canMount())(
  'on a full disk the reserve takes some more records, then appends fail and harm nothing',
  async () => {
    execFileSync('/bin/mount', ['-t', 'tmpfs', '-o', 'size=2m', 'rota-test', folder])
    try {
      await fillDisk()
    } finally {
      execFileSync('/bin/umount', [folder])
    }
  },
)

async function fillDisk(): Promise<void> {
  const written: JournalRecord[] = []
  const { journal } = await open(written)
  let failures = 0
  for (let epoch = 0; epoch < 60; epoch++) {
    const next = record(epoch, 'x'.repeat(50_000))
    try {
      await journal.append([next], true)
      written.push(next)
    } catch {
      failures += 1
    }
  }
  expect(failures).toBeGreaterThan(0)
  // Without the megabyte of the reserve there were twenty.
  expect(written.length).toBeGreaterThan(30)
  await journal.close()
  const again = await open()
  expect(again.records).toEqual(written)
  await again.journal.close()
}

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
