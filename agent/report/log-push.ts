/**
 * The connection for logs.
 *
 * L1. `write` waits while the peer is slow, but never for ever: the end of the stream ends the wait, for grpc-js never
 *     emits `drain` after the peer has gone.
 * L2. A lost stream is opened again with growing delays while there is a target; an answer ends the row of failures.
 * L3. The coordinator takes requests in their order, so an error that it gives is about the oldest unanswered one.
 */
import type { ChannelCredentials, ClientDuplexStream, ServiceError } from '@grpc/grpc-js'
import {
  AgentServiceClient,
  type PushLogsRequest,
  type PushLogsResponse,
} from '../../proto/gen/rota/agent/v1/agent_service.ts'
import { type Backoff, backoffDelayMs } from '../../shared/backoff.ts'
import { CLIENT_CHANNEL_OPTIONS } from '../../shared/channel-options.ts'
import type { Clock } from '../../shared/clock.ts'
import { RotaError } from '../../shared/errors/rota-error.ts'
import { fromServiceError } from '../../shared/errors/rpc-status.ts'
import type { Logger } from '../../shared/logger.ts'
import type { Random } from '../../shared/random.ts'

const RECONNECT: Backoff = { delayMs: 200, maxDelayMs: 2_000, multiplier: 2, jitter: 0.5 }
/** A stream that carried nothing for so long is closed, in ms. */
const IDLE_MS = 60_000

/** Where the coordinator of the living session is. */
export interface LogTarget {
  readonly address: string
  readonly credentials: ChannelCredentials
}

export interface LogPushOptions {
  readonly clock: Clock
  readonly logger: Logger
  readonly random: Random
  readonly onAnswer: (answer: PushLogsResponse) => void
  /** A stream ended: what was not answered must be sent again. With the request that the coordinator refused, if any. */
  readonly onLost: (refused: RefusedPush | undefined) => void
}

/** What a request was about, without its data. */
type PushedPlace = Pick<PushLogsRequest, 'execution' | 'epoch' | 'stream'>

export interface RefusedPush {
  readonly place: PushedPlace
  readonly error: RotaError
}

interface OpenStream {
  readonly client: AgentServiceClient
  readonly call: ClientDuplexStream<PushLogsRequest, PushLogsResponse>
  readonly ended: Promise<void>
  readonly unanswered: PushedPlace[]
}

export class LogPush {
  readonly #options: LogPushOptions
  #target: LogTarget | undefined
  #stream: OpenStream | undefined
  #failures = 0
  #retryAtMs = 0
  #usedAtMs = 0

  constructor(options: LogPushOptions) {
    this.#options = options
  }

  /** True when `write` could do something now. */
  get isReady(): boolean {
    return this.#target !== undefined && this.#nowMs() >= this.#retryAtMs
  }

  get isOpen(): boolean {
    return this.#stream !== undefined
  }

  /** The coordinator to ship to; undefined while there is no session. */
  connect(target: LogTarget | undefined): void {
    this.close()
    this.#target = target
    this.#failures = 0
    this.#retryAtMs = 0
  }

  /** False when the request may not have gone out. */
  async write(request: PushLogsRequest): Promise<boolean> {
    if (!this.isReady) return false
    this.#stream ??= this.#open()
    const { call, ended, unanswered } = this.#stream
    const { execution, epoch, stream } = request
    unanswered.push({ execution, epoch, stream })
    this.#usedAtMs = this.#nowMs()
    if (call.write(request)) return true
    const isDrained = await Promise.race([
      new Promise<boolean>((resolve) => call.once('drain', () => resolve(true))),
      ended.then(() => false),
    ])
    return isDrained
  }

  closeIdle(): void {
    if (this.#nowMs() - this.#usedAtMs > IDLE_MS) this.close()
  }

  close(): void {
    this.#close(undefined)
  }

  #close(refused: RefusedPush | undefined): void {
    const stream = this.#stream
    if (stream === undefined) return
    this.#stream = undefined
    stream.call.cancel()
    stream.client.close()
    this.#options.onLost(refused)
  }

  #open(): OpenStream {
    const target = this.#target
    if (target === undefined) throw new TypeError('no target')
    const client = new AgentServiceClient(
      target.address,
      target.credentials,
      CLIENT_CHANNEL_OPTIONS,
    )
    const call = client.pushLogs()
    const stream: OpenStream = { client, call, ended: endOf(call), unanswered: [] }
    call.on('data', (answer: PushLogsResponse) => {
      this.#failures = 0
      forget(stream.unanswered, answer)
      this.#options.onAnswer(answer)
    })
    call.on('error', (error: ServiceError) => this.#failed(stream, fromServiceError(error).error))
    call.once('end', () => {
      this.#failed(stream, new RotaError('UNREACHABLE', 'the coordinator ended the stream'))
    })
    return stream
  }

  #failed(stream: OpenStream, error: RotaError): void {
    // A stream that was closed here says so with an error of its own.
    if (this.#stream !== stream) return
    this.#failures += 1
    const delayMs = backoffDelayMs(RECONNECT, this.#failures, this.#options.random.fraction())
    this.#retryAtMs = this.#nowMs() + delayMs
    const { reason, message } = error
    this.#options.logger.info({ reason, delayMs }, `the log stream ended: ${message}`)
    const [place] = stream.unanswered
    const isRefusal = error.code !== 'UNAVAILABLE' && place !== undefined
    this.#close(isRefusal ? { place, error } : undefined)
  }

  #nowMs(): number {
    return this.#options.clock.monotonicMs()
  }
}

/** The request that an answer is to: the oldest of its output. */
function forget(unanswered: PushedPlace[], answer: PushLogsResponse): void {
  const index = unanswered.findIndex(({ execution, epoch, stream }) => {
    return execution === answer.execution && epoch === answer.epoch && stream === answer.stream
  })
  if (index !== -1) unanswered.splice(index, 1)
}

function endOf(call: ClientDuplexStream<PushLogsRequest, PushLogsResponse>): Promise<void> {
  return new Promise((resolve) => {
    call.once('error', () => resolve())
    call.once('end', resolve)
    call.once('close', resolve)
  })
}
