/** The proxy against a plain echo server: what it says it does to connections, it does. */
import { once } from 'node:events'
import { connect, createServer, type Server, type Socket } from 'node:net'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { type ChaosProxy, startChaosProxy } from '../../support/chaos-proxy.ts'
import { until } from '../../support/until.ts'

let echo: Server
let proxy: ChaosProxy
const serverSide: Socket[] = []
const clientSide: Socket[] = []

beforeEach(async () => {
  echo = await startEcho('')
  proxy = await startChaosProxy({ target: targetOf(echo), identify: async () => nextLabel })
})

afterEach(async () => {
  for (const socket of [...clientSide.splice(0), ...serverSide.splice(0)]) socket.destroy()
  await proxy.stop()
  echo.close()
})

/** Answers everything it hears with `prefix` before it. */
async function startEcho(prefix: string): Promise<Server> {
  const server = createServer({ allowHalfOpen: true }, (socket) => {
    serverSide.push(socket)
    socket.on('error', () => {})
    socket.on('data', (data) => void socket.write(prefix + data.toString('latin1'), 'latin1'))
    socket.on('end', () => socket.end())
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  return server
}

function targetOf(server: Server) {
  const address = server.address()
  if (typeof address !== 'object' || address === null) throw new Error('not listening')
  return { host: '127.0.0.1', port: address.port }
}

/** Who connects next, as the proxy is told. */
let nextLabel: string | undefined

interface Client {
  readonly socket: Socket
  heard(): string
  /** How it ended: `ended`, `reset`; undefined while it has not. */
  ended(): string | undefined
}

async function dial(): Promise<Client> {
  const socket = connect(proxy.port, '127.0.0.1')
  clientSide.push(socket)
  let heard = ''
  let ended: string | undefined
  socket.on('data', (data) => {
    heard += data.toString('latin1')
  })
  socket.on('end', () => {
    ended ??= 'ended'
  })
  socket.on('error', () => {
    ended ??= 'reset'
  })
  await once(socket, 'connect').catch(() => {})
  return { socket, heard: () => heard, ended: () => ended }
}

describe('a chaos proxy', () => {
  it('passes bytes and the end of a connection on', async () => {
    const client = await dial()
    client.socket.end('all of it')
    await until('the answer is there', () => client.heard() === 'all of it')
    await until('it ended', () => client.ended() === 'ended')
    await until('it is forgotten', () => proxy.connections() === 0)
  })

  it('keeps the order however much the delay varies, and takes its time', async () => {
    proxy.apply({ toTarget: { delayMs: 20, jitterMs: 30 }, fromTarget: { delayMs: 20 } })
    const client = await dial()
    const startMs = performance.now()
    const words = Array.from({ length: 50 }, (_, index) => `${index} `)
    for (const word of words) {
      client.socket.write(word)
      await new Promise((resolve) => setImmediate(resolve))
    }
    await until('all came back', () => client.heard() === words.join(''))
    expect(performance.now() - startMs).toBeGreaterThanOrEqual(40)
  })

  it('holds what is sent into a silence, its end too, and delivers it afterwards', async () => {
    const client = await dial()
    client.socket.write('before ')
    await until('it passes', () => client.heard() === 'before ')
    proxy.apply({ fromTarget: { isHeld: true } })
    client.socket.end('meanwhile')
    await until('the server got it', () => serverSide[0]?.readableEnded)
    expect(client.heard()).toBe('before ')
    expect(client.ended()).toBeUndefined()
    proxy.heal()
    await until('it arrives', () => client.heard() === 'before meanwhile')
    await until('its end too', () => client.ended() === 'ended')
  })

  it('lets a trickle through when the line is thin', async () => {
    proxy.apply({ fromTarget: { bytesPerSecond: 2_000 } })
    const client = await dial()
    client.socket.write('x'.repeat(500))
    await until('some of it is there', () => client.heard().length > 0)
    expect(client.heard().length).toBeLessThan(500)
    await until('all of it is there', () => client.heard().length === 500)
  })

  it('damages bytes, one of a chunk', async () => {
    proxy.apply({ toTarget: { damageChance: 1 } })
    const client = await dial()
    client.socket.write('aaaaaaaa')
    await until('it came back', () => client.heard().length === 8)
    expect([...client.heard()].filter((letter) => letter !== 'a')).toHaveLength(1)
  })

  it('abandons connections without a word, while new ones work', async () => {
    const old = await dial()
    old.socket.write('1')
    await until('it passes', () => old.heard() === '1')
    expect(proxy.abandon()).toBe(1)
    old.socket.write('2')
    const fresh = await dial()
    fresh.socket.write('3')
    await until('the new one works', () => fresh.heard() === '3')
    expect(old.heard()).toBe('1')
    expect(old.ended()).toBeUndefined()
  })

  it('resets connections at both ends, and refuses new ones on request', async () => {
    const client = await dial()
    client.socket.write('1')
    await until('it passes', () => client.heard() === '1')
    expect(proxy.reset()).toBe(1)
    await until('it is reset', () => client.ended() === 'reset')
    await until('the server sees it too', () => serverSide[0]?.closed)
    proxy.apply({ isRefusing: true })
    const refused = await dial()
    await until('it is refused', () => refused.ended() === 'reset')
  })

  it('follows rules of one peer only', async () => {
    proxy.apply({ fromTarget: { isHeld: true } }, 'worker-2')
    nextLabel = 'worker-1'
    const free = await dial()
    free.socket.write('free')
    await until('others are not held', () => free.heard() === 'free')
    nextLabel = 'worker-2'
    const held = await dial()
    held.socket.write('held')
    await until('the server got it', () => serverSide[1]?.bytesRead === 4)
    expect(held.heard()).toBe('')
    proxy.heal('worker-2')
    await until('it is let go', () => held.heard() === 'held')
    expect(proxy.connections('worker-2')).toBe(1)
  })

  it('sends new connections to another target', async () => {
    const other = await startEcho('other ')
    const before = await dial()
    proxy.retarget(targetOf(other))
    const after = await dial()
    after.socket.write('1')
    await until('the other answers', () => after.heard() === 'other 1')
    before.socket.write('2')
    await until('the old one goes on', () => before.heard() === '2')
    other.close()
  })
})
