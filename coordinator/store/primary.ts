/**
 * The one server that is written to: found among the addresses, verified, watched, and left when it goes away.
 *
 * Modes: `searching` (the gate is shut) -> `serving` (open) -> `searching` ...
 *
 * F1. Every connection is verified before it is used: no standby, nothing read-only, no other cluster, no timeline older
 *     than one that was seen.
 * F2. While serving a connection of its own asks every 300 ms, and at once when a statement shows trouble or takes long;
 *     no answer within 1.5 s means that the server is away.
 * F3. A statement that takes long makes us ask for a commit: a server that answers and cannot commit is away too.
 * F4. The gate opens when all listeners of `onFound` have done their work, on a database of their own.
 * F5. One line in the log when the server goes, one when there is one again, however long and whatever fails between.
 */
import { assert } from '../../shared/assert.ts'
import type { Clock } from '../../shared/clock.ts'
import { RotaError } from '../../shared/errors/rota-error.ts'
import type { Logger } from '../../shared/logger.ts'
import type { Service } from '../../shared/service.ts'
import { Ticker } from '../../shared/ticker.ts'
import type { ServerAddress } from './addresses.ts'
import { createPool, type Database, overPool, type PoolConfig } from './database.ts'
import { isAnswered } from './database-errors.ts'
import { Gate } from './gate.ts'
import { type FoundPrimary, PrimarySearch, type Refusal } from './primary-search.ts'
import type { SeenPrimaries } from './seen-primaries.ts'
import { objection, type ServerFacts, verifyServer } from './server-facts.ts'
import { ServerProbe } from './server-probe.ts'
import { TroubleLog } from './trouble-log.ts'

export interface PrimaryOptions {
  readonly addresses: readonly ServerAddress[]
  readonly seen: SeenPrimaries
  readonly clock: Clock
  readonly logger: Logger
}

/** Connections of one coordinator at most; more than rpc/limits/turns.ts and the lanes of batchers let crowds use at once. */
export const CONNECTIONS = { flow: 16, api: 14 } as const
/**
 * The statements of the flow walk indexes and nothing else, and are planned once: statistics of tables that fill and empty
 * within seconds are always wrong, and a plan that was made at the wrong moment is kept for long (a settle by a scan of the
 * whole table took 200 us more per execution).
 */
/** Of the connections of the flow. */
export const PINNED = {
  plan_cache_mode: 'force_generic_plan',
  enable_seqscan: 'off',
  enable_bitmapscan: 'off',
  enable_hashjoin: 'off',
  enable_mergejoin: 'off',
  jit: 'off',
} as const

/** Called with a primary before anybody else may use it, on a database that is open already. */
export type OnFound = (db: Database, facts: ServerFacts) => Promise<void>

const LOOK_MS = 300
const PAUSE_MS = 200
/** Other addresses are looked at for a newer primary, in ms. */
const OTHERS_MS = 5_000
/** A statement that takes longer makes us look, in ms. */
const SLOW_MS = 300

export class Primary implements Service {
  /** For the flow. Whoever uses it while there is no primary is refused with DATABASE_UNAVAILABLE. */
  readonly db: Database
  /** The same for what people ask, which is planned as it comes. */
  readonly apiDb: Database
  readonly #options: PrimaryOptions
  readonly #search: PrimarySearch
  readonly #gates: { readonly flow: Gate; readonly api: Gate }
  readonly #ticker: Ticker
  readonly #trouble: TroubleLog
  readonly #onFound: OnFound[] = []
  readonly #onServing: (() => void)[] = []
  #current: FoundPrimary | undefined
  #facts: ServerFacts | undefined
  #isSlow = false
  #othersAtMs = 0
  #lostAtMs: number | undefined

  constructor(options: PrimaryOptions) {
    const { addresses, clock, logger, seen } = options
    this.#options = options
    this.#search = new PrimarySearch(addresses, seen, clock)
    const onTrouble = (error: unknown) => this.#suspect(error)
    this.#gates = { flow: new Gate(onTrouble), api: new Gate(onTrouble) }
    this.#trouble = new TroubleLog(clock, logger)
    this.#ticker = new Ticker({
      ...options,
      name: 'database',
      retryMs: PAUSE_MS,
      runOnce: async () =>
        this.#current === undefined ? this.#find() : this.#watch(this.#current),
    })
    const { flow, api } = this.#gates
    this.db = overPool({ connect: () => flow.connect(), end: () => flow.end() })
    this.apiDb = overPool({ connect: () => api.connect(), end: () => api.end() })
  }

  /** Of the server in use, or that was used last. */
  get facts(): ServerFacts {
    assert(this.#facts !== undefined, 'a primary was found')
    return this.#facts
  }

  /** Called for each primary that is found from now on. */
  onFound(listener: OnFound): void {
    this.#onFound.push(listener)
  }

  /** Called each time after the gate has opened. */
  onServing(listener: () => void): void {
    this.#onServing.push(listener)
  }

  /** Throws DATABASE_UNAVAILABLE, which says why, when none of the addresses leads to a primary. */
  async start(): Promise<void> {
    if (this.#current !== undefined) return
    const { found, refusals } = await this.#search.round()
    if (found === undefined) throw notFound(refusals)
    await this.#admit(found)
    await this.#ticker.start()
  }

  async stop(): Promise<void> {
    await this.#ticker.stop()
    await Promise.all([this.db.destroy(), this.apiDb.destroy()])
    this.#current?.probe.close()
    this.#search.close()
  }

  async #find(): Promise<number> {
    const { found } = await this.#search.round()
    if (found === undefined) return PAUSE_MS
    await this.#admit(found)
    return LOOK_MS
  }

  async #admit(found: FoundPrimary): Promise<void> {
    const { seen } = this.#options
    await seen.note(found.facts)
    const config = this.#poolConfig(found)
    const flow = createPool({ ...config, max: CONNECTIONS.flow, settings: PINNED }, () => {})
    const api = createPool({ ...config, max: CONNECTIONS.api }, () => {})
    try {
      for (const listener of this.#onFound) await listener(overPool(flow), found.facts)
    } catch (error) {
      this.#search.giveBack(found.probe)
      void flow.end()
      void api.end()
      throw error
    }
    this.#current = found
    this.#facts = found.facts
    this.#gates.flow.open(flow)
    this.#gates.api.open(api)
    this.#sayFound(found)
    for (const listener of this.#onServing) listener()
  }

  #poolConfig({ probe, facts }: FoundPrimary): PoolConfig {
    const { clock, seen } = this.#options
    return {
      ...probe.address.config,
      verify: async (client) => verifyServer(client, seen.of(facts)),
      hooks: {
        onTrouble: (error) => this.#suspect(error),
        onStatement: () => {
          const timer = clock.after(SLOW_MS, () => this.#suspectSlow())
          return () => timer.cancel()
        },
      },
    }
  }

  async #watch(current: FoundPrimary): Promise<number> {
    try {
      await this.#look(current)
      this.#trouble.look()
      return LOOK_MS
    } catch (error) {
      const again = await this.#reopen(current, error)
      if (again !== undefined) {
        current.probe.close()
        this.#current = again
        return LOOK_MS
      }
      this.#lose(current, error)
      return 0
    }
  }

  async #look(current: FoundPrimary): Promise<void> {
    const { clock, seen } = this.#options
    const isSlow = this.#isSlow
    this.#isSlow = false
    const why = objection(await current.probe.readFacts(), seen.of(current.facts))
    if (why !== undefined) throw new Error(`${current.probe.address.name} ${why}`)
    if (isSlow) await current.probe.commit()
    if (clock.monotonicMs() < this.#othersAtMs) return
    this.#othersAtMs = clock.monotonicMs() + OTHERS_MS
    if (await this.#search.hasNewer(current)) throw new Error('a newer primary is there')
  }

  /** A connection may break while the server lives: then it is the same one as before. */
  async #reopen(current: FoundPrimary, error: unknown): Promise<FoundPrimary | undefined> {
    const isConnectionOnly = error instanceof RotaError && error.cause !== undefined
    if (!isConnectionOnly || current.probe.isCommitting) return undefined
    const { clock, seen } = this.#options
    const probe = await ServerProbe.open(current.probe.address, clock).catch(() => undefined)
    const facts = await probe?.readFacts().catch(() => undefined)
    const isSame =
      facts !== undefined &&
      objection(facts, seen.of(facts)) === undefined &&
      facts.timeline === current.facts.timeline
    if (probe !== undefined && isSame) return { probe, facts }
    probe?.close()
    return undefined
  }

  #lose(current: FoundPrimary, error: unknown): void {
    const { clock, logger } = this.#options
    this.#current = undefined
    this.#lostAtMs = clock.monotonicMs()
    this.#gates.flow.shut(error)
    this.#gates.api.shut(error)
    this.#search.giveBack(current.probe)
    logger.warn({ server: current.probe.address.name, why: whyOf(error) }, 'PostgreSQL is away')
  }

  #suspect(error: unknown): void {
    if (this.#current !== undefined && isAnswered(error)) this.#trouble.note(error)
    this.#ticker.wake()
  }

  #suspectSlow(): void {
    this.#isSlow = true
    this.#ticker.wake()
  }

  #sayFound({ probe, facts }: FoundPrimary): void {
    const { clock, logger } = this.#options
    const server = probe.address.name
    const { timeline } = facts
    if (this.#lostAtMs === undefined) {
      logger.debug({ server, timeline }, 'PostgreSQL serves')
      return
    }
    const outageMs = Math.round(clock.monotonicMs() - this.#lostAtMs)
    logger.info({ server, timeline, outageMs }, 'PostgreSQL serves again')
  }
}

function whyOf(error: unknown): string {
  const cause = error instanceof RotaError ? (error.cause ?? error) : error
  return cause instanceof Error ? cause.message : String(cause)
}

function notFound(refusals: readonly Refusal[]): RotaError {
  const said = refusals.map(
    ({ address, why, cause }) =>
      `${address.name}: ${cause instanceof RotaError ? whyOf(cause) : why}`,
  )
  return new RotaError('DATABASE_UNAVAILABLE', `PostgreSQL: ${said.join('; ')}`, {
    hint: 'Check DATABASE_URL: host, port, user, password, and that the database exists.',
    cause: refusals[0]?.cause,
  })
}
