/**
 * Writes to one stream, one message at a time.
 *
 * M1. While the peer is slow `write` waits: there is no queue, so there is nothing to bound. What is to be said is
 *     composed when it can be sent.
 * M2. The end of the stream ends every wait; grpc-js never emits `drain` after the peer has gone.
 */
import type { ServiceError } from '@grpc/grpc-js'
import type {
  ConnectRequest,
  ConnectResponse,
} from '../../proto/gen/rota/agent/v1/agent_service.ts'

/** The stream as the agent uses it: gRPC's, or the simulation's. */
export interface ControlStream {
  /** False: wait for `drain`. */
  write(request: ConnectRequest): boolean
  end(): void
  cancel(): void
  on(event: 'data', listener: (response: ConnectResponse) => void): unknown
  on(event: 'error', listener: (error: ServiceError) => void): unknown
  on(event: 'end', listener: () => void): unknown
  once(event: 'drain', listener: () => void): unknown
}

export type AgentMessage = NonNullable<ConnectRequest['message']>

export class StreamWriter {
  readonly #call: ControlStream
  readonly #ended: Promise<void>
  #isOpen = true

  /** `ended` resolves when the stream has ended for whatever reason. */
  constructor(call: ControlStream, ended: Promise<void>) {
    this.#call = call
    this.#ended = ended.then(() => {
      this.#isOpen = false
    })
  }

  /** False when the stream has ended; the message may or may not have arrived. */
  async write(message: AgentMessage): Promise<boolean> {
    if (!this.#isOpen) return false
    if (!this.#call.write({ message })) {
      const drained = new Promise<void>((resolve) => this.#call.once('drain', resolve))
      await Promise.race([drained, this.#ended])
    }
    return this.#isOpen
  }
}
