import { homedir } from 'node:os'
import { isAbsolute, join } from 'node:path'
import { expect, test } from 'vitest'
import { agentFiles, coordinatorFiles, resolveDataDir } from '../../../shared/data-dir.ts'

test('the option wins over the environment, and that over the home folder', () => {
  expect(resolveDataDir('/option', '/environment')).toBe('/option')
  expect(resolveDataDir(undefined, '/environment')).toBe('/environment')
  expect(resolveDataDir(undefined, '')).toBe(join(homedir(), '.rota'))
  expect(resolveDataDir(undefined, undefined)).toBe(join(homedir(), '.rota'))
})

test('it is absolute', () => {
  expect(isAbsolute(resolveDataDir('data', undefined))).toBe(true)
})

test('every file lies in the data folder, each at a place of its own', () => {
  for (const files of [coordinatorFiles('/data'), agentFiles('/data')]) {
    const paths = Object.values(files)
    expect(paths.every((path) => path === '/data' || path.startsWith('/data/'))).toBe(true)
    expect(new Set(paths).size).toBe(paths.length)
  }
})
