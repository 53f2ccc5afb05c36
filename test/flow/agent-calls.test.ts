import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import { expect, onTestFinished, test } from 'vitest'
import { AttemptOutcome, LogStream } from '../../proto/gen/rota/v1/execution.ts'
import type { ApiTask } from '../../proto/gen/rota/v1/job.ts'
import { durationFromMs } from '../../shared/duration.ts'
import { apiOf } from '../support/assignments.ts'
import { startPair } from '../support/test-agent.ts'
import { until } from '../support/until.ts'

type Answer = (request: IncomingMessage, response: ServerResponse) => void

async function startSite(answer: Answer): Promise<string> {
  const server = createServer(answer)
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  onTestFinished(() => {
    server.closeAllConnections()
    server.close()
  })
  const address = server.address()
  if (address === null || typeof address === 'string') throw new Error('no port')
  return `http://127.0.0.1:${address.port}`
}

async function call(task: Partial<ApiTask>, change: Parameters<typeof apiOf>[1] = {}) {
  const { coordinator, session } = await startPair()
  const assignment = apiOf(task, change)
  session.assign(assignment)
  const finished = await coordinator.finished(assignment)
  const { execution, epoch } = assignment
  const read = (stream: LogStream) => coordinator.logs.read(execution, epoch, stream)
  await until('its output is stored', () => {
    const stored = read(LogStream.STDOUT).length + read(LogStream.STDERR).length
    return BigInt(stored) >= finished.logBytes
  })
  return {
    finished,
    assignment,
    body: read(LogStream.STDOUT),
    note: read(LogStream.STDERR).toString(),
  }
}

test('a call sends what the task says, and gives back status and body', async () => {
  const seen: { method?: string; url?: string; headers?: object; body?: string } = {}
  const site = await startSite((request, response) => {
    Object.assign(seen, { method: request.method, url: request.url, headers: request.headers })
    let body = ''
    request.on('data', (data) => {
      body += data
    })
    request.on('end', () => {
      seen.body = body
      response.writeHead(201, { 'content-type': 'application/json; charset=utf-8' })
      response.end('{"made": [1]}')
    })
  })
  const { finished, assignment, body, note } = await call(
    {
      method: 'POST',
      url: `${site}/items?day={{parameters.day}}`,
      headers: { 'X-Attempt': '{{attempt}}', 'Content-Type': 'text/plain' },
      body: Buffer.from('epoch {{epoch}}'),
    },
    { parameters: { day: 'a b' } },
  )
  const id = assignment.execution.replace('executions/', '')
  expect(seen).toMatchObject({
    method: 'POST',
    url: '/items?day=a%20b',
    headers: {
      'x-attempt': '1',
      'idempotency-key': id,
      'rota-epoch': String(assignment.epoch),
      'content-type': 'text/plain',
      'content-length': String(`epoch ${assignment.epoch}`.length),
    },
    body: `epoch ${assignment.epoch}`,
  })
  expect(finished).toMatchObject({
    outcome: AttemptOutcome.SUCCEEDED,
    outputs: {
      status: 201,
      content_type: 'application/json; charset=utf-8',
      body: { made: [1] },
    },
  })
  expect(body.toString()).toBe('{"made": [1]}')
  expect(note).toMatch(
    /^POST http:\/\/127\.0\.0\.1:\d+\/items -> 201 Created in \d+ ms, 13 bytes\n$/,
  )
})

test('a status that is not expected fails, with the answer kept', async () => {
  const site = await startSite((_request, response) => {
    response.writeHead(503, { 'content-type': 'text/plain' }).end('later')
  })
  const { finished, body } = await call({ url: site })
  expect(finished).toMatchObject({
    outcome: AttemptOutcome.FAILED,
    message: 'HTTP_STATUS: status 503 Service Unavailable, expected 2xx',
    outputs: { status: 503 },
  })
  expect(body.toString()).toBe('later')
})

test('the expected statuses can be named', async () => {
  const site = await startSite((_request, response) => void response.writeHead(404).end())
  expect((await call({ url: site, expectedStatusCodes: [404, 410] })).finished.outcome).toBe(
    AttemptOutcome.SUCCEEDED,
  )
  const { finished } = await call({ url: site, expectedStatusCodes: [200] })
  expect(finished.message).toBe('HTTP_STATUS: status 404 Not Found, expected 200')
})

test('redirects are followed only when asked for', async () => {
  const site = await startSite((request, response) => {
    if (request.url === '/old') response.writeHead(302, { location: '/new' }).end()
    else response.end('here')
  })
  const plain = await call({ url: `${site}/old` })
  expect(plain.finished).toMatchObject({ outputs: { status: 302 }, outcome: AttemptOutcome.FAILED })
  const followed = await call({ url: `${site}/old`, followRedirects: true })
  expect(followed.finished.outcome).toBe(AttemptOutcome.SUCCEEDED)
  expect(followed.body.toString()).toBe('here')
})

test('a redirect that goes round ends', async () => {
  const site = await startSite((_request, response) => {
    response.writeHead(302, { location: '/again' }).end()
  })
  const { finished } = await call({ url: site, followRedirects: true })
  expect(finished.message).toBe('HTTP_FAILED: more than 10 redirects')
})

test('a host that does not answer fails the call', async () => {
  const { finished, note } = await call({ url: 'http://127.0.0.1:1/x?secret=1' })
  expect(finished).toMatchObject({ outcome: AttemptOutcome.FAILED })
  expect(finished.message).toMatch(/^HTTP_FAILED: .*ECONNREFUSED/)
  expect(note).not.toContain('secret')
})

test('a call that takes too long is given up, also in the middle of its body', async () => {
  const isGone = Promise.withResolvers<void>()
  const site = await startSite((request, response) => {
    response.write('the beginning')
    request.on('close', isGone.resolve)
  })
  const { finished, body } = await call({ url: site }, { timeout: durationFromMs(400) })
  expect(finished).toMatchObject({ outcome: AttemptOutcome.TIMED_OUT })
  expect(finished.message).toMatch(/^TIMEOUT: ran longer than 400ms/)
  expect(body.toString()).toBe('the beginning')
  await isGone.promise
})

test('a template without a value fails, and nothing is sent', async () => {
  let calls = 0
  const site = await startSite((_request, response) => {
    calls += 1
    response.end()
  })
  const { finished } = await call({ url: `${site}/{{parameters.day}}` })
  expect(finished).toMatchObject({
    outcome: AttemptOutcome.FAILED,
    message: 'TEMPLATE_INVALID: url: {{parameters.day}} names nothing that this execution has',
  })
  expect(calls).toBe(0)
})

test('a body without an end is cut', async () => {
  const site = await startSite((_request, response) => {
    const chunk = Buffer.alloc(1024 * 1024, 'x')
    const more = () => {
      while (response.write(chunk) && !response.destroyed);
    }
    response.on('drain', more)
    more()
  })
  const { finished } = await call({ url: site })
  expect(finished.outcome).toBe(AttemptOutcome.SUCCEEDED)
  // The body alone is above the cap of what is shipped; the line about it comes on top.
  const written = Number(finished.logBytes + finished.logBytesDropped)
  expect(written - 16 * 1024 * 1024).toBeGreaterThan(40)
  expect(written - 16 * 1024 * 1024).toBeLessThan(200)
  expect(finished.logBytes).toBe(BigInt(10 * 1024 * 1024))
})
