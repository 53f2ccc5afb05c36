import { once } from 'node:events'
import { connect, type Socket } from 'node:net'
import { pino } from 'pino'
import { afterEach, beforeEach, expect, test } from 'vitest'
import type { Principal } from '../../coordinator/identity/principal.ts'
import type { WorkerId } from '../../coordinator/job/execution.ts'
import { Connections } from '../../coordinator/rpc/limits/connections.ts'
import { createFakeClock, type FakeClock } from '../support/fake-clock.ts'
import { until } from '../support/until.ts'

const token: Principal = { kind: 'token', name: 'admin', role: 'admin' }
const agent: Principal = {
  kind: 'agent',
  fingerprint: 'f',
  workerId: 1 as WorkerId,
  workerName: 'worker-1',
  expiresAt: new Date(0),
}

const limits = { all: 40, strangers: 20, worker: 4, token: 30 }

let clock: FakeClock
let connections: Connections
/** As the server has them, in the order in which they came. */
let taken: Socket[]
const opened: Socket[] = []

beforeEach(async () => {
  clock = createFakeClock()
  taken = []
  connections = new Connections({
    host: '127.0.0.1',
    port: 0,
    clock,
    limits,
    logger: pino({ level: 'silent' }),
    onConnection: (socket) => void taken.push(socket.resume()),
  })
  await connections.start()
})

afterEach(async () => {
  await connections.stop()
  connections.destroyAll()
  for (const socket of opened.splice(0)) socket.destroy()
})

async function open(localAddress = '127.0.0.1'): Promise<Socket> {
  const [host = '', port = ''] = connections.address().split(':')
  const socket = connect({ host, port: Number(port), localAddress })
  opened.push(socket)
  socket.on('error', () => {}).resume()
  const known = taken.length
  await Promise.race([once(socket, 'connect'), once(socket, 'close')])
  await until('it is taken or closed', () => taken.length > known || socket.destroyed)
  return socket
}

function peerOf(socket: Socket): string {
  return `${socket.localAddress}:${socket.localPort}`
}

async function isClosed(socket: Socket): Promise<void> {
  await until('it is closed', () => socket.destroyed)
}

test('who says nothing is closed, who was identified stays', async () => {
  const [silent, known] = [await open(), await open()]
  await clock.advance(9_000)
  connections.identify(peerOf(known), token)
  await clock.advance(1_000)
  await isClosed(silent)
  await clock.advance(86_400_000)
  expect(known.destroyed).toBe(false)
  await until('only one is left', () => connections.size === 1)
  expect(connections.strangers).toBe(0)
})

test('who says a little now and then is waited for, but not for ever', async () => {
  const slow = await open()
  let said = 0
  const [mine] = taken
  while (!slow.destroyed && said < 20) {
    said += 1
    slow.write('x')
    await until('it is heard', () => mine?.bytesRead === said)
    await clock.advance(5_000)
    if (clock.monotonicMs() >= 60_000) await isClosed(slow)
  }
  expect(said).toBe(12)
})

test('who needs no credentials stays for a while after its last call', async () => {
  const probe = await open()
  for (let calls = 0; calls < 3; calls++) {
    await clock.advance(5_000)
    connections.identify(peerOf(probe), { kind: 'anonymous' })
  }
  await clock.advance(299_000)
  expect(probe.destroyed).toBe(false)
  expect(connections.strangers).toBe(1)
  await clock.advance(1_000)
  await isClosed(probe)
})

test('strangers of one address do not keep those of others out', async () => {
  const other = await open('127.0.0.2')
  const crowd: Socket[] = []
  for (let index = 0; index < limits.strangers + 5; index++) crowd.push(await open())
  for (const early of crowd.slice(0, 6)) await isClosed(early)
  expect(crowd.slice(6).some((socket) => socket.destroyed)).toBe(false)
  expect(other.destroyed).toBe(false)
  expect(connections.strangers).toBe(limits.strangers)
})

test('a worker that opens more and more loses its oldest ones', async () => {
  const sockets: Socket[] = []
  for (let index = 0; index < 8; index++) {
    const socket = await open()
    sockets.push(socket)
    connections.identify(peerOf(socket), agent)
  }
  for (const early of sockets.slice(0, 4)) await isClosed(early)
  expect(sockets.slice(4).some((socket) => socket.destroyed)).toBe(false)
})

test('more than there is room for are closed at once', async () => {
  for (let index = 0; index < limits.all; index++) {
    const principal = { ...token, name: `token-${index % 2}` }
    connections.identify(peerOf(await open()), principal)
  }
  await isClosed(await open())
  expect(connections.size).toBe(limits.all)
})

test('a port that is taken is said', async () => {
  const [host = '', port = ''] = connections.address().split(':')
  const second = new Connections({
    host,
    port: Number(port),
    clock,
    limits,
    logger: pino({ level: 'silent' }),
    onConnection: () => {},
  })
  await expect(second.start()).rejects.toMatchObject({ reason: 'UNREACHABLE' })
})
