import { readdirSync, readFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { planMigrations } from '../../../../coordinator/store/plan-migrations.ts'

const known = ['0001-a', '0002-b', '0003-c']
const applied = (...names: string[]) => names.map((name) => ({ name, breaking: null }))

test('an empty database gets all, in order', () => {
  expect(planMigrations(known, [])).toEqual({ kind: 'ready', pending: known, later: [] })
})

test('what was left out between is made up for', () => {
  const plan = planMigrations(known, applied('0001-a', '0003-c'))
  expect(plan).toEqual({ kind: 'ready', pending: ['0002-b'], later: [] })
})

test('what a later release added is left alone', () => {
  const plan = planMigrations(known, applied(...known, '0004-d'))
  expect(plan).toEqual({ kind: 'ready', pending: [], later: ['0004-d'] })
})

test('what a later release broke refuses, what this release broke does not', () => {
  const broken = { name: '0004-d', breaking: 'c is gone' }
  expect(planMigrations(known, [...applied(...known), broken])).toEqual({
    kind: 'too_new',
    ...broken,
  })
  expect(planMigrations([...known, '0004-d'], [...applied(...known), broken])).toEqual({
    kind: 'ready',
    pending: [],
    later: [],
  })
})

test('the first line of each migration says whether it breaks, and its export says the same', async () => {
  const folder = new URL('../../../../coordinator/store/migrations/', import.meta.url)
  const files = readdirSync(folder).filter((file) => file.endsWith('.ts'))
  expect(files.length).toBeGreaterThan(1)
  for (const file of files) {
    const [, says] =
      /^\/\/ breaking: (yes|no)\b/.exec(readFileSync(new URL(file, folder), 'utf8')) ?? []
    const { breaking } = (await import(new URL(file, folder).pathname)) as { breaking?: string }
    expect(says, file).toBe(breaking === undefined ? 'no' : 'yes')
  }
})
