/** A connection of its own to one server, to ask how it is; every question has a limit. */
import { type Clock, sleep } from '../../shared/clock.ts'
import { RotaError } from '../../shared/errors/rota-error.ts'
import type { ServerAddress } from './addresses.ts'
import { clientSettings } from './database.ts'
import { sqlStateOf, unavailable } from './database-errors.ts'
import { HardenedClient } from './postgres-client.ts'
import { readServerFacts, type ServerFacts } from './server-facts.ts'

/** To connect, or to be answered. */
const LIMIT_MS = 1_500
/** When we were stalled ourselves, the answer lies in the socket: it gets this long to be read. */
const READ_MS = 50

/** Writes to the log of the server and changes nothing; waits for nobody's lock. */
const COMMIT = `/* probeCommit */ select pg_logical_emit_message(true, 'rota', '')`
/** Not permitted or not there: services that are not quite PostgreSQL. */
const NOT_TOLD = /^(42501|42883|0A000)$/

export class ServerProbe {
  readonly address: ServerAddress
  readonly #clock: Clock
  readonly #client: HardenedClient
  #commit: Promise<void> | undefined
  /** Why the connection broke; a question asked later only learns that it has. */
  #broken: Error | undefined

  private constructor(address: ServerAddress, clock: Clock) {
    this.address = address
    this.#clock = clock
    this.#client = new HardenedClient({ ...address.config, ...clientSettings })
    this.#client.on('error', (error) => {
      this.#broken ??= error
    })
  }

  static async open(address: ServerAddress, clock: Clock): Promise<ServerProbe> {
    const probe = new ServerProbe(address, clock)
    try {
      await probe.#within('connect', probe.#client.connect())
      return probe
    } catch (error) {
      probe.close()
      throw error
    }
  }

  async readFacts(): Promise<ServerFacts> {
    return this.#within('answer', readServerFacts(this.#client))
  }

  /**
   * Commits something, as far as the server is asked to keep it (synchronous standbys included). One commit at a time:
   * one that was too late goes on, and its end is what the next call waits for.
   */
  async commit(): Promise<void> {
    this.#commit ??= this.#write().finally(() => {
      this.#commit = undefined
    })
    await this.#within('commit', this.#commit)
  }

  /** True while a commit is not answered: the backend holds on to it, whatever becomes of the connection. */
  get isCommitting(): boolean {
    return this.#commit !== undefined
  }

  close(): void {
    this.#client.destroy()
  }

  async #write(): Promise<void> {
    try {
      await this.#client.query(COMMIT)
    } catch (error) {
      if (!NOT_TOLD.test(sqlStateOf(error) ?? '')) throw error
    }
  }

  async #within<T>(what: string, work: Promise<T>): Promise<T> {
    const isOver = new AbortController()
    const late = async (): Promise<never> => {
      await sleep(this.#clock, LIMIT_MS, isOver.signal)
      await sleep(this.#clock, READ_MS, isOver.signal)
      throw new RotaError(
        'DATABASE_UNAVAILABLE',
        `the server did not ${what} within ${LIMIT_MS} ms`,
      )
    }
    try {
      return await Promise.race([work, late()])
    } catch (error) {
      throw this.#broken === undefined ? error : unavailable(this.#broken, { isUnknown: false })
    } finally {
      isOver.abort()
    }
  }
}
