/** The agent's end of the socket, against a warden of the test that says what it is told to say. */
import { once } from 'node:events'
import { mkdirSync, writeFileSync } from 'node:fs'
import { createServer, type Socket } from 'node:net'
import { dirname, join } from 'node:path'
import { pino } from 'pino'
import { expect, onTestFinished, test } from 'vitest'
import {
  encodeLine,
  LineReader,
  type ProcessEnd,
  type WardenReply,
  type WardenRequest,
} from '../../agent/warden/messages.ts'
import { SocketLink } from '../../agent/warden/socket-link.ts'
import { wardenFiles } from '../../agent/warden/warden-files.ts'
import { systemClock as clock } from '../../shared/clock.ts'
import { wardenLock } from '../../shared/data-dir.ts'
import { takeLock } from '../../shared/lock-file.ts'
import { readBootId } from '../../shared/process-stat.ts'
import { temporaryDataDir } from '../support/test-agent.ts'
import { until } from '../support/until.ts'

const KEY = '0190a0a0-0000-7000-8000-000000000001.7'
const END: ProcessEnd = {
  exit: { kind: 'exited', exitCode: 3 },
  cause: undefined,
  startTimeMs: 1_000,
  endTimeMs: 2_000,
  usage: {},
}
const RUNNING = { key: KEY, started: { process: undefined, startTimeMs: 1_000 }, end: undefined }

async function startFakeWarden() {
  const dataDir = await temporaryDataDir()
  const folder = dirname(wardenLock(dataDir))
  mkdirSync(folder, { recursive: true })
  mkdirSync(join(dataDir, 'attempts', KEY), { recursive: true })
  // Held by this process, which lives.
  const lock = takeLock(wardenLock(dataDir))
  const requests: WardenRequest[] = []
  const state = { welcome: [] as WardenReply[], agent: undefined as Socket | undefined }
  const server = createServer((socket) => {
    const reader = new LineReader()
    state.agent = socket
    socket.on('error', () => {})
    socket.on('data', (piece: Buffer) => {
      for (const line of reader.read(piece)) {
        const request: WardenRequest = JSON.parse(line)
        requests.push(request)
        if (request.type === 'hello') socket.write(state.welcome.map(encodeLine).join(''))
        if (request.type === 'ping') socket.write(encodeLine({ type: 'pong' }))
      }
    })
  })
  server.listen(join(folder, 'socket'))
  await once(server, 'listening')
  const link = new SocketLink({
    ...{ dataDir, clock, bootId: readBootId(), release: 'this' },
    logger: pino({ level: 'silent' }),
    startWarden: () => {
      throw new Error('nobody asked for another one')
    },
  })
  onTestFinished(async () => {
    await link.leave()
    server.close()
    if (lock.outcome === 'locked') lock.release()
  })
  const asked = (type: WardenRequest['type']) => requests.filter((each) => each.type === type)
  return { dataDir, link, requests, asked, state }
}

test('what ends between the welcome and its adoption is not lost', async () => {
  const { link, state } = await startFakeWarden()
  state.welcome = [
    { type: 'welcome', release: 'this', attempts: [RUNNING] },
    { type: 'ended', key: KEY, end: END },
  ]
  const held = (await link.open([{ key: KEY, process: undefined }])).get(KEY)
  expect(held).toEqual(RUNNING)
  expect(held && (await link.adopt(held))).toEqual(END)
})

test('a connection that breaks is made again: what runs goes on, and requests and lease are said again', async () => {
  const { link, asked, state } = await startFakeWarden()
  state.welcome = [{ type: 'welcome', release: 'this', attempts: [RUNNING] }]
  const held = (await link.open([])).get(KEY)
  if (held === undefined) throw new Error('it is not held')
  const ended = link.adopt(held)
  link.renewLease({ termAtMs: 1, killAtMs: 2 })
  link.stop(KEY, { kind: 'cancelled', reason: 'enough' }, 10)
  await until('it was heard', () => asked('stop').length === 1)
  state.agent?.destroy()
  await until('it is said again', () => asked('stop').length === 2 && asked('lease').length === 2)
  state.agent?.write(encodeLine({ type: 'ended', key: KEY, end: END }))
  expect(await ended).toEqual(END)
})

test('a warden that has forgotten an attempt has lost it, unless its end was written down', async () => {
  const { dataDir, link, state } = await startFakeWarden()
  const other = KEY.replace('.7', '.8')
  state.welcome = [
    { type: 'welcome', release: 'this', attempts: [RUNNING, { ...RUNNING, key: other }] },
  ]
  const held = await link.open([])
  const ends = [...held.values()].map((each) => link.adopt(each))
  writeFileSync(wardenFiles(dataDir).ends, `${JSON.stringify({ key: KEY, end: END })}\n`)
  state.welcome = [{ type: 'welcome', release: 'this', attempts: [] }]
  state.agent?.destroy()
  expect(await Promise.all(ends)).toMatchObject([
    { exit: END.exit },
    { cause: { kind: 'lost', reason: 'the warden of the agent was killed' } },
  ])
})

test('what a warden of the release before has written down counts, too', async () => {
  const { dataDir, link, state } = await startFakeWarden()
  state.welcome = [{ type: 'welcome', release: 'this', attempts: [] }]
  writeFileSync(join(dataDir, 'attempts', KEY, 'end.json'), JSON.stringify(END))
  const held = await link.open([{ key: KEY, process: undefined }])
  expect(held.get(KEY)?.end).toEqual(END)
})

test('what was forgotten while there was no warden, the next one hears', async () => {
  const { link, asked, state } = await startFakeWarden()
  link.forget(KEY)
  state.welcome = [{ type: 'welcome', release: 'this', attempts: [{ ...RUNNING, end: END }] }]
  await link.open([])
  await until('it is said', () => asked('forget').length === 1)
})

test('an idle warden of another release is ended, a busy one is kept', async () => {
  const busy = await startFakeWarden()
  busy.state.welcome = [{ type: 'welcome', release: 'before', attempts: [RUNNING] }]
  expect((await busy.link.open([])).size).toBe(1)
  expect(busy.asked('quit')).toEqual([])
  const idle = await startFakeWarden()
  idle.state.welcome = [
    { type: 'welcome', release: 'before', attempts: [{ ...RUNNING, end: END }] },
  ]
  const opened = idle.link.open([])
  await until('it is asked to end', () => idle.asked('quit').length === 1)
  idle.state.agent?.destroy()
  expect(await opened).toEqual(new Map())
})
