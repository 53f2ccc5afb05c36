/** The gRPC port: agents with certificates and clients with tokens, over TLS from the first byte. */
import { experimental, Server, type UntypedServiceImplementation } from '@grpc/grpc-js'
import { HealthService } from '../../proto/gen/grpc/health/v1/health.ts'
import { ServerReflectionService } from '../../proto/gen/grpc/reflection/v1/reflection.ts'
import { ServerReflectionService as ServerReflectionAlphaService } from '../../proto/gen/grpc/reflection/v1alpha/reflection.ts'
import {
  AgentServiceService,
  ConnectResponse,
} from '../../proto/gen/rota/agent/v1/agent_service.ts'
import { CalendarServiceService } from '../../proto/gen/rota/v1/calendar_service.ts'
import { ExecutionServiceService } from '../../proto/gen/rota/v1/execution_service.ts'
import { FreezeServiceService } from '../../proto/gen/rota/v1/freeze_service.ts'
import { JobServiceService } from '../../proto/gen/rota/v1/job_service.ts'
import { SystemServiceService } from '../../proto/gen/rota/v1/system_service.ts'
import { WorkerServiceService } from '../../proto/gen/rota/v1/worker_service.ts'
import { SERVER_OPTIONS } from '../../shared/channel-options.ts'
import { encodeMessage } from '../../shared/encode-message.ts'
import type { Service } from '../../shared/service.ts'
import type { CertificateAuthority } from '../identity/certificate-authority.ts'
import type { Authenticator } from '../identity/principal.ts'
import { requireAccess } from './access.ts'
import { type AgentServiceDeps, createAgentService } from './agent-service.ts'
import { createAuthInterceptor } from './auth-interceptor.ts'
import { createCalendarService } from './calendar-service.ts'
import { createCertificateProvider } from './certificate-provider.ts'
import { createExecutionService } from './execution-service.ts'
import { createFreezeService } from './freeze-service.ts'
import { createHealthService } from './health-service.ts'
import { createJobService } from './job-service.ts'
import { createCallLimits } from './limits/call-limits.ts'
import { CONNECTION_LIMITS, Connections } from './limits/connections.ts'
import { AT_ONCE, Turns } from './limits/turns.ts'
import { createReflection } from './reflection.ts'
import { tolerant } from './serve.ts'
import { createSystemService } from './system-service.ts'
import { createWorkerService } from './worker-service.ts'

export interface RpcServer extends Service {
  /** `host:port` once started. */
  address(): string
}

export interface RpcServerOptions {
  readonly host: string
  readonly port: number
  readonly authority: CertificateAuthority
  readonly authenticator: Authenticator
}

/** The one method whose answers are many and large. */
const AGENT_SERVICE = {
  ...AgentServiceService,
  connect: {
    ...AgentServiceService.connect,
    responseSerialize: (response: ConnectResponse) => encodeMessage(ConnectResponse, response),
  },
} as const

/** A call that waits longer for its turn is told to come again, in ms. */
const CALL_WAIT_MS = 5_000
/** Calls in flight get this long to finish, in ms; `tryShutdown` alone would wait for open streams for ever. */
const DRAIN_MS = 2_000
/** Then connections end; what they still have to send gets this long, in ms: the last answers, and why streams end. */
const FLUSH_MS = 500

export function createRpcServer(
  given: Omit<AgentServiceDeps, 'destroyPeer' | 'calls' | 'gatheredCalls'>,
  options: RpcServerOptions,
): RpcServer {
  const certificates = createCertificateProvider(given, options.authority)
  const credentials = experimental.createCertificateProviderServerCredentials(
    certificates,
    certificates,
    false,
  )
  const deps: AgentServiceDeps = {
    ...given,
    calls: new Turns(given.clock, { atOnce: AT_ONCE.calls, waitMs: CALL_WAIT_MS }),
    gatheredCalls: new Turns(given.clock, {
      atOnce: AT_ONCE.gatheredCalls,
      waitMs: CALL_WAIT_MS,
    }),
    destroyPeer: (peer) => connections.destroy(peer),
  }
  const connections: Connections = new Connections({
    ...deps,
    ...options,
    limits: CONNECTION_LIMITS,
    onConnection: (socket) => injector.injectConnection(socket),
  })
  const interceptor = createAuthInterceptor({
    ...deps,
    authenticator: options.authenticator,
    limits: createCallLimits(deps.clock),
    identify: (peer, principal) => connections.identify(peer, principal),
  })
  const server = new Server({ ...SERVER_OPTIONS, interceptors: [interceptor] })
  for (const [definition, implementation] of services(deps)) {
    requireAccess(definition)
    server.addService(tolerant(definition as never), implementation)
  }
  const injector = server.createConnectionInjector(credentials)
  return {
    address: () => connections.address(),
    async start() {
      await certificates.start()
      await connections.start()
    },
    async stop() {
      await connections.stop()
      const isDrained = await drain(deps, server)
      await connections.end(isDrained ? FLUSH_MS : 0)
      await certificates.stop()
    },
  }
}

function services(deps: AgentServiceDeps): [object, UntypedServiceImplementation][] {
  const own: [object, UntypedServiceImplementation][] = [
    [JobServiceService, createJobService(deps)],
    [ExecutionServiceService, createExecutionService(deps)],
    [WorkerServiceService, createWorkerService(deps)],
    [CalendarServiceService, createCalendarService(deps)],
    [FreezeServiceService, createFreezeService(deps)],
    [SystemServiceService, createSystemService(deps)],
    [AGENT_SERVICE, createAgentService(deps)],
  ]
  const names = own.map(([definition]) => serviceName(definition))
  return [
    ...own,
    [HealthService, createHealthService(deps, new Set(names))],
    [ServerReflectionService, createReflection(deps.boundary)],
    [ServerReflectionAlphaService, createReflection(deps.boundary)],
  ]
}

function serviceName(definition: object): string {
  const [first] = Object.values(definition) as { path: string }[]
  return first?.path.split('/')[1] ?? ''
}

/** False: calls are left. forceShutdown() does not end them, for without its statistics grpc-js knows no connections. */
function drain(deps: AgentServiceDeps, server: Server): Promise<boolean> {
  return new Promise((resolve) => {
    const timer = deps.clock.after(DRAIN_MS, () => {
      server.forceShutdown()
      resolve(false)
    })
    server.tryShutdown(() => {
      timer.cancel()
      resolve(true)
    })
  })
}
