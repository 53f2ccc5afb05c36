/**
 * Who may call what: every registered method stands here, or the server does not start. What is not allowed is refused
 * before a message is read.
 */
import type { UntypedServiceImplementation } from '@grpc/grpc-js'
import { RotaError } from '../../shared/errors/rota-error.ts'
import type { Principal } from '../identity/principal.ts'

/**
 * `public`: anybody. `token`: people and programs with an API token. `agent`: agents with a certificate. `joining`:
 * anybody, because the join token in the message is the credential, and agents that renew.
 */
export type Access = 'public' | 'token' | 'agent' | 'joining'

/** By service; every method of a service that is named here has its access. */
const SERVICE_ACCESS: Readonly<Record<string, Access>> = {
  'rota.v1.JobService': 'token',
  'rota.v1.ExecutionService': 'token',
  'rota.v1.WorkerService': 'token',
  'rota.v1.CalendarService': 'token',
  'rota.v1.FreezeService': 'token',
  'rota.v1.SystemService': 'token',
  'rota.agent.v1.AgentService': 'agent',
  'grpc.health.v1.Health': 'public',
  'grpc.reflection.v1.ServerReflection': 'token',
  'grpc.reflection.v1alpha.ServerReflection': 'token',
}

/** Methods that differ from their service. */
const METHOD_ACCESS: Readonly<Record<string, Access>> = {
  '/rota.agent.v1.AgentService/Enroll': 'joining',
}

/** The access of a method path such as `/rota.v1.JobService/GetJob`; undefined: nobody. */
export function accessOf(path: string): Access | undefined {
  const service = path.split('/')[1] ?? ''
  if (Object.hasOwn(METHOD_ACCESS, path)) return METHOD_ACCESS[path]
  return Object.hasOwn(SERVICE_ACCESS, service) ? SERVICE_ACCESS[service] : undefined
}

/** True for a method that changes something: every one that is not named as a question. */
export function isChange(path: string): boolean {
  const method = path.split('/')[2] ?? ''
  return !/^(Get|List|Tail|Watch|Explain|Preview|Check|ServerReflection)/.test(method)
}

/** Fails when a service has a method that nobody has decided about. */
export function requireAccess(definition: UntypedServiceImplementation | object): void {
  for (const method of Object.values(definition)) {
    const { path } = method as { path: string }
    if (accessOf(path) === undefined) throw new Error(`no access is decided for ${path}`)
  }
}

/** Throws unless the principal may call the method. */
export function authorize(path: string, principal: Principal): void {
  switch (accessOf(path)) {
    case 'public':
    case 'joining':
      return
    case 'token':
      requireKind(principal, 'token')
      return
    case 'agent':
      requireKind(principal, 'agent')
      return
    case undefined:
      throw new RotaError('PERMISSION_MISSING', `nobody may call ${path}`)
  }
}

function requireKind(principal: Principal, kind: 'token' | 'agent'): void {
  if (principal.kind === kind) return
  if (principal.kind === 'anonymous') {
    const wanted = kind === 'token' ? 'a token' : 'the certificate of an agent'
    throw new RotaError('CREDENTIALS_MISSING', `the call needs ${wanted}`)
  }
  throw new RotaError('PERMISSION_MISSING', `a ${principal.kind} may not call this method`)
}
