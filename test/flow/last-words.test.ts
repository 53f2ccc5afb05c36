import { credentials, Server, ServerCredentials, type ServerDuplexStream } from '@grpc/grpc-js'
import { pino } from 'pino'
import { expect, onTestFinished, test } from 'vitest'
import type { WorkerId } from '../../coordinator/job/execution.ts'
import { openAgentCall, readAgentCall } from '../../coordinator/rpc/agent-call.ts'
import { createAuthInterceptor } from '../../coordinator/rpc/auth-interceptor.ts'
import { createErrorBoundary } from '../../coordinator/rpc/error-boundary.ts'
import { createCallLimits } from '../../coordinator/rpc/limits/call-limits.ts'
import { CONTROL_RATES } from '../../coordinator/rpc/limits/stream-pace.ts'
import {
  AgentServiceClient,
  AgentServiceService,
  ConnectRequest,
  type ConnectResponse,
} from '../../proto/gen/rota/agent/v1/agent_service.ts'
import { systemClock as clock } from '../../shared/clock.ts'
import { RotaError } from '../../shared/errors/rota-error.ts'
import { fromServiceError } from '../../shared/errors/rpc-status.ts'
import { systemRandom as random } from '../../shared/random.ts'

type Call = ServerDuplexStream<ConnectRequest, ConnectResponse>

const boundary = createErrorBoundary({ clock, random, logger: pino({ level: 'silent' }) })
const deps = {
  boundary,
  clock,
  conduct: { watch: () => () => {} } as never,
  certificates: { watch: () => () => {} },
  destroyPeer: () => {},
}
const principal = {
  kind: 'agent' as const,
  workerId: 1 as WorkerId,
  workerName: 'listener',
  fingerprint: '',
  expiresAt: new Date(clock.now().getTime() + 86_400_000),
}

/** Serves streams that are read as those of agents are; answers a client of it. */
async function serve(connect: (call: Call) => void): Promise<AgentServiceClient> {
  const authenticator = { isKnown: () => true, authenticate: async () => principal }
  const limits = createCallLimits(clock)
  const auth = createAuthInterceptor({ ...deps, authenticator, limits, identify: () => {} })
  const server = new Server({ interceptors: [auth] })
  server.addService(AgentServiceService, { connect, enroll: () => {}, pushLogs: () => {} })
  const port = await new Promise<number>((resolve, reject) => {
    server.bindAsync('127.0.0.1:0', ServerCredentials.createInsecure(), (error, bound) => {
      if (error === null) resolve(bound)
      else reject(error)
    })
  })
  const client = new AgentServiceClient(`127.0.0.1:${port}`, credentials.createInsecure())
  onTestFinished(() => {
    client.close()
    server.forceShutdown()
  })
  return client
}

/** Says these words to an agent whose first message has come, and refuses it in the same moment. */
function refuseWith(words: readonly string[]) {
  return (call: Call): void => {
    const agent = openAgentCall(deps, call, { method: 'AgentService/Connect' })
    void readAgentCall(agent, call, {
      rates: CONTROL_RATES,
      entriesOf: () => 1,
      take: async () => {
        for (const word of words) {
          call.write({ message: { $case: 'coordinators', value: { addresses: [word] } } })
        }
        agent.end(new RotaError('SESSION_ENDED', 'enough'))
      },
    })
  }
}

test.each([
  ['nothing', []],
  ['a word', ['stop']],
  ['many words', Array.from({ length: 200 }, (_, index) => `word ${index}`)],
  ['many long words', Array.from({ length: 10 }, (_, index) => `${index}`.repeat(100_000))],
])('%s said just before a stream is refused: it arrives before the refusal', async (_, words) => {
  const client = await serve(refuseWith(words))
  const heard: string[] = []
  const stream = client.connect()
  stream.on('data', ({ message }: ConnectResponse) => {
    if (message?.$case === 'coordinators') heard.push(...message.value.addresses)
  })
  const refusal = new Promise<string>((resolve) => {
    stream.on('error', (error) => resolve(fromServiceError(error as never).error.reason))
  })
  stream.write(ConnectRequest.fromPartial({}))
  expect(await refusal).toBe('SESSION_ENDED')
  expect(heard).toEqual(words)
})
