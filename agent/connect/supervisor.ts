/**
 * Keeps the agent connected for ever.
 *
 * U1. One connection at a time.
 * U2. A lost one is followed by the next coordinator of the list, after a short, growing, jittered wait; a connection
 *     that held starts the waits again.
 * U3. What nobody can mend by trying again is tried again slowly, and said clearly.
 */
import type { Welcome } from '../../proto/gen/rota/agent/v1/agent_service.ts'
import { type Backoff, backoffDelayMs } from '../../shared/backoff.ts'
import { sleep } from '../../shared/clock.ts'
import type { Logger } from '../../shared/logger.ts'
import type { Random } from '../../shared/random.ts'
import type { Service } from '../../shared/service.ts'
import {
  type ConnectedAgent,
  type ConnectionOutcome,
  type ConnectionTarget,
  holdConnection,
} from './connection.ts'

const RECONNECT: Backoff = { delayMs: 200, maxDelayMs: 2_000, multiplier: 2, jitter: 0.5 }
/** A connection that lasted so long was a good one, in ms. */
const GOOD_CONNECTION_MS = 5_000
const FATAL_DELAY_MS = 30_000
/** Coordinators known beside the configured ones come from Welcome; no more than these are remembered. */
const COORDINATORS_MAX = 16
/** Of a long row of failures every so manyth is a warning. */
const WARN_EVERY = 30

export interface SupervisorOptions {
  readonly agent: ConnectedAgent
  readonly logger: Logger
  readonly random: Random
  /** Configured addresses, `host:port`. */
  readonly coordinators: readonly string[]
  /** With the newest certificate. */
  readonly target: (address: string) => ConnectionTarget
  /** A connection has ended. */
  readonly onLost: () => void
}

export class Supervisor implements Service {
  readonly #options: SupervisorOptions
  readonly #stopping = new AbortController()
  #current = new AbortController()
  #running: Promise<void> | undefined
  #coordinators: readonly string[]
  #next = 0
  #failures = 0
  #isConnected = false

  constructor(options: SupervisorOptions) {
    this.#options = options
    this.#coordinators = options.coordinators
  }

  async start(): Promise<void> {
    this.#running ??= this.#connectForEver()
  }

  async stop(): Promise<void> {
    this.#stopping.abort()
    this.#current.abort()
    await this.#running
  }

  /** Ends the connection, or the wait for one, and makes a new one at once, e.g. with a new certificate. */
  reconnect(): void {
    this.#current.abort()
  }

  /** True while a session lives. */
  get isConnected(): boolean {
    return this.#isConnected
  }

  /** A session began. What this coordinator says of others is added to the configured ones. */
  welcomed({ coordinators }: Welcome): void {
    this.#isConnected = true
    this.learned(coordinators)
  }

  /** Where other coordinators are; takes the place of what was said before. */
  learned(coordinators: readonly string[]): void {
    const current = this.address
    const all = new Set([...this.#options.coordinators, ...coordinators])
    this.#coordinators = [...all].slice(0, COORDINATORS_MAX)
    this.#next = Math.max(0, this.#coordinators.indexOf(current))
  }

  async #connectForEver(): Promise<void> {
    const { clock } = this.#options.agent
    while (!this.#stopping.signal.aborted) {
      this.#current = new AbortController()
      const startMs = clock.monotonicMs()
      const outcome = await this.#connect()
      if (clock.monotonicMs() - startMs >= GOOD_CONNECTION_MS) this.#failures = 0
      const delayMs = this.#delayAfter(outcome)
      this.#log(outcome, delayMs)
      await sleep(clock, delayMs, this.#current.signal)
    }
  }

  async #connect(): Promise<ConnectionOutcome> {
    const { agent, onLost, target } = this.#options
    const outcome = await holdConnection(target(this.address), agent, this.#current.signal)
    this.#isConnected = false
    onLost()
    return outcome
  }

  /** The coordinator in use or to be tried next. */
  get address(): string {
    return this.#coordinators[this.#next % this.#coordinators.length] ?? ''
  }

  #delayAfter(outcome: ConnectionOutcome): number {
    switch (outcome.kind) {
      case 'stopped':
        return 0
      case 'drained':
        this.#next += 1
        return 0
      case 'retryable':
        this.#next += 1
        this.#failures += 1
        return backoffDelayMs(RECONNECT, this.#failures, this.#options.random.fraction())
      case 'fatal':
        this.#next += 1
        return FATAL_DELAY_MS
    }
  }

  #log(outcome: ConnectionOutcome, delayMs: number): void {
    const { logger } = this.#options
    switch (outcome.kind) {
      case 'stopped':
        break
      case 'drained':
        logger.info({ reason: outcome.reason }, 'the coordinator said goodbye')
        break
      case 'fatal': {
        const { message, reason, hint } = outcome.error
        logger.error({ reason, hint, delayMs }, `not allowed to connect: ${message}`)
        break
      }
      case 'retryable': {
        const { message, reason } = outcome.error
        const isLoud = this.#failures === 1 || this.#failures % WARN_EVERY === 0
        const line = { reason, failures: this.#failures, delayMs }
        logger[isLoud ? 'warn' : 'debug'](line, `not connected: ${message}`)
        break
      }
    }
  }
}
