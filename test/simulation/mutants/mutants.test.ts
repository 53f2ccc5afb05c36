import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { CHECKED } from '../invariants.ts'
import { MUTANTS } from './mutants.ts'

const ROOT = join(import.meta.dirname, '../../..')

test.each(MUTANTS)('the mutant fits one place: $name', ({ file, find, replace, breaks }) => {
  const source = readFileSync(join(ROOT, file), 'utf8')
  expect(source.split(find).length - 1).toBe(1)
  expect(replace).not.toBe(find)
  expect(breaks.length).toBeGreaterThan(0)
  expect(breaks.filter((invariant) => !(invariant in CHECKED))).toEqual([])
})

test('there are twenty mutants or more, most of them in the product', () => {
  const names = new Set(MUTANTS.map(({ name }) => name))
  expect(names.size).toBe(MUTANTS.length)
  expect(names.size).toBeGreaterThanOrEqual(20)
  const inProduct = MUTANTS.filter(({ file }) => !file.startsWith('test/'))
  expect(inProduct.length).toBeGreaterThanOrEqual(14)
})
