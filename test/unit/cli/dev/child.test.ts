import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { afterEach, beforeEach, expect, it } from 'vitest'
import { Child, type ChildPlan } from '../../../../cli/dev/child.ts'
import { type Clock, systemClock } from '../../../../shared/clock.ts'
import { isProcessAlive } from '../../../../shared/lock-file.ts'

/** What the child under test does; `STARTS` counts its starts. */
const SCRIPT = `
import { appendFileSync, readFileSync } from 'node:fs'
appendFileSync(process.env.STARTS, '.')
const start = readFileSync(process.env.STARTS, 'utf8').length
process.on('disconnect', () => process.exit(0))
const behaviour = process.argv[2]
console.error('start ' + start)
if (behaviour === 'crash' && start < 3) process.exit(7)
if (behaviour === 'stubborn') process.on('SIGTERM', () => {})
console.log('not for us')
console.log(JSON.stringify({ pid: process.pid, start }))
`

let folder: string
let children: Child[]
const never = new AbortController().signal

/** Waits are 50 times shorter. */
const hastyClock: Clock = {
  ...systemClock,
  after: (delayMs, fn) => systemClock.after(delayMs / 50, fn),
}

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'rota-child-'))
  writeFileSync(join(folder, 'child.mjs'), SCRIPT)
  children = []
})
afterEach(async () => {
  for (const child of children) await child.stop(100_000, never)
  rmSync(folder, { recursive: true })
})

function start(behaviour: string, overrides: Partial<ChildPlan> = {}): Child {
  const child = new Child(
    {
      name: 'child',
      program: { script: pathToFileURL(join(folder, 'child.mjs')), nodeFlags: [] },
      logFile: join(folder, 'child.log'),
      stopSignal: 'SIGTERM',
      prepare: async () => ({ args: [behaviour], env: { STARTS: join(folder, 'starts') } }),
      onEnd: () => {},
      ...overrides,
    },
    hastyClock,
  )
  child.start()
  children.push(child)
  return child
}

const starts = () => readFileSync(join(folder, 'starts'), 'utf8').length

it('is ready with the first line of JSON, and logs to its file', async () => {
  const child = start('serve')
  expect(await child.ready).toMatchObject({ start: 1 })
  expect(readFileSync(join(folder, 'child.log'), 'utf8')).toBe('start 1\n')
})

it('is started again with growing delays, and its log goes on', async () => {
  const ends: [string, number][] = []
  const child = start('crash', { onEnd: (...end) => ends.push(end) })
  expect(await child.firstEnd).toBe('exit code 7')
  expect(await child.ready).toMatchObject({ start: 3 })
  expect(ends).toEqual([
    ['exit code 7', 1_000],
    ['exit code 7', 2_000],
  ])
  expect(readFileSync(join(folder, 'child.log'), 'utf8')).toBe('start 1\nstart 2\nstart 3\n')
})

it('is started again when it could not be prepared', async () => {
  const ends: string[] = []
  const child = start('serve', {
    prepare: async () => {
      if (ends.length === 0) throw new Error('no token yet')
      return { args: ['serve'], env: { STARTS: join(folder, 'starts') } }
    },
    onEnd: (end) => ends.push(end),
  })
  expect(await child.ready).toMatchObject({ start: 1 })
  expect(ends).toEqual(['no token yet'])
})

it('is gone after a stop, and stays so', async () => {
  const child = start('serve')
  const { pid } = (await child.ready) as { pid: number }
  expect(await child.stop(100_000, never)).toBe('ended')
  expect(isProcessAlive(pid)).toBe(false)
  expect(starts()).toBe(1)
})

it('is not started any more when it is stopped between two starts', async () => {
  const restarting = Promise.withResolvers<void>()
  const child = start('crash', { onEnd: () => restarting.resolve() })
  await restarting.promise
  await child.stop(100_000, never)
  expect(starts()).toBe(1)
})

it('is killed when it does not end in time', async () => {
  const child = start('stubborn')
  const { pid } = (await child.ready) as { pid: number }
  expect(await child.stop(1_000, never)).toBe('killed')
  expect(isProcessAlive(pid)).toBe(false)
})

it('is killed at once when the stop is forced', async () => {
  const child = start('stubborn')
  await child.ready
  const force = new AbortController()
  const stopped = child.stop(1_000_000, force.signal)
  force.abort()
  expect(await stopped).toBe('killed')
})
