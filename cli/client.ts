/** Calls to the coordinator: TLS with its CA pinned, a bearer token, a deadline on each unary call, errors as RotaError. */
import {
  type CallOptions,
  Client,
  type ClientReadableStream,
  credentials,
  Metadata,
  type ServiceError,
  status,
} from '@grpc/grpc-js'
import { CLIENT_CHANNEL_OPTIONS } from '../shared/channel-options.ts'
import { formatDurationMs } from '../shared/duration.ts'
import { RotaError } from '../shared/errors/rota-error.ts'
import { fromServiceError } from '../shared/errors/rpc-status.ts'
import type { Server } from './context.ts'
import type { GlobalOptions } from './global-options.ts'
import type { Host } from './host.ts'

/** A method as ts-proto generates it, e.g. `JobServiceService.getJob`. */
interface Method<Request, Response> {
  readonly path: string
  readonly requestSerialize: (request: Request) => Buffer
  readonly responseDeserialize: (bytes: Buffer) => Response
}

/** A page of executions with large outputs is far larger than any request, in bytes. */
const RECEIVE_BYTES_MAX = 64 * 1_024 * 1_024

export interface Api {
  readonly address: string
  /** Throws RotaError. Cancelled by `signal`, which is that of Ctrl-C when it is not given. */
  call<Q, R>(method: Method<Q, R>, request: Q, signal?: AbortSignal): Promise<R>
  /** A stream of answers without a deadline; ends quietly when `signal` aborts. Throws RotaError. */
  stream<Q, R>(method: Method<Q, R>, request: Q, signal: AbortSignal): AsyncIterable<R>
  close(): void
}

interface Surroundings {
  readonly host: Pick<Host, 'clock'>
  readonly options: Pick<GlobalOptions, 'callTimeoutMs'>
  /** Cancels the calls that are given no signal of their own. */
  readonly interrupted: AbortSignal
}

export function openApi(server: Server, surroundings: Surroundings): Api {
  const { callTimeoutMs } = surroundings.options
  const client = new Client(server.address, credentials.createSsl(server.ca), {
    ...CLIENT_CHANNEL_OPTIONS,
    'grpc.max_receive_message_length': RECEIVE_BYTES_MAX,
    // A proxy for the outside world knows nothing of this host.
    ...(isLoopback(server.address) ? { 'grpc.enable_http_proxy': 0 } : {}),
  })
  const metadata = new Metadata()
  metadata.set('authorization', `Bearer ${server.token}`)
  const explain = (error: ServiceError) => toRotaError(error, server, callTimeoutMs)
  return {
    address: server.address,
    call(method, request, signal = surroundings.interrupted) {
      const options = { deadline: surroundings.host.clock.now().getTime() + callTimeoutMs }
      const call = { client, metadata, options, signal, explain }
      return callOnce(call, method, request)
    },
    async *stream(method, request, signal) {
      const { path, requestSerialize, responseDeserialize } = method
      const stream = client.makeServerStreamRequest(
        path,
        requestSerialize,
        responseDeserialize,
        request,
        metadata,
      )
      yield* readStream(stream, signal, explain)
    },
    close: () => client.close(),
  }
}

interface UnaryCall {
  readonly client: Client
  readonly metadata: Metadata
  readonly options: CallOptions
  readonly signal: AbortSignal
  readonly explain: (error: ServiceError) => RotaError
}

function callOnce<Q, R>(call: UnaryCall, method: Method<Q, R>, request: Q): Promise<R> {
  return new Promise((resolve, reject) => {
    const running = call.client.makeUnaryRequest<Q, R>(
      method.path,
      method.requestSerialize,
      method.responseDeserialize,
      request,
      call.metadata,
      call.options,
      (error, response) => {
        call.signal.removeEventListener('abort', cancel)
        if (error !== null) reject(call.explain(error))
        else if (response === undefined) reject(new RotaError('INTERNAL', 'an empty answer'))
        else resolve(response)
      },
    )
    const cancel = () => running.cancel()
    if (call.signal.aborted) cancel()
    else call.signal.addEventListener('abort', cancel, { once: true })
  })
}

async function* readStream<R>(
  stream: ClientReadableStream<R>,
  signal: AbortSignal,
  explain: (error: ServiceError) => RotaError,
): AsyncGenerator<R, void> {
  const cancel = () => stream.cancel()
  if (signal.aborted) cancel()
  else signal.addEventListener('abort', cancel, { once: true })
  try {
    for await (const message of stream) yield message as R
  } catch (error) {
    if (!signal.aborted) throw isServiceError(error) ? explain(error) : error
  } finally {
    signal.removeEventListener('abort', cancel)
    stream.cancel()
  }
}

/** The coordinator's own error where there is one; else what the state of the connection means to a person. */
function toRotaError(error: ServiceError, server: Server, callTimeoutMs: number): RotaError {
  const received = fromServiceError(error)
  if (received.status.details.length > 0) return received.error
  const cause = { cause: error }
  switch (error.code) {
    case status.UNAVAILABLE:
      return new RotaError('UNREACHABLE', describeUnavailable(error.details, server.address), {
        ...cause,
        hint: unavailableHint(error.details, server),
      })
    case status.DEADLINE_EXCEEDED:
      return new RotaError(
        'UNREACHABLE',
        `${server.address} did not answer within ${formatDurationMs(callTimeoutMs)}`,
        {
          ...cause,
          hint: 'It may be overloaded or cut off. Try again, or give a longer --timeout.',
        },
      )
    case status.UNAUTHENTICATED:
      return new RotaError('TOKEN_INVALID', error.details, cause)
    case status.PERMISSION_DENIED:
      return new RotaError('PERMISSION_MISSING', error.details, cause)
    case status.UNIMPLEMENTED:
      return new RotaError('METHOD_UNAVAILABLE', error.details, cause)
    case status.RESOURCE_EXHAUSTED:
      return new RotaError('REQUEST_TOO_LARGE', error.details, cause)
    default:
      return received.error
  }
}

/** grpc-js tells of addresses, resolution and the last error in one long line; the last error is what matters. */
function describeUnavailable(details: string, address: string): string {
  const last = /Last error: (.*?)\.?( Resolution note:.*)?$/.exec(details)?.[1] ?? details
  return `no coordinator can be reached at ${address} (${last.replace(/^Error: /, '')})`
}

function unavailableHint(details: string, server: Server): string {
  return /certificate|altnames|self.signed/i.test(details)
    ? 'Its certificate was not made by the CA of --ca-file or of the data folder. Is it another coordinator?'
    : server.unreachableHint
}

function isLoopback(address: string): boolean {
  return /^(localhost|127\.[0-9.]+|\[::1\]):/.test(address)
}

function isServiceError(error: unknown): error is ServiceError {
  return error instanceof Error && 'code' in error && 'details' in error && 'metadata' in error
}
