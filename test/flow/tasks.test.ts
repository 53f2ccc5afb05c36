import { execFileSync } from 'node:child_process'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type Execution, ExecutionState } from '../../proto/gen/rota/v1/execution.ts'
import { handler, shell } from '../support/spec.ts'
import { startTestCoordinator, type TestCoordinator } from '../support/test-coordinator.ts'

interface Heard {
  readonly method: string | undefined
  readonly url: string | undefined
  readonly headers: NodeJS.Dict<string | string[]>
  readonly body: string
}

let rota: TestCoordinator
let server: Server
let origin: string
const heard: Heard[] = []

beforeAll(async () => {
  server = createServer((request, response) => {
    const chunks: Buffer[] = []
    request.on('data', (chunk: Buffer) => chunks.push(chunk))
    request.on('end', () => {
      const { method, url, headers } = request
      heard.push({ method, url, headers, body: Buffer.concat(chunks).toString() })
      response.statusCode = Number(/status=(\d+)/.exec(url ?? '')?.[1] ?? 200)
      response.end('answered')
    })
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  rota = await startTestCoordinator()
  await rota.addAgent('worker-1')
})

afterAll(async () => {
  await rota.remove()
  server.close()
})

async function run(name: string, spec: object, request: object = {}): Promise<Execution> {
  await rota.createJob(name, spec)
  return rota.ended((await rota.trigger(name, request)).name)
}

const TYPED = [
  { name: 'region', kind: 'KIND_STRING', default: 'eu', choices: ['eu', 'us'] },
  { name: 'count', kind: 'KIND_INTEGER', default: '3' },
  { name: 'who', kind: 'KIND_STRING', required: true },
]

describe('parameters', () => {
  const command =
    'echo "region=$ROTA_PARAM_REGION" >> "$ROTA_OUTPUT"; echo "count=$ROTA_PARAM_COUNT" >> "$ROTA_OUTPUT"; echo "who=$ROTA_PARAM_WHO" >> "$ROTA_OUTPUT"'

  test('reach the job, the given ones over the defaults, and outputs come back', async () => {
    const execution = await run(
      'typed',
      { ...shell(command), parameters: TYPED },
      { parameters: { who: 'a "b" $c', count: '7' } },
    )
    expect(execution).toMatchObject({
      state: ExecutionState.SUCCEEDED,
      parameters: { region: 'eu', count: 7, who: 'a "b" $c' },
      outputs: { region: 'eu', count: '7', who: 'a "b" $c' },
    })
  })

  test.each([
    ['unknown', { who: 'x', regoin: 'eu' }, 'parameters["regoin"]'],
    ['of another kind', { who: 'x', count: 'many' }, 'parameters["count"]'],
    ['not one of the choices', { who: 'x', region: 'mars' }, 'parameters["region"]'],
    ['missing', {}, 'parameters["who"]'],
  ])('that are %s are refused', async (what, parameters, field) => {
    const name = `refused-${what.split(' ')[0]}`
    await rota.createJob(name, { ...shell('true'), parameters: TYPED })
    await expect(rota.trigger(name, { parameters })).rejects.toMatchObject({
      code: 'INVALID_ARGUMENT',
      violations: [{ field }],
    })
  })
})

describe('a script', () => {
  const scripts = {
    bash: 'echo "answer=$((6 * 7))" >> "$ROTA_OUTPUT"',
    python3: 'import os\nopen(os.environ["ROTA_OUTPUT"], "a").write("answer=%d\\n" % (6 * 7))',
    node: 'require("fs").appendFileSync(process.env.ROTA_OUTPUT, "answer=" + 6 * 7 + "\\n")',
  }
  for (const [interpreter, inline] of Object.entries(scripts)) {
    const why = isHere(interpreter) ? '' : ` (skipped: there is no ${interpreter} on this host)`
    test.skipIf(why !== '')(`runs inline by ${interpreter}${why}`, async () => {
      const execution = await run(`script-${interpreter}`, {
        task: { script: { inline, interpreter } },
      })
      expect(execution).toMatchObject({
        state: ExecutionState.SUCCEEDED,
        outputs: { answer: '42' },
      })
    })
  }

  test('of an interpreter that is not there fails to start, and says so', async () => {
    const script = { inline: 'x', interpreter: 'no-such-interpreter' }
    const execution = await run('script-none', { task: { script } })
    expect(execution).toMatchObject({
      state: ExecutionState.FAILED,
      reason: { code: 'START_FAILED' },
    })
  })
})

describe('an api call', () => {
  test('sends method, headers and body with its templates filled in', async () => {
    const execution = await run(
      'call',
      {
        task: {
          api: {
            method: 'POST',
            url: `${origin}/orders/{{parameters.order}}`,
            headers: { 'x-execution': '{{execution}}' },
            body: Buffer.from('{"order": "{{parameters.order}}"}').toString('base64'),
          },
        },
        parameters: [{ name: 'order', kind: 'KIND_STRING' }],
      },
      { parameters: { order: 'A-17' } },
    )
    expect(execution.state).toBe(ExecutionState.SUCCEEDED)
    const id = execution.name.split('/')[1]
    const request = heard.find(({ url }) => url === '/orders/A-17')
    expect(request).toMatchObject({ method: 'POST', body: '{"order": "A-17"}' })
    expect(request?.headers['x-execution']).toContain(id)
    expect(request?.headers['idempotency-key']).toBe(id)
    expect(request?.headers['rota-epoch']).toBe(String(execution.attempts[0]?.epoch))
  })

  test('fails on a status that is not expected, and succeeds on one that is', async () => {
    const api = { method: 'GET', url: `${origin}/?status=418` }
    expect(await run('teapot', { task: { api } })).toMatchObject({
      state: ExecutionState.FAILED,
      reason: { code: 'HTTP_STATUS' },
    })
    const expected = await run('expected', {
      task: { api: { ...api, expectedStatusCodes: [418] } },
    })
    expect(expected.state).toBe(ExecutionState.SUCCEEDED)
  })

  test('to nobody fails as such', async () => {
    const api = { method: 'GET', url: 'http://127.0.0.1:1/' }
    expect(await run('nobody', { task: { api } })).toMatchObject({
      state: ExecutionState.FAILED,
      reason: { code: 'HTTP_FAILED' },
    })
  })
})

describe('a handler', () => {
  test.each([
    ['noop', {}, ExecutionState.SUCCEEDED],
    ['echo', { message: 'hi' }, ExecutionState.SUCCEEDED],
    ['sleep', { duration: '0.01s' }, ExecutionState.SUCCEEDED],
    ['fail', { message: 'on purpose' }, ExecutionState.FAILED],
    ['log', { lines: 3 }, ExecutionState.SUCCEEDED],
  ])('%s does its work', async (name, payload, state) => {
    const execution = await run(`handler-${name}`, handler(name, payload))
    expect(execution.state).toBe(state)
  })

  test('that no worker has is refused when the job is made', async () => {
    await expect(rota.createJob('no-handler', handler('no-such-handler'))).rejects.toMatchObject({
      reason: 'CAPABILITY_UNKNOWN',
    })
  })
})

function isHere(program: string): boolean {
  try {
    execFileSync('sh', ['-c', `command -v ${program}`], { stdio: 'ignore' })
    return true
  } catch {
    return false
  }
}
