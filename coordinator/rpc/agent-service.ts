/** The agent's end of the wire: streams to conversations. What is said is the business of dispatch and report. */
import type { ServerDuplexStream, UntypedServiceImplementation } from '@grpc/grpc-js'
import * as api from '../../proto/gen/rota/agent/v1/agent_service.ts'
import type { Conduct } from '../conduct/conduct.ts'
import type { AgentStream } from '../dispatch/agent-session.ts'
import { checkHello, toAttemptRef } from '../dispatch/check-hello.ts'
import type { Conversation } from '../dispatch/conversation.ts'
import type { CertificateWatch } from '../identity/certificate-watch.ts'
import { enroll } from '../identity/enrollment.ts'
import type { WorkerId } from '../job/execution.ts'
import { createLogReceiver } from '../report/receive-logs.ts'
import { openAgentCall, readAgentCall } from './agent-call.ts'
import { HelloGate } from './limits/hello-gate.ts'
import { CONTROL_RATES, LOG_RATES } from './limits/stream-pace.ts'
import { AT_ONCE, Turns } from './limits/turns.ts'
import { checkRequest, complete, unary } from './serve.ts'
import type { ServiceDeps } from './service-deps.ts'
import { createStreamWriter } from './stream-writer.ts'

export interface AgentServiceDeps extends ServiceDeps {
  readonly certificates: Pick<CertificateWatch, 'watch'>
  readonly conduct: Conduct
  readonly converse: (peer: {
    readonly workerId: WorkerId
    readonly stream: AgentStream
  }) => Conversation
  /** Closes the connection of a peer, `address:port`, that does not listen any more. */
  readonly destroyPeer: (peer: string) => void
}

type ConnectCall = ServerDuplexStream<api.ConnectRequest, api.ConnectResponse>
type PushLogsCall = ServerDuplexStream<api.PushLogsRequest, api.PushLogsResponse>

export function createAgentService(deps: AgentServiceDeps): UntypedServiceImplementation {
  const logs = new Turns(deps.clock, { atOnce: AT_ONCE.logs })
  const gate = new HelloGate(deps.clock, (workerId, detail) =>
    deps.conduct.note(workerId, { offence: 'impostor', detail }),
  )
  return complete(deps.boundary, api.AgentServiceService, {
    enroll: unary(deps, 'AgentService/Enroll', async (request: api.EnrollRequest, { principal }) =>
      enroll(deps.enrollment, principal, request),
    ),
    connect: (call: ConnectCall) => connect(deps, gate, call),
    pushLogs: (call: PushLogsCall) => pushLogs(deps, logs, call),
  })
}

function connect(deps: AgentServiceDeps, gate: HelloGate, call: ConnectCall): void {
  const agent = openAgentCall(deps, call, {
    method: 'AgentService/Connect',
    onRevoked: (error) => conversation.dismiss(error),
  })
  const writer = createStreamWriter(call, {
    sizeOf: (response: api.ConnectResponse) => api.ConnectResponse.encode(response).finish().length,
    onOverflow: (error) => agent.end(error),
  })
  const conversation: Conversation = deps.converse({
    workerId: agent.workerId,
    stream: { send: (message) => writer.write({ message }), end: (error) => agent.end(error) },
  })
  let isGreeted = false
  const take = async (request: api.ConnectRequest) => {
    const { message } = request
    if (isGreeted || message?.$case !== 'hello') return conversation.handle(request)
    isGreeted = true
    // What is too large is refused before anything else looks at it. The texts of a hello are stored as they are; those of
    // reports are cleaned (report/read-finished.ts).
    checkHello(message.value)
    checkRequest(request)
    await gate.pass(agent.workerId, message.value, async () => conversation.handle(request))
  }
  void readAgentCall(agent, call, {
    rates: CONTROL_RATES,
    entriesOf: ({ message }: api.ConnectRequest) => entriesOf(message),
    take,
  }).finally(() => conversation.end())
}

function entriesOf(message: api.ConnectRequest['message']): number {
  switch (message?.$case) {
    case 'hello':
      return message.value.held.length
    case 'report': {
      const { accepted, refused, started, progressed, finished } = message.value
      return [accepted, refused, started, progressed, finished].reduce(
        (sum, list) => sum + list.length,
        0,
      )
    }
    default:
      return 1
  }
}

function pushLogs(deps: AgentServiceDeps, logs: Turns, call: PushLogsCall): void {
  const agent = openAgentCall(deps, call, { method: 'AgentService/PushLogs' })
  const writer = createStreamWriter<api.PushLogsResponse>(call, {
    sizeOf: () => ANSWER_BYTES,
    onOverflow: (error) => agent.end(error),
  })
  const receiver = createLogReceiver(deps, {
    workerId: agent.workerId,
    toRef: toAttemptRef,
    onOther: async (attempt) => deps.conduct.noteAttempts(agent, [attempt]),
  })
  void readAgentCall(agent, call, {
    rates: LOG_RATES,
    entriesOf: () => 1,
    take: async (request: api.PushLogsRequest) =>
      writer.write(await logs.take(async () => receiver.receive(request))),
  })
}

/** Names an execution and some numbers. */
const ANSWER_BYTES = 100
