/**
 * One open stream of an agent: read as fast as it may speak, and ended in time.
 *
 * S1. One message is handled at a time; while it is, and while the sender has to wait, the next one is not read.
 * S2. A stream ends once, with the reason; what its agent did to deserve it is noted (conduct/). From then on nothing is
 *     read. What was said before arrives before the reason.
 * S3. It ends with the certificate that opened it, expired or revoked: TLS looks at it only when the connection is made.
 * S4. Who does not take the end of the stream either loses the connection.
 */
import type { ServerDuplexStream } from '@grpc/grpc-js'
import type { Clock, Timer } from '../../shared/clock.ts'
import { RotaError } from '../../shared/errors/rota-error.ts'
import { toGrpcStatus } from '../../shared/errors/rpc-status.ts'
import type { Conduct, OffenceNote } from '../conduct/conduct.ts'
import type { CertificateWatch } from '../identity/certificate-watch.ts'
import type { WorkerId } from '../job/execution.ts'
import { principalOf } from './auth-interceptor.ts'
import type { ErrorBoundary } from './error-boundary.ts'
import { StreamPace, type StreamRates } from './limits/stream-pace.ts'
import { Malformed, messageBytes } from './serve.ts'

export interface AgentCallDeps {
  readonly boundary: ErrorBoundary
  readonly clock: Clock
  readonly conduct: Conduct
  readonly certificates: Pick<CertificateWatch, 'watch'>
  readonly destroyPeer: (peer: string) => void
}

export interface AgentCall {
  readonly workerId: WorkerId
  readonly workerName: string
  readonly clock: Clock
  /** Aborts when the stream is over, whoever ended it; the reason may still be on its way. */
  readonly signal: AbortSignal
  /** Counts what the agent did wrong. May end the stream. */
  note(note: OffenceNote): void
  end(error: unknown): void
}

/** A message is at most this large, in bytes; agents send no larger one. */
const MESSAGE_BYTES_MAX = 256 * 1024
/** From the end of a stream to that of its connection, when the peer takes neither. */
const END_MS = 5_000

type AnyCall = Pick<
  ServerDuplexStream<unknown, unknown>,
  'metadata' | 'cancelled' | 'getPeer' | 'emit' | 'on' | 'end' | 'pause' | 'resume'
>

export interface AgentCallOptions {
  /** e.g. `AgentService/Connect` */
  readonly method: string
  /** Ends the stream when its certificate was revoked. */
  readonly onRevoked?: (error: RotaError) => void
}

export function openAgentCall(
  deps: AgentCallDeps,
  call: AnyCall,
  { method, onRevoked }: AgentCallOptions,
): AgentCall {
  const principal = principalOf(call.metadata)
  if (principal.kind !== 'agent') throw new Error('the interceptor let a stranger pass')
  const { workerId, workerName, expiresAt, fingerprint } = principal
  const over = new AbortController()
  const timers: Timer[] = []
  let isEnded = false
  const note = (offence: OffenceNote) => deps.conduct.note(workerId, offence)
  const end = (error: unknown) => {
    if (isEnded || call.cancelled) return
    isEnded = true
    const { known, requestId } = deps.boundary.explain(error, { method })
    if (isOffence(known)) note({ offence: 'protocol', detail: known.message })
    timers.push(deps.clock.after(END_MS, () => deps.destroyPeer(call.getPeer())))
    call.emit('error', toGrpcStatus(known, requestId))
    over.abort()
  }
  const leftMs = expiresAt.getTime() - deps.clock.now().getTime()
  timers.push(
    deps.clock.after(leftMs, () =>
      end(new RotaError('CERTIFICATE_INVALID', 'the certificate has expired')),
    ),
  )
  const unwatchConduct = deps.conduct.watch(workerId, end)
  const unwatchCertificate = deps.certificates.watch(fingerprint, () => {
    const error = new RotaError('CERTIFICATE_INVALID', 'the certificate was revoked')
    ;(onRevoked ?? end)(error)
  })
  call.on('cancelled', () => {
    unwatchConduct()
    unwatchCertificate()
    for (const timer of timers) timer.cancel()
    over.abort()
  })
  return { workerId, workerName, clock: deps.clock, signal: over.signal, note, end }
}

export interface Reading<Q> {
  readonly rates: StreamRates
  /** How many attempts a message speaks of. */
  readonly entriesOf: (request: Q) => number
  readonly take: (request: Q) => Promise<void>
}

/**
 * Reads until the stream is over. By events: an async iterator destroys the call when it hears of the error that ends it,
 * and with it all that is still to be written, the last words and at times the status.
 */
export async function readAgentCall<Q extends object>(
  agent: AgentCall,
  call: AnyCall,
  { rates, entriesOf, take }: Reading<Q>,
): Promise<void> {
  const pace = new StreamPace(agent.clock, rates)
  const over = Promise.withResolvers<void>()
  const handle = async (request: unknown) => {
    try {
      const message = checkMessage<Q>(request)
      await take(message)
      const cost = { bytes: messageBytes(message), entries: entriesOf(message) }
      const isFlood = await pace.pause(cost, agent.signal)
      if (agent.signal.aborted) return
      if (isFlood) endFlood(agent)
      else call.resume()
    } catch (error) {
      agent.end(error)
    }
  }
  let handling = Promise.resolve()
  call.on('data', (request: unknown) => {
    call.pause()
    if (!agent.signal.aborted) handling = handle(request)
  })
  // While the last message is still being handled.
  call.on('end', () => {
    void handling.then(() => {
      if (!agent.signal.aborted) call.end()
      over.resolve()
    })
  })
  agent.signal.addEventListener('abort', () => over.resolve(), { once: true })
  await over.promise
}

function checkMessage<Q extends object>(request: unknown): Q {
  if (request instanceof Malformed) {
    const { cause } = request
    throw new RotaError('MESSAGE_MALFORMED', 'a message cannot be decoded', { cause })
  }
  if (messageBytes(request as Q) > MESSAGE_BYTES_MAX) {
    throw new RotaError('PROTOCOL_VIOLATION', `a message is larger than ${MESSAGE_BYTES_MAX} bytes`)
  }
  return request as Q
}

function endFlood(agent: AgentCall): void {
  const detail = 'messages without end, faster than any agent has something to say'
  agent.note({ offence: 'flood', detail })
  agent.end(new RotaError('RATE_LIMITED', detail))
}

/** True for what only a broken or hostile agent is told. */
function isOffence({ code, reason }: RotaError): boolean {
  return reason === 'PROTOCOL_VIOLATION' || code === 'INVALID_ARGUMENT'
}
