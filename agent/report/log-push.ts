/**
 * The connection for logs.
 *
 * L1. `write` waits while the peer is slow, but never for ever: the end of the stream ends the wait, for grpc-js never
 *     emits `drain` after the peer has gone.
 * L2. A lost stream is opened again with growing delays while there is a target; an answer ends the row of failures.
 */
import type { ChannelCredentials, ClientDuplexStream } from '@grpc/grpc-js'
import {
  AgentServiceClient,
  type PushLogsRequest,
  type PushLogsResponse,
} from '../../proto/gen/rota/agent/v1/agent_service.ts'
import { type Backoff, backoffDelayMs } from '../../shared/backoff.ts'
import { CLIENT_CHANNEL_OPTIONS } from '../../shared/channel-options.ts'
import type { Clock } from '../../shared/clock.ts'
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
  /** A stream ended, or is new: what was not answered must be sent again. */
  readonly onLost: () => void
}

interface OpenStream {
  readonly client: AgentServiceClient
  readonly call: ClientDuplexStream<PushLogsRequest, PushLogsResponse>
  readonly ended: Promise<void>
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
    const { call, ended } = this.#stream
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
    const stream = this.#stream
    if (stream === undefined) return
    this.#stream = undefined
    stream.call.cancel()
    stream.client.close()
    this.#options.onLost()
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
    const stream = { client, call, ended: endOf(call) }
    call.on('data', (answer: PushLogsResponse) => {
      this.#failures = 0
      this.#options.onAnswer(answer)
    })
    call.on('error', (error) => this.#failed(stream, error))
    call.once('end', () => this.#failed(stream, new Error('the coordinator ended the stream')))
    return stream
  }

  #failed(stream: OpenStream, error: Error): void {
    // A stream that was closed here says so with an error of its own.
    if (this.#stream !== stream) return
    this.#failures += 1
    const delayMs = backoffDelayMs(RECONNECT, this.#failures, this.#options.random.fraction())
    this.#retryAtMs = this.#nowMs() + delayMs
    this.#options.logger.info({ err: error, delayMs }, 'the log stream ended; it is opened again')
    this.close()
  }

  #nowMs(): number {
    return this.#options.clock.monotonicMs()
  }
}

function endOf(call: ClientDuplexStream<PushLogsRequest, PushLogsResponse>): Promise<void> {
  return new Promise((resolve) => {
    call.once('error', () => resolve())
    call.once('end', resolve)
    call.once('close', resolve)
  })
}
