/** Authenticates every call and refuses what access.ts does not allow, before any message reaches a handler. */
import {
  type Metadata,
  ServerInterceptingCall,
  type ServerInterceptingCallInterface,
  type ServerInterceptor,
} from '@grpc/grpc-js'
import { toGrpcStatus } from '../../shared/errors/rpc-status.ts'
import type { Authenticator, Credentials, Principal } from '../identity/principal.ts'
import { authorize } from './access.ts'
import type { ErrorBoundary } from './error-boundary.ts'

const ANONYMOUS: Principal = { kind: 'anonymous' }

/** The handlers see the same metadata object, and nothing else of the interceptor. */
const principals = new WeakMap<Metadata, Principal>()

/** Who made the call that this metadata came with. */
export function principalOf(metadata: Metadata): Principal {
  return principals.get(metadata) ?? ANONYMOUS
}

export function createAuthInterceptor(
  authenticator: Authenticator,
  boundary: ErrorBoundary,
): ServerInterceptor {
  return ({ path }, call) =>
    new ServerInterceptingCall(call, {
      start(next) {
        next({
          onReceiveMetadata(metadata, proceed) {
            authenticator
              .authenticate(readCredentials(call, metadata))
              .then((principal) => {
                authorize(path, principal)
                principals.set(metadata, principal)
                proceed(metadata)
              })
              .catch((error: unknown) => {
                const { known, requestId } = boundary.explain(error, { method: path })
                call.sendStatus(toGrpcStatus(known, requestId))
              })
          },
        })
      },
    })
}

function readCredentials(call: ServerInterceptingCallInterface, metadata: Metadata): Credentials {
  const header = metadata.get('authorization')[0]
  const certificate = call.getAuthContext().sslPeerCertificate
  return {
    authorization: header === undefined ? undefined : String(header),
    fingerprint: certificate?.fingerprint256?.replaceAll(':', '').toLowerCase(),
  }
}
