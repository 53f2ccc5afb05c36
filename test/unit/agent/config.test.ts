import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { readConfig } from '../../../agent/config.ts'

let folder: string

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'rota-config-'))
})

afterEach(() => {
  rmSync(folder, { recursive: true })
})

function read(args: readonly string[], environment: Record<string, string> = {}) {
  return readConfig(['run', '--data-dir', folder, ...args], environment)
}

test('flags win over variables, variables over what joining has stored', () => {
  const stored = JSON.stringify({ coordinator: 'stored:1', worker: 'stored' })
  writeFileSync(join(folder, 'agent.json'), stored)
  expect(read([])).toMatchObject({ coordinators: ['stored:1'], workerName: 'stored' })
  const environment = { ROTA_COORDINATOR: 'variable:2', ROTA_WORKER_NAME: 'variable' }
  expect(read([], environment)).toMatchObject({
    coordinators: ['variable:2'],
    workerName: 'variable',
  })
  const flags = ['--coordinator', 'a:3,[::1]:4', '--name', 'flag']
  expect(read(flags, environment)).toMatchObject({
    coordinators: ['a:3', '[::1]:4'],
    workerName: 'flag',
  })
})

test('lists and labels are taken apart', () => {
  const config = read([
    ...['--coordinator', 'a:1', '--capabilities', 'shell, gpu,shell'],
    ...['--labels', 'region=eu,tier=', '--slots', '12'],
  ])
  expect(config.capabilities).toEqual(['shell', 'gpu'])
  expect(config.labels).toEqual({ region: 'eu', tier: '' })
  expect(config.slots).toBe(12)
})

test('the join token comes from a file, or from the environment', () => {
  const file = join(folder, 'token')
  writeFileSync(file, 'from-file\n')
  const variable = { ROTA_COORDINATOR: 'a:1', ROTA_JOIN_TOKEN: ' from-variable ' }
  expect(read([], variable).joinToken).toBe('from-variable')
  expect(read(['--join-token-file', file], variable).joinToken).toBe('from-file')
  expect(read([], { ROTA_COORDINATOR: 'a:1' }).joinToken).toBeUndefined()
})

test('jobs see a short list of the environment only', () => {
  const secrets = { ROTA_JOIN_TOKEN: 'secret', AWS_SECRET_ACCESS_KEY: 'secret' }
  const config = read([], { ROTA_COORDINATOR: 'a:1', ...secrets, PATH: '/bin', TZ: 'UTC' })
  expect(config.jobEnvironment).toEqual({ PATH: '/bin', TZ: 'UTC' })
})

test('the default folder is one of its own', () => {
  const place = { ROTA_COORDINATOR: 'a:1' }
  expect(readConfig(['run'], place).dataDir).toMatch(/\.rota\/agent$/)
  expect(readConfig(['run'], { ...place, ROTA_DATA_DIR: folder }).dataDir).toBe(folder)
})

test.each([
  [['--coordinator', 'nowhere'], /--coordinator: "nowhere" is not HOST:PORT/],
  [['--coordinator', 'a:70000'], /is not HOST:PORT/],
  [['--coordinator', 'a:1', '--name', 'Worker 1'], /--name: "Worker 1" cannot be a worker id/],
  [['--coordinator', 'a:1', '--capabilities', 'a,B c'], /--capabilities: "B c"/],
  [['--coordinator', 'a:1', '--labels', 'region'], /--labels: "region" is not KEY=VALUE/],
  [['--coordinator', 'a:1', '--slots', '0'], /--slots: "0" is not a whole number from 1/],
  [['--coordinator', 'a:1', '--slots', '2.5'], /--slots: "2.5"/],
  [['--coordinator', 'a:1', '--log-level', 'loud'], /--log-level: "loud" is not a level/],
  [['--coordinator', 'a:1', '--join-token-file', '/nowhere/token'], /--join-token-file: cannot be/],
  [[], /no coordinator is known/],
  [['--colour'], /--colour/],
  [['now'], /unknown command run now/],
])('%j is refused with what is wrong and what to do', (args, message) => {
  expect(() => read(args)).toThrow(
    expect.objectContaining({
      message: expect.stringMatching(message),
      hint: expect.stringMatching(/.{10,}/),
      code: 'INVALID_ARGUMENT',
    }),
  )
})
