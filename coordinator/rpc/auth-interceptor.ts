/** Authenticates every call and refuses what access.ts and the limits do not allow, before any message is read. */
import {
  type Metadata,
  ServerInterceptingCall,
  type ServerInterceptingCallInterface,
  type ServerInterceptor,
  status as Status,
} from '@grpc/grpc-js'
import type { Clock, Timer } from '../../shared/clock.ts'
import { RotaError } from '../../shared/errors/rota-error.ts'
import { toGrpcStatus } from '../../shared/errors/rpc-status.ts'
import type { Authenticator, Credentials, Principal } from '../identity/principal.ts'
import { authorize } from './access.ts'
import type { ErrorBoundary } from './error-boundary.ts'
import type { CallLimits } from './limits/call-limits.ts'

export interface AuthOptions {
  readonly authenticator: Authenticator
  readonly boundary: ErrorBoundary
  readonly clock: Clock
  readonly limits: CallLimits
  /** Told who calls from this peer, `address:port`. */
  readonly identify: (peer: string, principal: Principal) => void
}

/** From the headers of a call to its first message: what has not come is not waited for. */
const MESSAGE_MS = 10_000
const ANONYMOUS: Principal = { kind: 'anonymous' }

/** The handlers see the same metadata object, and nothing else of the interceptor. */
const principals = new WeakMap<Metadata, Principal>()

/** Who made the call that this metadata came with. */
export function principalOf(metadata: Metadata): Principal {
  return principals.get(metadata) ?? ANONYMOUS
}

export function createAuthInterceptor(options: AuthOptions): ServerInterceptor {
  return ({ path }, call) => {
    const entry = new Entry(options, path, call)
    return new ServerInterceptingCall(call, {
      start(next) {
        next({
          onReceiveMetadata: (metadata, proceed) => void entry.enter(metadata, proceed),
          onReceiveMessage(message, proceed) {
            entry.heard()
            proceed(message)
          },
          onCancel: () => entry.leave(),
        })
      },
      sendStatus(status, next) {
        if (status.code === Status.UNAUTHENTICATED) entry.failed()
        next(status)
      },
    })
  }
}

/** One call, from its headers to its end. */
class Entry {
  readonly #options: AuthOptions
  readonly #path: string
  readonly #call: ServerInterceptingCallInterface
  readonly #address: string
  #isOver = false
  #deadline: Timer | undefined
  #leave: (() => void) | undefined

  constructor(options: AuthOptions, path: string, call: ServerInterceptingCallInterface) {
    this.#options = options
    this.#path = path
    this.#call = call
    this.#address = call.getConnectionInfo().remoteAddress ?? ''
  }

  async enter(metadata: Metadata, proceed: (metadata: Metadata) => void): Promise<void> {
    try {
      refuseCompression(this.#call)
      const principal = await this.#authenticate(metadata)
      if (this.#isOver) return
      authorize(this.#path, principal)
      const { limits, clock } = this.#options
      this.#leave = limits.admit({ path: this.#path, address: this.#address, principal })
      this.#options.identify(this.#call.getPeer(), principal)
      this.#deadline = clock.after(MESSAGE_MS, () => this.#refuse(tooSlow()))
      principals.set(metadata, principal)
      proceed(metadata)
    } catch (error) {
      this.#refuse(error)
    }
  }

  /** A message has come. */
  heard(): void {
    this.#deadline?.cancel()
  }

  /** The credentials, in the headers or in the message, were wrong. */
  failed(): void {
    this.#options.limits.noteFailure(this.#address)
  }

  leave(): void {
    this.#isOver = true
    this.#deadline?.cancel()
    this.#leave?.()
    this.#leave = undefined
  }

  async #authenticate(metadata: Metadata): Promise<Principal> {
    const { authenticator, limits } = this.#options
    const credentials = readCredentials(this.#call, metadata)
    if (!authenticator.isKnown(credentials)) limits.admitAddress(this.#address)
    return authenticator.authenticate(credentials)
  }

  #refuse(error: unknown): void {
    const { known, requestId } = this.#options.boundary.explain(error, { method: this.#path })
    // That there are none cost nobody a lookup.
    const isWrong = known.code === 'UNAUTHENTICATED' && known.reason !== 'CREDENTIALS_MISSING'
    if (isWrong) this.failed()
    this.#call.sendStatus(toGrpcStatus(known, requestId))
  }
}

/**
 * A kilobyte can unpack to a megabyte, many times over in one frame; no message here is large enough to gain by it.
 * grpc-js takes the header out of the metadata, so this reads its own field (1.14.7; a test watches it).
 */
function refuseCompression(call: ServerInterceptingCallInterface): void {
  const encoding: unknown = Reflect.get(call, 'incomingEncoding')
  if (encoding === undefined || encoding === 'identity') return
  throw new RotaError('FEATURE_UNAVAILABLE', 'messages are not compressed here', {
    hint: 'Switch compression off in the client.',
  })
}

function tooSlow(): RotaError {
  return new RotaError('RATE_LIMITED', `no message has come within ${MESSAGE_MS} ms`)
}

function readCredentials(call: ServerInterceptingCallInterface, metadata: Metadata): Credentials {
  const header = metadata.get('authorization')[0]
  const certificate = call.getAuthContext().sslPeerCertificate
  return {
    authorization: header === undefined ? undefined : String(header),
    fingerprint: certificate?.fingerprint256?.replaceAll(':', '').toLowerCase(),
  }
}
