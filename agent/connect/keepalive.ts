/**
 * Notices that the peer of a control stream does not answer any more, whatever the reason, without a word while it does.
 *
 * Pings of grpc-js go out whether anything was heard or not; for a coordinator with a thousand agents they are more work
 * than all heartbeats. So it is asked only after a silence longer than the one between two answered heartbeats, with a
 * call of a method that no server has: that is refused by the server's gRPC library itself, at once, without a look at
 * credentials or a database, and by every version.
 */
import { type ClientDuplexStream, status as Status } from '@grpc/grpc-js'
import type {
  AgentServiceClient,
  ConnectRequest,
  ConnectResponse,
} from '../../proto/gen/rota/agent/v1/agent_service.ts'
import type { Clock, Timer } from '../../shared/clock.ts'

/** Agents of a large fleet hear an answer every 4 s. */
const ASK_AFTER_MS = 4_250
const ANSWER_MS = 1_750
const PROBE = '/rota.agent.v1.AgentService/Probe'
/** What grpc-js says by itself, without the peer. */
const OWN_STATUS: ReadonlySet<Status> = new Set([
  Status.DEADLINE_EXCEEDED,
  Status.UNAVAILABLE,
  Status.CANCELLED,
])

type Stream = Pick<ClientDuplexStream<ConnectRequest, ConnectResponse>, 'on' | 'call'>

/**
 * Ends `stream` with UNAVAILABLE when nothing is heard from the peer of `client`, although it was asked. Must be stopped
 * before the client is closed; the end of the stream does it, too.
 */
export function keepAlive(
  clock: Clock,
  client: Pick<AgentServiceClient, 'makeUnaryRequest'>,
  stream: Stream,
): { stop(): void } {
  let heardMs = clock.monotonicMs()
  const hear = () => {
    heardMs = clock.monotonicMs()
  }
  const look = () => {
    const askInMs = heardMs + ASK_AFTER_MS - clock.monotonicMs()
    if (askInMs > 0) timer = clock.after(askInMs, look)
    else {
      const askedMs = clock.monotonicMs()
      ask(clock, client, hear)
      timer = clock.after(ANSWER_MS, () => (heardMs >= askedMs ? look() : giveUp()))
    }
  }
  const giveUp = () => {
    const silentMs = Math.round(clock.monotonicMs() - heardMs)
    stream.call?.cancelWithStatus(Status.UNAVAILABLE, `nothing was heard for ${silentMs} ms`)
  }
  let timer: Timer = clock.after(ASK_AFTER_MS, look)
  stream.on('data', hear)
  const stop = () => timer.cancel()
  stream.on('error', stop)
  stream.on('end', stop)
  return { stop }
}

/** Calls `onAnswer` when the peer has said anything at all. */
function ask(
  clock: Clock,
  client: Pick<AgentServiceClient, 'makeUnaryRequest'>,
  onAnswer: () => void,
): void {
  const bytes = (value: Buffer) => value
  const deadline = clock.now().getTime() + ANSWER_MS
  client.makeUnaryRequest(PROBE, bytes, bytes, Buffer.alloc(0), { deadline }, (error) => {
    if (error === null || !OWN_STATUS.has(error.code)) onAnswer()
  })
}
