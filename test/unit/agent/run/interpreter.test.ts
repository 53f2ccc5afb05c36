import { expect, test } from 'vitest'
import { chooseInterpreter, findProgram } from '../../../../agent/run/interpreter.ts'

const HERE = { path: process.env['PATH'] ?? '', workingDirectory: '/' }

test.each([
  [{ wanted: 'python3', head: '#!/bin/sh\n', path: 'a.rb' }, ['python3']],
  [{ wanted: '', head: '#!/bin/sh\necho', path: 'a.py' }, ['/bin/sh']],
  [
    { wanted: '', head: '#! /usr/bin/env -S node --no-warnings \r\n', path: '' },
    ['/usr/bin/env', '-S node --no-warnings'],
  ],
  [{ wanted: '', head: 'print(1)', path: '/x/a.PY' }, ['python3']],
  [{ wanted: '', head: '', path: 'a.mjs' }, ['node']],
  [{ wanted: '', head: '', path: 'a.b/c' }, ['sh']],
  [{ wanted: '', head: 'echo', path: '' }, ['sh']],
])('%j is run by %j', (script, expected) => {
  expect(chooseInterpreter(script)).toEqual(expected)
})

test('programs are found in PATH, or where they are named', async () => {
  expect(await findProgram('sh', HERE)).toMatch(/^\/.*\/sh$/)
  expect(await findProgram('/bin/sh', HERE)).toBe('/bin/sh')
  expect(await findProgram('bin/sh', HERE)).toBe('/bin/sh')
})

test('what is not there, or cannot run, is not found', async () => {
  expect(await findProgram('no-such-program', HERE)).toBeUndefined()
  expect(await findProgram('/etc/passwd', HERE)).toBeUndefined()
  expect(await findProgram('/etc', HERE)).toBeUndefined()
  // A relative folder of PATH would depend on where the agent was started.
  expect(await findProgram('sh', { path: 'bin', workingDirectory: '/' })).toBeUndefined()
})

test('node is there even where it is not installed', async () => {
  expect(await findProgram('node', { path: '', workingDirectory: '/' })).toBe(process.execPath)
})
