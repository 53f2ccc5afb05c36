/** The agent's end of the wire: streams to conversations. What is said is the business of dispatch and report. */
import type { ServerDuplexStream, UntypedServiceImplementation } from '@grpc/grpc-js'
import * as api from '../../proto/gen/rota/agent/v1/agent_service.ts'
import { RotaError } from '../../shared/errors/rota-error.ts'
import { toGrpcStatus } from '../../shared/errors/rpc-status.ts'
import type { AgentStream } from '../dispatch/agent-session.ts'
import { toAttemptRef } from '../dispatch/check-hello.ts'
import type { Conversation } from '../dispatch/conversation.ts'
import type { CertificateWatch } from '../identity/certificate-watch.ts'
import { enroll } from '../identity/enrollment.ts'
import type { Principal } from '../identity/principal.ts'
import { createLogReceiver } from '../report/receive-logs.ts'
import { principalOf } from './auth-interceptor.ts'
import { checkRequest, complete, Malformed, unary } from './serve.ts'
import type { ServiceDeps } from './service-deps.ts'
import { createStreamWriter } from './stream-writer.ts'

export interface AgentServiceDeps extends ServiceDeps {
  readonly certificates: Pick<CertificateWatch, 'watch'>
  readonly converse: (peer: {
    readonly workerId: AgentPrincipal['workerId']
    readonly stream: AgentStream
  }) => Conversation
}

type AgentPrincipal = Extract<Principal, { kind: 'agent' }>
type ConnectCall = ServerDuplexStream<api.ConnectRequest, api.ConnectResponse>
type PushLogsCall = ServerDuplexStream<api.PushLogsRequest, api.PushLogsResponse>

export function createAgentService(deps: AgentServiceDeps): UntypedServiceImplementation {
  return complete(deps.boundary, api.AgentServiceService, {
    enroll: unary(
      deps.boundary,
      'AgentService/Enroll',
      async (request: api.EnrollRequest, { principal }) =>
        enroll(deps.enrollment, principal, request),
    ),
    connect: (call: ConnectCall) => connect(deps, call),
    pushLogs: (call: PushLogsCall) => pushLogs(deps, call),
  })
}

function connect(deps: AgentServiceDeps, call: ConnectCall): void {
  const agent = requireAgent(call)
  const end = createEnd(deps, call, 'AgentService/Connect')
  const writer = createStreamWriter<api.ConnectResponse>(call, end)
  const conversation = deps.converse({
    workerId: agent.workerId,
    stream: { send: (message) => writer.write({ message }), end },
  })
  const stopExpiry = endAtExpiry(deps, agent, end)
  const unwatch = deps.certificates.watch(agent.fingerprint, () => conversation.dismiss(revoked()))
  const take = async (request: api.ConnectRequest) => {
    // The texts of a hello are stored as they are; those of reports are cleaned (report/read-finished.ts).
    if (request.message?.$case === 'hello') checkRequest(request)
    await conversation.handle(request)
  }
  void read(call, take, end).finally(() => {
    stopExpiry()
    unwatch()
    conversation.end()
  })
}

function pushLogs(deps: AgentServiceDeps, call: PushLogsCall): void {
  const agent = requireAgent(call)
  const end = createEnd(deps, call, 'AgentService/PushLogs')
  const writer = createStreamWriter<api.PushLogsResponse>(call, end)
  const receiver = createLogReceiver(deps, toAttemptRef, agent.workerId)
  const stopExpiry = endAtExpiry(deps, agent, end)
  const unwatch = deps.certificates.watch(agent.fingerprint, () => end(revoked()))
  const take = async (request: api.PushLogsRequest) => writer.write(await receiver.receive(request))
  void read(call, take, end).finally(() => {
    stopExpiry()
    unwatch()
  })
}

/**
 * Messages one after the other; while one is handled the next is not read, so a flood waits at the agent. The iterator
 * must leave the call alone when a message is refused: grpc-js sends no status on a stream that is destroyed.
 */
async function read<Q>(
  call: Pick<ConnectCall, 'iterator' | 'end'>,
  handle: (request: Q) => Promise<void>,
  onError: (error: unknown) => void,
): Promise<void> {
  try {
    for await (const request of call.iterator({ destroyOnReturn: false })) {
      if (request instanceof Malformed) {
        throw new RotaError('MESSAGE_MALFORMED', 'a message cannot be decoded', {
          cause: request.cause,
        })
      }
      await handle(request as Q)
    }
    call.end()
  } catch (error) {
    onError(error)
  }
}

/** Ends a call once: the error that it is ended with comes back to whoever reads it. */
function createEnd(
  deps: AgentServiceDeps,
  call: { cancelled: boolean; emit(event: 'error', status: object): unknown },
  method: string,
): (error: unknown) => void {
  let isEnded = false
  return (error) => {
    if (isEnded || call.cancelled) return
    isEnded = true
    const { known, requestId } = deps.boundary.explain(error, { method })
    call.emit('error', toGrpcStatus(known, requestId))
  }
}

/** TLS looks at a certificate only when the connection is made; a stream would live on after its end. */
function endAtExpiry(
  deps: AgentServiceDeps,
  agent: AgentPrincipal,
  end: (error: unknown) => void,
): () => void {
  const leftMs = agent.expiresAt.getTime() - deps.clock.now().getTime()
  const timer = deps.clock.after(leftMs, () =>
    end(new RotaError('CERTIFICATE_INVALID', 'the certificate has expired')),
  )
  return () => timer.cancel()
}

function revoked(): RotaError {
  return new RotaError('CERTIFICATE_INVALID', 'the certificate was revoked')
}

function requireAgent(call: ConnectCall | PushLogsCall): AgentPrincipal {
  const principal = principalOf(call.metadata)
  if (principal.kind !== 'agent') throw new Error('the interceptor let a stranger pass')
  return principal
}
