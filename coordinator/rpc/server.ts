/** The gRPC port: agents with certificates and clients with tokens, over TLS from the first byte. */
import { experimental, Server, type UntypedServiceImplementation } from '@grpc/grpc-js'
import { HealthService } from '../../proto/gen/grpc/health/v1/health.ts'
import { ServerReflectionService } from '../../proto/gen/grpc/reflection/v1/reflection.ts'
import { ServerReflectionService as ServerReflectionAlphaService } from '../../proto/gen/grpc/reflection/v1alpha/reflection.ts'
import { AgentServiceService } from '../../proto/gen/rota/agent/v1/agent_service.ts'
import { ExecutionServiceService } from '../../proto/gen/rota/v1/execution_service.ts'
import { JobServiceService } from '../../proto/gen/rota/v1/job_service.ts'
import { SystemServiceService } from '../../proto/gen/rota/v1/system_service.ts'
import { WorkerServiceService } from '../../proto/gen/rota/v1/worker_service.ts'
import { SERVER_OPTIONS } from '../../shared/channel-options.ts'
import { RotaError } from '../../shared/errors/rota-error.ts'
import type { Service } from '../../shared/service.ts'
import type { CertificateAuthority } from '../identity/certificate-authority.ts'
import type { Authenticator } from '../identity/principal.ts'
import { requireAccess } from './access.ts'
import { type AgentServiceDeps, createAgentService } from './agent-service.ts'
import { createAuthInterceptor } from './auth-interceptor.ts'
import { createCertificateProvider } from './certificate-provider.ts'
import { createExecutionService } from './execution-service.ts'
import { createHealthService } from './health-service.ts'
import { createJobService } from './job-service.ts'
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

/** Calls in flight get this long to finish, in ms; `tryShutdown` alone would wait for open streams for ever. */
const DRAIN_MS = 2_000

export function createRpcServer(deps: AgentServiceDeps, options: RpcServerOptions): RpcServer {
  const interceptor = createAuthInterceptor(options.authenticator, deps.boundary)
  const server = new Server({ ...SERVER_OPTIONS, interceptors: [interceptor] })
  for (const [definition, implementation] of services(deps)) {
    requireAccess(definition)
    server.addService(tolerant(definition as never), implementation)
  }
  const certificates = createCertificateProvider(deps, options.authority)
  let boundPort: number | undefined
  return {
    address: () => `${options.host}:${boundPort ?? options.port}`,
    async start() {
      await certificates.start()
      const credentials = experimental.createCertificateProviderServerCredentials(
        certificates,
        certificates,
        false,
      )
      boundPort = await bind(server, `${options.host}:${options.port}`, credentials)
    },
    async stop() {
      await drain(deps, server)
      await certificates.stop()
    },
  }
}

function services(deps: AgentServiceDeps): [object, UntypedServiceImplementation][] {
  const own: [object, UntypedServiceImplementation][] = [
    [JobServiceService, createJobService(deps)],
    [ExecutionServiceService, createExecutionService(deps)],
    [WorkerServiceService, createWorkerService(deps)],
    [SystemServiceService, createSystemService(deps)],
    [AgentServiceService, createAgentService(deps)],
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

function bind(
  server: Server,
  address: string,
  credentials: Parameters<Server['bindAsync']>[1],
): Promise<number> {
  return new Promise((resolve, reject) => {
    server.bindAsync(address, credentials, (error, port) => {
      if (error === null) return resolve(port)
      reject(
        new RotaError('UNREACHABLE', `gRPC cannot listen on ${address}: ${error.message}`, {
          hint: 'Is another coordinator running there? Choose another port with --grpc-port.',
          cause: error,
        }),
      )
    })
  })
}

function drain(deps: AgentServiceDeps, server: Server): Promise<void> {
  return new Promise((resolve) => {
    const timer = deps.clock.after(DRAIN_MS, () => {
      server.forceShutdown()
      resolve()
    })
    server.tryShutdown(() => {
      timer.cancel()
      resolve()
    })
  })
}
