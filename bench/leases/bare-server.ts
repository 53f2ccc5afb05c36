/**
 * The least that answers heartbeats over grpc-js: the same TLS, messages, rounds and options as a coordinator's, and
 * nothing behind them. What a coordinator costs beyond this is Rota's own.
 */
import { readFileSync } from 'node:fs'
import { Server, ServerCredentials, type ServerDuplexStream } from '@grpc/grpc-js'
import {
  AgentServiceService,
  type ConnectRequest,
  type ConnectResponse,
} from '../../proto/gen/rota/agent/v1/agent_service.ts'
import { SERVER_OPTIONS } from '../../shared/channel-options.ts'
import { systemClock as clock } from '../../shared/clock.ts'
import { createLogger } from '../../shared/logger.ts'
import { Ticker } from '../../shared/ticker.ts'

type Stream = ServerDuplexStream<ConnectRequest, ConnectResponse>

const [caFile = '', keyFile = '', certificateFile = '', heartbeat = ''] = process.argv.slice(2)
const ROUND_MS = 2_000
const heartbeatMs = Number(heartbeat)
const unanswered = new Map<Stream, bigint>()

function connect(stream: Stream): void {
  stream.on('data', ({ message }: ConnectRequest) => {
    if (message?.$case === 'heartbeat') unanswered.set(stream, message.value.sequence)
    else if (message?.$case === 'hello') welcome(stream)
  })
  stream.on('cancelled', () => unanswered.delete(stream))
}

function welcome(stream: Stream): void {
  stream.write({
    message: {
      $case: 'welcome',
      value: {
        worker: '',
        session: '',
        heartbeatInterval: { seconds: BigInt(heartbeatMs / 1_000), nanos: 0 },
        lease: undefined,
        serverTime: clock.now(),
        coordinators: [],
        offerAgain: false,
      },
    },
  })
}

async function answerAll(): Promise<number> {
  for (const [stream, sequence] of unanswered) {
    stream.write({ message: { $case: 'heartbeatAck', value: { sequence } } })
  }
  unanswered.clear()
  return ROUND_MS
}

const server = new Server(SERVER_OPTIONS)
const absent = () => {
  throw new Error('only heartbeats are answered here')
}
server.addService(AgentServiceService, { connect, enroll: absent, pushLogs: absent })
const pair = { private_key: readFileSync(keyFile), cert_chain: readFileSync(certificateFile) }
const secure = ServerCredentials.createSsl(readFileSync(caFile), [pair], true)
server.bindAsync('127.0.0.1:0', secure, (error, port) => {
  if (error !== null) throw error
  const logger = createLogger({ name: 'bare', level: 'error' })
  void new Ticker({ name: 'answers', clock, logger, runOnce: answerAll }).start()
  process.stdout.write(`${JSON.stringify({ ready: true, address: `127.0.0.1:${port}` })}\n`)
})
