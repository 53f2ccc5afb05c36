/**
 * One connected life: connected, hello, welcome, and then heartbeats, reports and orders until the stream ends.
 *
 * Modes: `connecting` -> `greeting` -> `serving` <-> `quiet` <-> `deaf`, and from each of them `ended`.
 *
 * C1. Hello is the first message up; nothing else goes out before Welcome has come down.
 * C2. Every heartbeat that is answered renews the lease from the moment it was sent.
 *     Leases are renewed in rounds: the next heartbeat goes out just before the next round, so that none waits for one.
 * C3. No answered heartbeat within half a lease, or two heartbeats: the session is ended from here.
 * C4. Before the agent says hello elsewhere this connection is quiet: it reports nothing new, and waits for what it has
 *     reported to be acknowledged.
 * C5. From that hello on it is deaf: only the lease goes on. Orders and acknowledgements of a coordinator whose session may
 *     have been replaced mean nothing; what they were about is said again on the session that counts.
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
import type { Outbox } from '../report/outbox.ts'
import type { ReportItem } from '../report/report-item.ts'
import type { Lease } from './lease.ts'
import { type AgentMessage, type ControlStream, StreamWriter } from './stream-writer.ts'
import type { Wakeup } from './wakeup.ts'

type Order = Extract<
  NonNullable<ConnectResponse['message']>,
  { readonly $case: 'assign' | 'stop' | 'reportAck' | 'goodbye' }
>

export type ConnectionOutcome =
  /** Ended from here. */
  | { readonly kind: 'stopped' }
  /** The agent has a session elsewhere. */
  | { readonly kind: 'left' }
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
  hello(protocolVersion: number): Hello
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
  /** Resolves when the peer has answered, TLS included; never rejects, for the stream says what went wrong. */
  readonly connected: Promise<void>
  /** Closes the connection under it. */
  close(): void
}

export interface ConnectionOptions {
  readonly target: ConnectionTarget
  readonly agent: ConnectedAgent
  readonly protocolVersion: number
  /** The coordinator sends the agent elsewhere; the stream stays in use. */
  readonly onGoodbye: (goodbye: Goodbye) => void
}

const WELCOME_TIMEOUT_MS = 5_000
/** For acknowledgements before the agent says hello elsewhere, in ms. */
const QUIET_TIMEOUT_MS = 1_000
/** Time for the coordinator to see a proper end of the stream. */
const CLOSE_TIMEOUT_MS = 500
/** So long before the next round of renewals a heartbeat is sent, in ms. */
const LEAD_MS = 150
/** What a coordinator may ask for; what is senseless is not obeyed. */
const HEARTBEAT_MS = { least: 20, most: 60_000, otherwise: 2_000 }
const LEASE_MS = { least: 100, most: 3_600_000, otherwise: 12_000 }

interface SessionTimes {
  readonly heartbeatMs: number
  readonly leaseMs: number
}

export class Connection {
  readonly address: string
  /** Resolves when it is over and closed. */
  readonly ended: Promise<ConnectionOutcome>
  readonly #agent: ConnectedAgent
  readonly #options: ConnectionOptions
  readonly #dialled: DialledStream
  readonly #call: ControlStream
  readonly #writer: StreamWriter
  readonly #outcome = Promise.withResolvers<ConnectionOutcome>()
  readonly #closed = Promise.withResolvers<void>()
  readonly #welcomed = Promise.withResolvers<true>()
  /** When each unanswered heartbeat was sent, on the clock of the lease. */
  readonly #heartbeats = new Map<bigint, number>()
  #session: SessionTimes | undefined
  #isEnded = false
  #isQuiet = false
  #isDeaf = false
  /** Called when nothing is unacknowledged any more. */
  #onAcknowledged: () => void = () => {}
  #helloSentAtMs = 0
  #sequence = 0n
  #heartbeatLateMs: number | undefined
  #drainTold: number | undefined
  #heartbeatTimer: Timer | undefined
  #deadline: Timer | undefined

  constructor(options: ConnectionOptions) {
    this.#options = options
    this.#agent = options.agent
    this.address = options.target.address
    this.#dialled = options.target.dial()
    this.#call = this.#dialled.stream
    this.#writer = new StreamWriter(this.#call, this.#closed.promise)
    this.ended = this.#outcome.promise.then((outcome) => this.#close(outcome))
    this.#listen()
  }

  /** True when the peer has answered within this time, in ms; false when the connection has ended instead. */
  async connect(withinMs: number): Promise<boolean> {
    this.#expect(withinMs, 'no connection')
    const isConnected = await this.#orEnd(this.#dialled.connected.then(() => true as const))
    if (isConnected) this.#deadline?.cancel()
    return isConnected
  }

  /** Says hello (C1); true when the coordinator has welcomed the agent, false when the connection has ended instead. */
  async greet(): Promise<boolean> {
    this.#helloSentAtMs = this.#agent.lease.nowMs()
    this.#expect(WELCOME_TIMEOUT_MS, 'no welcome')
    const { protocolVersion } = this.#options
    void this.#writer.write({ $case: 'hello', value: this.#agent.hello(protocolVersion) })
    return this.#orEnd(this.#welcomed.promise)
  }

  /** Makes it quiet (C4) until what was reported is acknowledged, or for a second, and then deaf (C5). */
  async deafen(): Promise<void> {
    this.#isQuiet = true
    if (this.#agent.outbox.isAwaiting) {
      const acknowledged = new Promise<void>((resolve) => {
        this.#onAcknowledged = resolve
      })
      const timer = this.#agent.clock.after(QUIET_TIMEOUT_MS, () => this.#onAcknowledged())
      await Promise.race([acknowledged, this.#outcome.promise])
      timer.cancel()
    }
    this.#isDeaf = true
  }

  /** The hello elsewhere came to nothing: all goes on here. */
  listenAgain(): void {
    if (this.#isEnded) return
    this.#isQuiet = false
    this.#isDeaf = false
    // Acknowledgements may have come while nobody listened.
    this.#agent.outbox.resend(Number.POSITIVE_INFINITY)
    this.#agent.wakeup.wake()
  }

  /** Ends the connection; the first outcome counts. */
  end(outcome: ConnectionOutcome): void {
    this.#isEnded = true
    this.#outcome.resolve(outcome)
  }

  async #orEnd(wanted: Promise<true>): Promise<boolean> {
    return Promise.race([wanted, this.#outcome.promise.then(() => false)])
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

  async #close(outcome: ConnectionOutcome): Promise<ConnectionOutcome> {
    for (const timer of [this.#heartbeatTimer, this.#deadline]) timer?.cancel()
    this.#agent.wakeup.wake()
    if (outcome.kind === 'stopped' || outcome.kind === 'left') {
      this.#call.end()
      const timer = this.#agent.clock.after(CLOSE_TIMEOUT_MS, () => this.#closed.resolve())
      await this.#closed.promise
      timer.cancel()
    }
    this.#closed.resolve()
    this.#call.cancel()
    this.#dialled.close()
    return outcome
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
      case 'drain':
        this.#agent.drain()
        this.#agent.wakeup.wake()
        break
      case 'coordinators':
        this.#agent.learned(message.value.addresses)
        break
      default:
        if (!this.#isDeaf) this.#obey(message)
    }
  }

  /** What only a coordinator may say that has the session (C5). */
  #obey(message: Order): void {
    switch (message.$case) {
      case 'assign':
        this.#agent.assigned(message.value.assignments)
        break
      case 'stop':
        this.#agent.told(message.value.targets)
        break
      case 'reportAck':
        this.#acknowledge(message.value.sequence)
        break
      case 'goodbye':
        this.#options.onGoodbye(message.value)
        break
    }
  }

  #acknowledge(sequence: bigint): void {
    const { outbox } = this.#agent
    this.#agent.acknowledged(outbox.acknowledge(sequence))
    if (!outbox.isAwaiting) this.#onAcknowledged()
  }

  #begin(welcome: Welcome): void {
    if (this.#session !== undefined) return
    this.#session = {
      heartbeatMs: clamp(durationToMs(welcome.heartbeatInterval), HEARTBEAT_MS),
      leaseMs: clamp(durationToMs(welcome.lease), LEASE_MS),
    }
    this.#agent.lease.renew(this.#helloSentAtMs, this.#session.leaseMs)
    this.#expect(patienceMs(this.#session), 'no answer to heartbeats')
    this.#agent.welcomed(welcome, this.address)
    this.#agent.outbox.resend(Number.POSITIVE_INFINITY)
    this.#beat(0)
    void this.#writeAll()
    this.#welcomed.resolve(true)
  }

  /** Makes a heartbeat due now and the next one after the interval. */
  #beat(lateMs: number): void {
    if (this.#session === undefined) return
    const { clock, outbox, wakeup } = this.#agent
    this.#heartbeatLateMs = lateMs
    outbox.resend(clock.monotonicMs() - this.#session.leaseMs)
    wakeup.wake()
    this.#beatAfter(this.#session.heartbeatMs)
  }

  #beatAfter(delayMs: number): void {
    const { clock } = this.#agent
    const dueMs = clock.monotonicMs() + delayMs
    this.#heartbeatTimer?.cancel()
    this.#heartbeatTimer = clock.after(delayMs, () => this.#beat(clock.monotonicMs() - dueMs))
  }

  #renew(sequence: bigint): void {
    const sentAtMs = this.#heartbeats.get(sequence)
    if (sentAtMs === undefined || this.#session === undefined) return
    for (const known of this.#heartbeats.keys()) {
      if (known <= sequence) this.#heartbeats.delete(known)
    }
    this.#agent.lease.renew(sentAtMs, this.#session.leaseMs)
    this.#expect(patienceMs(this.#session), 'no answer to heartbeats')
    const { heartbeatMs } = this.#session
    if (sequence === this.#sequence)
      this.#beatAfter(heartbeatMs - Math.min(LEAD_MS, heartbeatMs / 10))
  }

  #expect(withinMs: number, otherwise: string): void {
    this.#deadline?.cancel()
    this.#deadline = this.#agent.clock.after(withinMs, () => {
      this.end(retryable('UNREACHABLE', `${otherwise} within ${withinMs} ms`))
    })
  }

  /** The one writer: takes the most urgent thing to say whenever the stream can take it. */
  async #writeAll(): Promise<void> {
    let seen = 0
    while (!this.#isEnded) {
      const message = this.#nextMessage()
      if (message === undefined) seen = await this.#agent.wakeup.wait(seen)
      else if (!(await this.#writer.write(message))) return
    }
  }

  #nextMessage(): AgentMessage | undefined {
    const { clock, outbox } = this.#agent
    if (this.#heartbeatLateMs !== undefined) return this.#nextHeartbeat(this.#heartbeatLateMs)
    if (this.#isQuiet) return undefined
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
    this.#heartbeats.set(this.#sequence, this.#agent.lease.nowMs())
    return { $case: 'heartbeat', value: this.#agent.heartbeat(this.#sequence, lateMs) }
  }
}

/** How long an answer to heartbeats may take: renewals come every sixth of a lease. */
function patienceMs({ heartbeatMs, leaseMs }: SessionTimes): number {
  return Math.max(leaseMs / 2, 2 * heartbeatMs)
}

function judgeError(serviceError: ServiceError): ConnectionOutcome {
  const { error } = fromServiceError(serviceError)
  const isFatal = error.reason === 'AGENT_INCOMPATIBLE' || error.reason === 'CERTIFICATE_INVALID'
  return { kind: isFatal ? 'fatal' : 'retryable', error }
}

function retryable(reason: 'UNREACHABLE', message: string): ConnectionOutcome {
  return { kind: 'retryable', error: new RotaError(reason, message) }
}

function clamp(
  ms: number | undefined,
  range: { readonly least: number; readonly most: number; readonly otherwise: number },
): number {
  return Math.min(range.most, Math.max(range.least, ms ?? range.otherwise))
}
