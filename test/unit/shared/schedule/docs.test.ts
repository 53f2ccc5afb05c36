/** What the documentation says of time is true. */
import { readFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { compileText } from '../../../../shared/schedule/language/compile-text.ts'
import type { FoldPolicy, GapPolicy } from '../../../../shared/schedule/next-instant.ts'
import { previewSchedule } from '../../../../shared/schedule/preview.ts'

/** Rows of the tables whose head begins so, their cells without quotes. */
function rowsOf(file: string, head: string): string[][] {
  const text = readFileSync(new URL(`../../../../docs/${file}`, import.meta.url), 'utf8')
  return text
    .split(/\n\n+/)
    .filter((block) => block.startsWith(head))
    .flatMap((block) => block.split('\n').slice(2))
    .filter((line) => line.startsWith('|'))
    .map((line) =>
      line
        .split('|')
        .slice(1, -1)
        .map((cell) => cell.trim().replaceAll('`', '')),
    )
}

const times = rowsOf('time.md', '| pattern | zone | after | policy | runs at |')

test('docs/time.md has its tables', () => {
  expect(times.length).toBeGreaterThan(30)
})

test.each(times)('docs/time.md: %s in %s after %s, %s', (expr, timeZone, after, policy, runs) => {
  const gap = ['run_after', 'skip', 'shift'].find((word) => word === policy) ?? 'run_after'
  const fold = ['first', 'last', 'both'].find((word) => word === policy) ?? 'first'
  const expected = (runs ?? '').split(', ')
  const answer = previewSchedule({
    expr: expr ?? '',
    timeZone: timeZone ?? '',
    from: new Date(after ?? ''),
    count: expected.length,
    dst: { gap: gap as GapPolicy, fold: fold as FoldPolicy },
  })
  const found = answer.kind === 'preview' ? answer.preview.times.map(({ local }) => local) : []
  expect(found.map((local) => `${local.slice(0, 16)}${local.slice(19)}`)).toEqual(expected)
})

const SAVED = { now: new Date('2026-11-20T10:00:00Z'), timeZone: 'Europe/Paris' }
const sentences = rowsOf('schedule-language.md', '| sentence | rule |')
const ambiguous = rowsOf('schedule-language.md', '| sentence | readings |')

test('docs/schedule-language.md has its tables', () => {
  expect([sentences.length > 20, ambiguous.length > 5]).toEqual([true, true])
})

test.each(sentences)('docs/schedule-language.md: %s', (text, compiled) => {
  expect(compileText({ text: text ?? '', ...SAVED })).toEqual({ kind: 'rule', compiled })
})

test.each(ambiguous)('docs/schedule-language.md refuses %s', (text, readings) => {
  const answer = compileText({ text: text ?? '', ...SAVED })
  expect(answer).toMatchObject({ kind: 'ambiguous', readings: readings?.split('<br>') })
})
