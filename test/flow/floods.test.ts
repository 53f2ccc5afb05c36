import { randomBytes } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { type ClientHttp2Session, connect as connectHttp2 } from 'node:http2'
import { connect, type Socket } from 'node:net'
import { connect as connectTls } from 'node:tls'
import { gzipSync } from 'node:zlib'
import { credentials, Metadata, status as Status } from '@grpc/grpc-js'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { Progressed, Report } from '../../proto/gen/rota/agent/v1/agent_service.ts'
import { JobServiceClient, ListJobsRequest } from '../../proto/gen/rota/v1/job_service.ts'
import { CLIENT_CHANNEL_OPTIONS } from '../../shared/channel-options.ts'
import { usedBytes } from '../support/heap.ts'
import { diceOf, junkOf } from '../support/junk.ts'
import { everyMethod, openRawCaller, pathOf } from '../support/raw-call.ts'
import { connectScripted, joinScripted, type ScriptedSession } from '../support/scripted-agent.ts'
import { shell } from '../support/spec.ts'
import { startTestCoordinator, type TestCoordinator } from '../support/test-coordinator.ts'
import { until } from '../support/until.ts'

let rota: TestCoordinator
let honest: ScriptedSession

beforeAll(async () => {
  rota = await startTestCoordinator()
  honest = await connectScripted(rota, await joinScripted(rota, 'honest'))
})

afterAll(async () => {
  await rota.remove()
})

/** The agent that keeps to the rules has its session still, and is answered. */
async function expectUnaffected(): Promise<void> {
  const before = honest.answered()
  await until('its heartbeats are answered', () => honest.answered() > before + 1n)
}

function port(): number {
  return Number(rota.address().split(':')[1])
}

async function closed(sockets: readonly Socket[]): Promise<void> {
  await until('all are closed', () => sockets.every((socket) => socket.destroyed), 30_000)
}

/** How a call ends that says `body` after headers of its own. */
async function statusOf(
  session: ClientHttp2Session,
  headers: Record<string, string>,
  body: Buffer,
): Promise<string> {
  const stream = session.request({
    ':method': 'POST',
    ':path': '/rota.agent.v1.AgentService/Enroll',
    'content-type': 'application/grpc',
    te: 'trailers',
    ...headers,
  })
  stream.write(body)
  stream.resume()
  return new Promise((resolve) => {
    const take = (answer: Record<string, unknown>) => {
      const status = answer['grpc-status']
      if (status !== undefined) resolve(String(status))
    }
    stream.on('response', take)
    stream.on('trailers', take)
    stream.on('error', () => resolve('reset'))
  })
}

/** How calls end of whose message of 1,000 bytes ten come. */
async function endOfHalfCalls(): Promise<Set<string>> {
  const session = connectHttp2(`https://${rota.address()}`, { rejectUnauthorized: false })
  const begun = Buffer.concat([Buffer.from('00000003e8', 'hex'), Buffer.alloc(10)])
  const ended = Array.from({ length: 20 }, async () => statusOf(session, {}, begun))
  return new Set(await Promise.all(ended).finally(() => session.destroy()))
}

test('junk, silence and half a message are borne for seconds, and harm nobody', async () => {
  const before = usedBytes()
  const halves = endOfHalfCalls()
  const plain = Array.from({ length: 60 }, (_, index) => {
    const socket = connect(port(), '127.0.0.1')
    socket.on('error', () => {}).resume()
    if (index % 3 === 0) socket.write(randomBytes(4_000))
    if (index % 3 === 1) socket.write('GET / HTTP/1.1\r\nHost: rota\r\n\r\n')
    // The beginning of a handshake that never goes on.
    if (index % 3 === 2) socket.write(Buffer.from('1603010200010001fc0303', 'hex'))
    return socket
  })
  const inside = Array.from({ length: 60 }, (_, index) => {
    const options = { rejectUnauthorized: false, ALPNProtocols: ['h2'] }
    const socket = connectTls({ port: port(), host: '127.0.0.1', ...options })
    socket.on('error', () => {}).resume()
    socket.on('secureConnect', () => {
      if (index % 3 === 0) socket.write(randomBytes(4_000))
      if (index % 3 === 1) socket.write('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n')
      if (index % 3 === 1) socket.write(randomBytes(4_000))
      // The rest say nothing at all.
    })
    return socket
  })
  await expectUnaffected()
  // Those that are silent too: nobody waits for them for long.
  await closed([...plain, ...inside])
  expect(await halves).toEqual(new Set([`${Status.RESOURCE_EXHAUSTED}`]))
  expect(usedBytes() - before).toBeLessThan(32 * 1024 * 1024)
})

test('what is compressed is not unpacked', async () => {
  const session = connectHttp2(`https://${rota.address()}`, { rejectUnauthorized: false })
  const bomb = gzipSync(Buffer.alloc(1024 * 1024))
  const frame = Buffer.alloc(5)
  frame.writeUInt8(1, 0)
  frame.writeUInt32BE(bomb.length, 1)
  const bombs = Buffer.concat(Array(10).fill(Buffer.concat([frame, bomb])))
  expect(await statusOf(session, { 'grpc-encoding': 'gzip' }, bombs)).toBe(
    `${Status.UNIMPLEMENTED}`,
  )
  session.destroy()
})

test('two thousand cancelled calls of one client are that client’s own business', async () => {
  const secure = credentials.createSsl(readFileSync(rota.files.caCertificate))
  const client = new JobServiceClient(rota.address(), secure, CLIENT_CHANNEL_OPTIONS)
  const metadata = new Metadata()
  metadata.set('authorization', `Bearer ${rota.token()}`)
  const results = Array.from(
    { length: 2_000 },
    async (_, index) =>
      new Promise<void>((resolve) => {
        const call = client.listJobs(ListJobsRequest.fromPartial({}), metadata, () => resolve())
        setTimeout(() => call.cancel(), index % 50)
      }),
  )
  await Promise.all(results)
  await expectUnaffected()
  client.close()
})

test('thousands of calls with wrong credentials are refused, in constant memory', async () => {
  const caller = openRawCaller(rota, { authorization: 'Bearer rota_wrong' })
  const paths = everyMethod().filter(({ methodKind }) => methodKind === 'unary')
  const callAll = async () =>
    Promise.all(
      paths.map(async (method) => caller.call(pathOf(method), 'unary', randomBytes(1_000))),
    )
  await callAll()
  const before = usedBytes()
  const reasons = new Set<string>()
  for (let round = 0; round < 40; round++) {
    for (const answer of await callAll()) {
      if (answer instanceof Error) reasons.add(answer.reason)
    }
  }
  expect(reasons).toContain('RATE_LIMITED')
  expect(usedBytes() - before).toBeLessThan(16 * 1024 * 1024)
  caller.close()
  // Who is known is let in, from the same address.
  await rota.jobs.listJobs({})
  await expectUnaffected()
})

test('an agent that says more than it can mean is read slowly, then cut off', async () => {
  const identity = await joinScripted(rota, 'flood')
  const flood = await connectScripted(rota, identity, { capabilities: ['shell', 'flood'] })
  await rota.createJob('flood', { ...shell('true'), placement: { capabilities: ['flood'] } })
  const { name } = await rota.trigger('flood')
  const { epoch } = await flood.assignment(name)
  const ref = { execution: name, epoch }
  await flood.report({ accepted: [ref], started: [{ ...ref, startTime: new Date() }] })
  const before = usedBytes()
  const progressed = Array.from({ length: 3_000 }, (_, index) =>
    Progressed.fromPartial({ ...ref, progress: index / 3_000 }),
  )
  const push = setInterval(() => {
    flood.send({ $case: 'report', value: Report.fromPartial({ progressed }) })
  }, 100)
  const { reason } = await flood.ended
  clearInterval(push)
  expect(reason).toBe('RATE_LIMITED')
  await until('it is counted', async () => {
    const { worker } = await rota.workers.getWorker({ name: 'workers/flood' })
    return worker?.refusedMessageCount === 1n
  })
  expect(usedBytes() - before).toBeLessThan(64 * 1024 * 1024)
  await expectUnaffected()
})

test('bytes that mean nothing, on every stream of an agent, harm nobody else', async () => {
  const inputs = everyMethod().filter(({ methodKind }) => methodKind === 'bidi_streaming')
  const agentMethods = inputs.filter(({ parent }) => parent.typeName.startsWith('rota.agent.'))
  expect(agentMethods.map(({ name }) => name)).toEqual(['Connect', 'PushLogs'])
  const answers = new Set<string>()
  const identity = await joinScripted(rota, 'babbler')
  for (let seed = 0; seed < 150; seed++) {
    const caller = openRawCaller(rota, { identity })
    for (const method of agentMethods) {
      const dice = diceOf(seed)
      const typed = junkOf(method.input, dice)
      // Some of it is well typed, some is damaged, some is noise.
      const cut = typed.subarray(0, Math.floor(typed.length * dice()))
      const bytes = [typed, cut, randomBytes(1 + (seed % 200))][seed % 3] as Buffer
      const answer = await caller.call(pathOf(method), method.methodKind, bytes)
      answers.add(answer instanceof Error ? answer.reason : 'answered')
    }
    caller.close()
    if (answers.has('WORKER_QUARANTINED'))
      await rota.workers.releaseWorker({ name: 'workers/babbler' })
    answers.delete('WORKER_QUARANTINED')
  }
  expect([...answers]).toEqual(expect.arrayContaining(['PROTOCOL_VIOLATION', 'MESSAGE_MALFORMED']))
  expect([...answers]).not.toContain('INTERNAL')
  await expectUnaffected()
})
