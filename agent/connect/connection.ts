/**
 * One connected life: hello, welcome, and then heartbeats, reports and orders until the stream ends.
 *
 * C1. Hello is the first message up; nothing else goes out before Welcome has come down.
 * C2. Every heartbeat that is answered renews the lease from the moment it was sent.
 * C3. No answered heartbeat within half a lease: the session is ended from here.
 * C4. A goodbye leaves the stream in use until its delay is over.
 */
import type { ServiceError } from '@grpc/grpc-js'
import type {
  Assignment,
  ConnectResponse,
  Goodbye,
  Heartbeat,
  Hello,
  Stop_Target,
  Welcome,
} from '../../proto/gen/rota/agent/v1/agent_service.ts'
import type { Clock, Timer } from '../../shared/clock.ts'
import { durationToMs } from '../../shared/duration.ts'
import { RotaError } from '../../shared/errors/rota-error.ts'
import { fromServiceError } from '../../shared/errors/rpc-status.ts'
import type { Outbox, ReportItem } from '../report/outbox.ts'
import type { Lease } from './lease.ts'
import { type AgentMessage, type ControlStream, StreamWriter } from './stream-writer.ts'
import type { Wakeup } from './wakeup.ts'

export type ConnectionOutcome =
  /** Ended from here. */
  | { readonly kind: 'stopped' }
  /** The coordinator sends its agents elsewhere. */
  | { readonly kind: 'drained'; readonly reason: string }
  | { readonly kind: 'retryable'; readonly error: RotaError }
  /** Trying again soon cannot help; somebody must act. */
  | { readonly kind: 'fatal'; readonly error: RotaError }

/** The agent as a connection needs it. */
export interface ConnectedAgent {
  readonly clock: Clock
  readonly outbox: Outbox
  readonly lease: Lease
  /** Wakes the writer: a report waits, a slot came free. */
  readonly wakeup: Wakeup
  hello(): Hello
  /** `lateMs`: how late the timer of this heartbeat was. */
  heartbeat(sequence: bigint, lateMs: number): Heartbeat
  /** Attempts that still run while draining; undefined when not draining. */
  drainRemaining(): number | undefined
  welcomed(welcome: Welcome, address: string): void
  /** Where coordinators are. */
  learned(addresses: readonly string[]): void
  assigned(assignments: readonly Assignment[]): void
  told(targets: readonly Stop_Target[]): void
  drain(): void
  acknowledged(items: readonly ReportItem[]): void
}

export interface ConnectionTarget {
  readonly address: string
  /** Opens a stream to it on a connection of its own. */
  dial(): DialledStream
}

export interface DialledStream {
  readonly stream: ControlStream
  /** Closes the connection under it. */
  close(): void
}

const WELCOME_TIMEOUT_MS = 5_000
/** Time for the coordinator to see a proper end of the stream. */
const CLOSE_TIMEOUT_MS = 500
const HEARTBEAT_DEFAULT_MS = 2_000
const LEASE_DEFAULT_MS = 12_000

/** Connects, and stays until the stream ends or `signal` aborts. */
export async function holdConnection(
  target: ConnectionTarget,
  agent: ConnectedAgent,
  signal: AbortSignal,
): Promise<ConnectionOutcome> {
  const { stream, close } = target.dial()
  const connection = new Connection(stream, target.address, agent)
  const stop = () => connection.end({ kind: 'stopped' })
  signal.addEventListener('abort', stop, { once: true })
  try {
    return await connection.run()
  } finally {
    signal.removeEventListener('abort', stop)
    close()
  }
}

class Connection {
  readonly #agent: ConnectedAgent
  readonly #address: string
  readonly #call: ControlStream
  readonly #writer: StreamWriter
  readonly #outcome = Promise.withResolvers<ConnectionOutcome>()
  readonly #closed = Promise.withResolvers<void>()
  /** When each unanswered heartbeat was sent, monotonic ms. */
  readonly #heartbeats = new Map<bigint, number>()
  #session: { readonly heartbeatMs: number; readonly leaseMs: number } | undefined
  #isEnded = false
  #helloSentAtMs = 0
  #sequence = 0n
  #heartbeatLateMs: number | undefined
  #drainTold: number | undefined
  #heartbeatTimer: Timer | undefined
  #deadline: Timer | undefined
  #goodbyeTimer: Timer | undefined

  constructor(call: ControlStream, address: string, agent: ConnectedAgent) {
    this.#agent = agent
    this.#address = address
    this.#call = call
    this.#writer = new StreamWriter(call, this.#closed.promise)
  }

  async run(): Promise<ConnectionOutcome> {
    this.#listen()
    this.#helloSentAtMs = this.#agent.clock.monotonicMs()
    this.#expectAnswer(WELCOME_TIMEOUT_MS, 'no welcome')
    void this.#writer.write({ $case: 'hello', value: this.#agent.hello() })
    const outcome = await this.#outcome.promise
    await this.#close(outcome)
    return outcome
  }

  /** Ends the connection; the first outcome counts. */
  end(outcome: ConnectionOutcome): void {
    this.#isEnded = true
    this.#outcome.resolve(outcome)
  }

  #listen(): void {
    this.#call.on('data', (response: ConnectResponse) => this.#receive(response))
    this.#call.on('error', (error: ServiceError) => {
      this.#closed.resolve()
      this.end(judgeError(error))
    })
    this.#call.on('end', () => {
      this.#closed.resolve()
      this.end(retryable('UNREACHABLE', 'the coordinator ended the stream'))
    })
  }

  async #close({ kind }: ConnectionOutcome): Promise<void> {
    for (const timer of [this.#heartbeatTimer, this.#deadline, this.#goodbyeTimer]) timer?.cancel()
    this.#agent.wakeup.wake()
    if (kind === 'stopped' || kind === 'drained') {
      this.#call.end()
      const timer = this.#agent.clock.after(CLOSE_TIMEOUT_MS, () => this.#closed.resolve())
      await this.#closed.promise
      timer.cancel()
    }
    this.#closed.resolve()
    this.#call.cancel()
  }

  #receive({ message }: ConnectResponse): void {
    if (this.#isEnded || message === undefined) return
    switch (message.$case) {
      case 'welcome':
        this.#begin(message.value)
        break
      case 'heartbeatAck':
        this.#renew(message.value.sequence)
        break
      case 'assign':
        this.#agent.assigned(message.value.assignments)
        break
      case 'stop':
        this.#agent.told(message.value.targets)
        break
      case 'reportAck':
        this.#agent.acknowledged(this.#agent.outbox.acknowledge(message.value.sequence))
        break
      case 'drain':
        this.#agent.drain()
        this.#agent.wakeup.wake()
        break
      case 'goodbye':
        this.#leave(message.value)
        break
      case 'coordinators':
        this.#agent.learned(message.value.addresses)
        break
    }
  }

  #begin(welcome: Welcome): void {
    if (this.#session !== undefined) return
    this.#session = {
      heartbeatMs: durationToMs(welcome.heartbeatInterval) ?? HEARTBEAT_DEFAULT_MS,
      leaseMs: durationToMs(welcome.lease) ?? LEASE_DEFAULT_MS,
    }
    this.#agent.lease.renew(this.#helloSentAtMs, this.#session.leaseMs)
    this.#expectAnswer(this.#session.leaseMs / 2, 'no answer to heartbeats')
    this.#agent.welcomed(welcome, this.#address)
    this.#agent.outbox.resend(Number.POSITIVE_INFINITY)
    this.#beat(0)
    void this.#writeAll()
  }

  /** Makes a heartbeat due now and the next one after the interval. */
  #beat(lateMs: number): void {
    if (this.#session === undefined) return
    const { clock, outbox, wakeup } = this.#agent
    const { heartbeatMs, leaseMs } = this.#session
    this.#heartbeatLateMs = lateMs
    outbox.resend(clock.monotonicMs() - leaseMs)
    wakeup.wake()
    const dueMs = clock.monotonicMs() + heartbeatMs
    this.#heartbeatTimer = clock.after(heartbeatMs, () => this.#beat(clock.monotonicMs() - dueMs))
  }

  #renew(sequence: bigint): void {
    const sentAtMs = this.#heartbeats.get(sequence)
    if (sentAtMs === undefined || this.#session === undefined) return
    for (const known of this.#heartbeats.keys()) {
      if (known <= sequence) this.#heartbeats.delete(known)
    }
    this.#agent.lease.renew(sentAtMs, this.#session.leaseMs)
    this.#expectAnswer(this.#session.leaseMs / 2, 'no answer to heartbeats')
  }

  #expectAnswer(withinMs: number, otherwise: string): void {
    this.#deadline?.cancel()
    this.#deadline = this.#agent.clock.after(withinMs, () => {
      this.end(retryable('UNREACHABLE', `${otherwise} within ${withinMs} ms`))
    })
  }

  #leave({ reason, reconnectDelay }: Goodbye): void {
    const delayMs = durationToMs(reconnectDelay) ?? 0
    this.#goodbyeTimer ??= this.#agent.clock.after(delayMs, () => {
      this.end({ kind: 'drained', reason })
    })
  }

  /** The one writer: takes the most urgent thing to say whenever the stream can take it. */
  async #writeAll(): Promise<void> {
    while (!this.#isEnded) {
      const message = this.#nextMessage()
      if (message === undefined) await this.#agent.wakeup.wait()
      else if (!(await this.#writer.write(message))) return
    }
  }

  #nextMessage(): AgentMessage | undefined {
    const { clock, outbox } = this.#agent
    if (this.#heartbeatLateMs !== undefined) return this.#nextHeartbeat(this.#heartbeatLateMs)
    const report = outbox.take(clock.monotonicMs())
    if (report !== undefined) return { $case: 'report', value: report }
    const remaining = this.#agent.drainRemaining()
    if (remaining === this.#drainTold || remaining === undefined) return undefined
    this.#drainTold = remaining
    return { $case: 'drainProgress', value: { remaining } }
  }

  #nextHeartbeat(lateMs: number): AgentMessage {
    this.#heartbeatLateMs = undefined
    this.#sequence += 1n
    this.#heartbeats.set(this.#sequence, this.#agent.clock.monotonicMs())
    return { $case: 'heartbeat', value: this.#agent.heartbeat(this.#sequence, lateMs) }
  }
}

function judgeError(serviceError: ServiceError): ConnectionOutcome {
  const { error } = fromServiceError(serviceError)
  const isFatal = error.reason === 'AGENT_INCOMPATIBLE' || error.reason === 'CERTIFICATE_INVALID'
  return { kind: isFatal ? 'fatal' : 'retryable', error }
}

function retryable(reason: 'UNREACHABLE', message: string): ConnectionOutcome {
  return { kind: 'retryable', error: new RotaError(reason, message) }
}
