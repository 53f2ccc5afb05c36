/** How handlers are written here: a function from request to response that throws; everything around it is done once. */
import type {
  Metadata,
  ServerUnaryCall,
  ServerWritableStream,
  sendUnaryData,
  UntypedServiceImplementation,
} from '@grpc/grpc-js'
import type { Clock } from '../../shared/clock.ts'
import { RotaError, refuseViolations } from '../../shared/errors/rota-error.ts'
import { toGrpcStatus } from '../../shared/errors/rpc-status.ts'
import { type Principal, principalName } from '../identity/principal.ts'
import { principalOf } from './auth-interceptor.ts'
import { checkText } from './check-text.ts'
import type { ErrorBoundary } from './error-boundary.ts'
import type { Turns } from './limits/turns.ts'

export interface Caller {
  readonly principal: Principal
  /** Aborts when the client has gone. */
  readonly signal: AbortSignal
}

/** A request that could not be decoded; grpc-js would call that INTERNAL. */
export class Malformed {
  readonly cause: unknown
  constructor(cause: unknown) {
    this.cause = cause
  }
}

interface MethodDefinition {
  readonly path: string
  readonly requestDeserialize: (bytes: Buffer) => unknown
}

type Definition = Readonly<Record<string, MethodDefinition>>

/** A service definition whose requests decode to `Malformed` instead of failing. */
export function tolerant<D extends Definition>(definition: D): D {
  const methods = Object.entries(definition).map(([name, method]) => [
    name,
    { ...method, requestDeserialize: (bytes: Buffer) => decode(method, bytes) },
  ])
  return Object.fromEntries(methods) as D
}

const sizes = new WeakMap<object, number>()

function decode(method: MethodDefinition, bytes: Buffer): unknown {
  try {
    const message = method.requestDeserialize(bytes)
    if (typeof message === 'object' && message !== null) sizes.set(message, bytes.length)
    return message
  } catch (error) {
    return new Malformed(error)
  }
}

/** How large a request was on the wire, in bytes. */
export function messageBytes(request: object): number {
  return sizes.get(request) ?? 0
}

/** Throws for requests that must not reach a handler: undecodable ones, and text that cannot be stored. */
export function checkRequest(request: unknown): void {
  if (request instanceof Malformed) {
    throw new RotaError('MESSAGE_MALFORMED', 'the request cannot be decoded', {
      cause: request.cause,
    })
  }
  refuseViolations(checkText(request))
}

/** Wraps a unary handler. Its turn comes when the request is there: nobody takes one and then says nothing. */
export function unary<Request, Response>(
  { boundary, calls }: { readonly boundary: ErrorBoundary; readonly calls: Turns },
  method: string,
  handler: (request: Request, caller: Caller) => Promise<Response>,
) {
  return (call: ServerUnaryCall<Request, Response>, callback: sendUnaryData<Response>): void => {
    const run = async () => {
      checkRequest(call.request)
      const caller = callerOf(call)
      return calls.take(async () => {
        if (caller.signal.aborted) throw new RotaError('CANCELLED', 'the caller has gone')
        return handler(call.request, caller)
      })
    }
    run().then(
      (response) => callback(null, response),
      (error: unknown) => {
        const { known, requestId } = boundary.explain(error, { method })
        callback(toGrpcStatus(known, requestId))
      },
    )
  }
}

/** Open streams of responses that one principal may have on one coordinator. */
export const STREAMS_MAX = 256
/** A reader that takes nothing for this long has gone away or asleep, in ms. It goes on later where it was. */
const STALLED_MS = 60_000

/**
 * Wraps a handler that streams responses; it is paced by the client, and stopped when the client goes. A client that
 * does not read holds one response and what its handler has ready, for a while.
 */
export function serverStream<Request, Response>(
  deps: { readonly boundary: ErrorBoundary; readonly clock: Clock },
  method: string,
  handler: (request: Request, caller: Caller) => AsyncIterable<Response>,
) {
  const open = new Map<string, number>()
  return (call: ServerWritableStream<Request, Response>): void => {
    const caller = callerOf(call)
    const name = principalName(caller.principal)
    const run = async () => {
      checkRequest(call.request)
      for await (const response of handler(call.request, caller)) {
        if (caller.signal.aborted) return
        if (!call.write(response)) await drained(deps.clock, call, caller.signal)
      }
      call.end()
    }
    const fail = (error: unknown) => {
      const { known, requestId } = deps.boundary.explain(error, { method })
      call.emit('error', toGrpcStatus(known, requestId))
    }
    const count = open.get(name) ?? 0
    if (count >= STREAMS_MAX) {
      fail(new RotaError('OVERLOADED', `${name} has ${count} streams of this kind open`))
      return
    }
    open.set(name, count + 1)
    caller.signal.addEventListener('abort', () => {
      const left = (open.get(name) ?? 1) - 1
      if (left === 0) open.delete(name)
      else open.set(name, left)
    })
    run().catch(fail)
  }
}

function callerOf(call: {
  metadata: Metadata
  on(event: 'cancelled', fn: () => void): unknown
}): Caller {
  const gone = new AbortController()
  call.on('cancelled', () => gone.abort())
  return { principal: principalOf(call.metadata), signal: gone.signal }
}

/** A peer that has left never drains; one that stays away is left. */
function drained(
  clock: Clock,
  call: { once(event: 'drain', fn: () => void): unknown },
  signal: AbortSignal,
): Promise<void> {
  return new Promise((resolve, reject) => {
    if (signal.aborted) return resolve()
    const timer = clock.after(STALLED_MS, () => {
      reject(new RotaError('RATE_LIMITED', `nothing was read for ${STALLED_MS / 1_000} s`))
    })
    const go = () => {
      timer.cancel()
      signal.removeEventListener('abort', go)
      resolve()
    }
    call.once('drain', go)
    signal.addEventListener('abort', go, { once: true })
  })
}

/** Handlers for all methods of a definition: those that this release does not have say so. */
export function complete(
  boundary: ErrorBoundary,
  definition: Definition,
  handlers: UntypedServiceImplementation,
): UntypedServiceImplementation {
  const missing = Object.entries(definition)
    .filter(([name]) => handlers[name] === undefined)
    .map(([name, { path }]) => [name, unavailable(boundary, path)])
  return { ...handlers, ...Object.fromEntries(missing) }
}

function unavailable(boundary: ErrorBoundary, path: string) {
  const error = new RotaError('METHOD_UNAVAILABLE', `${path.slice(1)} comes with a later release`)
  return (
    call: { request?: unknown; emit(event: 'error', status: unknown): unknown },
    callback?: (status: object) => void,
  ): void => {
    const { known, requestId } = boundary.explain(error, { method: path })
    const status = toGrpcStatus(known, requestId)
    if (callback === undefined) call.emit('error', status)
    else callback(status)
  }
}
