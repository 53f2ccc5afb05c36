/** Agents without work: each has a key of its own, a TLS connection and a stream, and beats as a real one does. */
import { createPrivateKey, generateKeyPairSync } from 'node:crypto'
import { credentials } from '@grpc/grpc-js'
import { keepAlive } from '../../agent/connect/keepalive.ts'
import { createCertificateRequest } from '../../agent/identity/certificate-request.ts'
import { PROTOCOL_VERSIONS } from '../../agent/version.ts'
import {
  AgentServiceClient,
  ConnectRequest,
  type ConnectResponse,
  Heartbeat,
  Hello,
} from '../../proto/gen/rota/agent/v1/agent_service.ts'
import { CONTROL_CHANNEL_OPTIONS } from '../../shared/channel-options.ts'
import { systemClock as clock, sleep } from '../../shared/clock.ts'
import { durationToMs } from '../../shared/duration.ts'
import { createLogger } from '../../shared/logger.ts'
import { Ticker } from '../../shared/ticker.ts'

/** New streams per second. */
const RAMP_PER_S = 50
/** Sessions that begin at the same time: a coordinator refuses a rush. */
const OPENING_MAX = 5
/** Until the coordinator says another one. */
const HEARTBEAT_MS = 2_000

const logger = createLogger({ name: 'bench', level: 'error' })

export interface AgentIdentity {
  readonly key: Buffer
  readonly chain: Buffer
}

/** Where agents connect to. */
export interface AgentTarget {
  readonly address: string
  readonly ca: Buffer
}

export interface Agent {
  readonly welcomed: Promise<void>
  readonly isOver: () => boolean
  close(): void
}

/** A key, and what is sent to have it certified. */
export function makeKey(): { readonly key: Buffer; readonly csrDer: Buffer } {
  const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
  const pem = privateKey.export({ type: 'pkcs8', format: 'pem' }).toString()
  const csrDer = createCertificateRequest(createPrivateKey(pem), 'bench')
  return { key: Buffer.from(pem), csrDer }
}

/** Answers when all are welcome; some are in `agents` even if that fails. */
export async function openAgents(
  agents: Agent[],
  target: AgentTarget,
  identities: readonly AgentIdentity[],
): Promise<void> {
  for (const identity of identities) {
    agents.push(openAgent(target, identity))
    await sleep(clock, 1_000 / RAMP_PER_S)
    await agents.at(-OPENING_MAX)?.welcomed
  }
  await Promise.all(agents.map(({ welcomed }) => welcomed))
}

function openAgent({ address, ca }: AgentTarget, { chain, key }: AgentIdentity): Agent {
  const secure = credentials.createSsl(ca, key, chain)
  const client = new AgentServiceClient(address, secure, CONTROL_CHANNEL_OPTIONS)
  const stream = client.connect()
  const alive = keepAlive(clock, client, stream)
  const welcomed = Promise.withResolvers<void>()
  // Who waits for it hears of it in time.
  welcomed.promise.catch(() => {})
  let isOver = false
  let sequence = 0n
  let heartbeatMs = HEARTBEAT_MS
  const beat = () => {
    sequence += 1n
    const value = Heartbeat.fromPartial({ sequence, agentTime: clock.now() })
    stream.write(ConnectRequest.fromPartial({ message: { $case: 'heartbeat', value } }))
  }
  const beating = new Ticker({
    name: 'heartbeat',
    clock,
    logger,
    runOnce: async () => {
      beat()
      return heartbeatMs
    },
  })
  stream.on('data', ({ message }: ConnectResponse) => {
    if (message?.$case !== 'welcome') return
    heartbeatMs = durationToMs(message.value.heartbeatInterval) ?? HEARTBEAT_MS
    welcomed.resolve()
    void beating.start()
  })
  stream.on('error', (error: Error) => {
    isOver = true
    void beating.stop()
    welcomed.reject(error)
  })
  const hello = Hello.fromPartial({
    protocolVersion: PROTOCOL_VERSIONS[0],
    slots: 4,
    capabilities: ['shell'],
  })
  stream.write(ConnectRequest.fromPartial({ message: { $case: 'hello', value: hello } }))
  return {
    welcomed: welcomed.promise,
    isOver: () => isOver,
    close() {
      void beating.stop()
      alive.stop()
      client.close()
    },
  }
}
