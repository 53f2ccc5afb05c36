/**
 * Between Kysely and the pool of the day: open while there is a primary.
 *
 * G1. While it is shut whoever asks for a client is refused at once; nobody queues for a server that is away.
 * G2. Shutting it destroys every client of the pool, so that what waits for an answer fails now.
 */
import type pg from 'pg'
import { isServerTrouble, unavailable } from './database-errors.ts'
import type { HardenedClient } from './postgres-client.ts'

interface Opened {
  readonly pool: pg.Pool
  readonly clients: Set<HardenedClient>
}

export class Gate {
  #opened: Opened | undefined
  #isEnded = false
  #why: unknown = new Error('not connected yet')
  readonly #waiting = new Set<(error: unknown) => void>()
  readonly #onTrouble: (error: unknown) => void

  /** `onTrouble` is told what keeps somebody from getting a client. */
  constructor(onTrouble: (error: unknown) => void) {
    this.#onTrouble = onTrouble
  }

  /** Lets everybody in to this pool. */
  open(pool: pg.Pool): void {
    this.shut(new Error('replaced'))
    const clients = new Set<HardenedClient>()
    pool.on('connect', (client) => clients.add(client as unknown as HardenedClient))
    pool.on('remove', (client) => clients.delete(client as unknown as HardenedClient))
    this.#opened = { pool, clients }
  }

  shut(why: unknown): void {
    this.#why = why
    const opened = this.#opened
    if (opened === undefined) return
    this.#opened = undefined
    for (const reject of this.#waiting) reject(unavailable(why, { isUnknown: false }))
    this.#waiting.clear()
    for (const client of opened.clients) client.destroy()
    void opened.pool.end()
  }

  /** For Kysely. */
  connect(): Promise<pg.PoolClient> {
    const opened = this.#opened
    if (opened === undefined) return Promise.reject(unavailable(this.#why, { isUnknown: false }))
    return new Promise((resolve, reject) => {
      this.#waiting.add(reject)
      opened.pool.connect().then(
        (client) => {
          if (this.#waiting.delete(reject)) resolve(client)
          else client.release(true)
        },
        (error: unknown) => {
          if (!this.#waiting.delete(reject)) return
          this.#onTrouble(error)
          reject(isServerTrouble(error) ? unavailable(error, { isUnknown: false }) : error)
        },
      )
    })
  }

  /** Waits for what is under way, then refuses everybody. */
  async end(): Promise<void> {
    if (this.#isEnded) return
    this.#isEnded = true
    this.#why = new Error('closed')
    const opened = this.#opened
    this.#opened = undefined
    await opened?.pool.end()
  }
}
