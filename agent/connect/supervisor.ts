/**
 * Keeps the agent connected for ever.
 *
 * U1. One session at a time. When it moves, the next connection is made before the old one is closed; in between only the
 *     lease of the old session goes on (connection.ts C4, C5).
 * U2. A lost session is followed by one of the next coordinator at once, but for a little jitter; when all known ones have
 *     been tried in vain, a short, growing, jittered wait comes between. A connection that held starts the waits again.
 * U3. What nobody can mend by trying again is tried again slowly, and said clearly.
 * U4. A coordinator that swallows what is sent to it does not hold the agent while others are known.
 */
import type { Goodbye } from '../../proto/gen/rota/agent/v1/agent_service.ts'
import { type Backoff, backoffDelayMs } from '../../shared/backoff.ts'
import { type Clock, sleep } from '../../shared/clock.ts'
import { durationToMs } from '../../shared/duration.ts'
import type { Logger } from '../../shared/logger.ts'
import type { Random } from '../../shared/random.ts'
import type { Service } from '../../shared/service.ts'
import { isAddress } from '../identity/address.ts'
import { ADDRESSES_MAX, type AddressBook } from './address-book.ts'
import {
  type ConnectedAgent,
  Connection,
  type ConnectionOutcome,
  type ConnectionTarget,
} from './connection.ts'
import { lowerVersion } from './protocol-version.ts'

const RECONNECT: Backoff = { delayMs: 200, maxDelayMs: 2_000, multiplier: 2, jitter: 0.5 }
/** Before the first try after a loss, at random, in ms: all agents of a coordinator lose it in one instant. */
const FIRST_JITTER_MS = 250
/** The same before each further coordinator. */
const NEXT_JITTER_MS = 50
/** A connection that lasted so long was a good one, in ms. */
const GOOD_CONNECTION_MS = 5_000
const FATAL_DELAY_MS = 30_000
/** A coordinator that asks for time is given up to this, once no other one takes the agent, in ms. */
const RETRY_AFTER_MS_MAX = 30_000
/** For TCP and TLS, in ms; the second while no other coordinator is known. */
const CONNECT_TIMEOUT_MS = 2_000
const CONNECT_ALONE_TIMEOUT_MS = 5_000
/** A goodbye gives no longer than this to go, in ms. */
const GOODBYE_DELAY_MS_MAX = 60_000
/** Of a long row of failures every so manyth is a warning. */
const WARN_EVERY = 30

export interface SupervisorOptions {
  readonly agent: ConnectedAgent
  readonly logger: Logger
  readonly random: Random
  readonly book: AddressBook
  /** Versions of the protocol that the agent speaks, the newest first. */
  readonly protocolVersions: readonly [number, ...number[]]
  /** With the newest certificate. */
  readonly target: (address: string) => ConnectionTarget
  /** The session has ended, and no other has followed. */
  readonly onLost: () => void
}

type Failure = Exclude<ConnectionOutcome, { kind: 'left' }>

/** What came of the try to get a session. */
type Entry =
  | { readonly kind: 'welcomed'; readonly connection: Connection }
  | { readonly kind: 'refused'; readonly outcome: Failure }

interface Move {
  readonly reason: string
  /** Best first. */
  readonly addresses: readonly string[]
  readonly delayMs: number
}

export class Supervisor implements Service {
  readonly #options: SupervisorOptions
  readonly #clock: Clock
  readonly #stopping = new AbortController()
  readonly #open = new Set<Connection>()
  #running: Promise<void> | undefined
  #waiting = new AbortController()
  #serving: Connection | undefined
  #move = Promise.withResolvers<Move>()
  #failures = 0
  #refusalsInRow = 0

  constructor(options: SupervisorOptions) {
    this.#options = options
    this.#clock = options.agent.clock
  }

  async start(): Promise<void> {
    this.#running ??= this.#stayConnected()
  }

  async stop(): Promise<void> {
    this.#stopping.abort()
    this.#waiting.abort()
    const open = [...this.#open]
    for (const connection of open) connection.end({ kind: 'stopped' })
    await Promise.all([this.#running, ...open.map(({ ended }) => ended)])
  }

  /** Makes a new connection to the same coordinator, e.g. with a new certificate; ends a wait for one. */
  reconnect(): void {
    this.#waiting.abort()
    const { address } = this
    this.#move.resolve({ reason: 'a new certificate', addresses: [address], delayMs: 0 })
  }

  /** True while a session lives. */
  get isConnected(): boolean {
    return this.#serving !== undefined
  }

  /** The coordinator in use or to be tried next. */
  get address(): string {
    return this.#serving?.address ?? this.#options.book.current
  }

  async #stayConnected(): Promise<void> {
    const { book } = this.#options
    while (!this.#stopping.signal.aborted) {
      const startMs = this.#clock.monotonicMs()
      this.#move = Promise.withResolvers()
      const entry = await this.#enter(book.current)
      const outcome =
        entry.kind === 'welcomed' ? await this.#serve(entry.connection) : entry.outcome
      if (this.#clock.monotonicMs() - startMs >= GOOD_CONNECTION_MS) this.#failures = 0
      const delayMs = this.#delayAfter(outcome)
      this.#log(outcome, delayMs)
      this.#waiting = new AbortController()
      if (this.#stopping.signal.aborted) return
      await sleep(this.#clock, delayMs, this.#waiting.signal)
    }
  }

  /** A session at `address`, in the highest version that both speak; `before` is the one that it takes the place of. */
  async #enter(address: string, before?: Connection): Promise<Entry> {
    const { protocolVersions } = this.#options
    let [version] = protocolVersions
    for (;;) {
      const connection = this.#dial(address, version)
      if (await this.#greet(connection, before)) return { kind: 'welcomed', connection }
      const outcome = await endOf(connection)
      const lower =
        outcome.kind === 'fatal'
          ? lowerVersion(outcome.error, version, protocolVersions)
          : undefined
      if (lower === undefined) return { kind: 'refused', outcome }
      this.#options.logger.info({ address, version: lower }, 'an older coordinator')
      version = lower
    }
  }

  #dial(address: string, protocolVersion: number): Connection {
    const { agent, target } = this.#options
    const connection: Connection = new Connection({
      target: target(address),
      agent,
      protocolVersion,
      onGoodbye: (goodbye) => {
        if (connection === this.#serving) this.#move.resolve(this.#moveOf(goodbye))
      },
    })
    this.#open.add(connection)
    void connection.ended.then(() => this.#open.delete(connection))
    if (this.#stopping.signal.aborted) connection.end({ kind: 'stopped' })
    return connection
  }

  async #greet(connection: Connection, before: Connection | undefined): Promise<boolean> {
    const isAlone = this.#options.book.size <= 1
    const timeoutMs = isAlone ? CONNECT_ALONE_TIMEOUT_MS : CONNECT_TIMEOUT_MS
    if (!(await connection.connect(timeoutMs))) return false
    await before?.deafen()
    if (await connection.greet()) return true
    if (before !== undefined) await stayWith(before, connection)
    return false
  }

  /** Stays in a session and in those that follow it without a gap; answers how the last one ended. */
  async #serve(first: Connection): Promise<Failure> {
    let current = first
    this.#serving = first
    for (;;) {
      const move = await Promise.race([this.#move.promise, current.ended.then(() => undefined)])
      if (move === undefined) break
      const next = await this.#follow(current, move)
      this.#move = Promise.withResolvers()
      if (next === undefined) continue
      current = next
      this.#serving = next
      this.#options.book.use(next.address)
    }
    this.#serving = undefined
    this.#options.onLost()
    return endOf(current)
  }

  /** Undefined when no coordinator of the move takes the agent: it stays where it is, while it can. */
  async #follow(current: Connection, { addresses, delayMs, reason }: Move) {
    const { logger, random } = this.#options
    const from = current.address
    const ended = new AbortController()
    void current.ended.then(() => ended.abort())
    await sleep(this.#clock, delayMs * random.fraction(), ended.signal)
    for (const address of addresses) {
      if (this.#stopping.signal.aborted) return undefined
      const entry = await this.#enter(address, current)
      if (entry.kind === 'welcomed') {
        current.end({ kind: 'left' })
        logger.info({ from, to: address, reason }, 'moved')
        return entry.connection
      }
      const why = entry.outcome.kind === 'stopped' ? 'stopped' : entry.outcome.error.message
      logger.warn({ from, to: address, why }, 'could not move')
    }
    return undefined
  }

  /** Named by the goodbye, and then all others that are known. */
  #moveOf({ coordinators, reason, reconnectDelay }: Goodbye): Move {
    const from = this.address
    const named = coordinators.filter((each) => isAddress(each)).slice(0, ADDRESSES_MAX)
    const all = new Set([...named, ...this.#options.book.others])
    all.delete(from)
    const delayMs = Math.min(durationToMs(reconnectDelay) ?? 0, GOODBYE_DELAY_MS_MAX)
    return { reason, addresses: [...all], delayMs }
  }

  #delayAfter(outcome: Failure): number {
    const { book } = this.#options
    if (outcome.kind === 'stopped') return 0
    book.advance()
    this.#failures += 1
    this.#refusalsInRow = outcome.kind === 'fatal' ? this.#refusalsInRow + 1 : 0
    if (this.#refusalsInRow > 0 && this.#refusalsInRow % book.size === 0) return FATAL_DELAY_MS
    const isLastOfRound = this.#failures % book.size === 0
    const askedMs = isLastOfRound ? (outcome.error.retryAfterMs ?? 0) : 0
    return Math.max(this.#ownDelay(), Math.min(askedMs, RETRY_AFTER_MS_MAX))
  }

  #ownDelay(): number {
    const { book, random } = this.#options
    if (this.#failures === 1) return FIRST_JITTER_MS * random.fraction()
    if (this.#failures % book.size !== 0) return NEXT_JITTER_MS * random.fraction()
    return backoffDelayMs(RECONNECT, this.#failures / book.size, random.fraction())
  }

  #log(outcome: Failure, delayMs: number): void {
    const { logger } = this.#options
    switch (outcome.kind) {
      case 'stopped':
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

/**
 * After a hello elsewhere that came to nothing. One that was not answered may still be taken: what the session before is
 * given from now on would be lost with that session, so it ends, and a later hello counts.
 */
async function stayWith(before: Connection, elsewhere: Connection): Promise<void> {
  const outcome = await endOf(elsewhere)
  const isUnanswered = outcome.kind !== 'stopped' && outcome.error.reason === 'UNREACHABLE'
  if (isUnanswered) before.end(outcome)
  else before.listenAgain()
}

/** How a connection ended that nobody left. */
async function endOf(connection: Connection): Promise<Failure> {
  const outcome = await connection.ended
  return outcome.kind === 'left' ? { kind: 'stopped' } : outcome
}
