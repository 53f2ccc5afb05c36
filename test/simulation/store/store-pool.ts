/** node-postgres as far as it can be seen: connections that break, and a pool of ten, each got within two seconds. */
import type { CompiledQuery } from 'kysely'
import type { VirtualProcess } from '../world/virtual-process.ts'
import { tagOf, type World } from '../world/world.ts'
import type { ModelConnection, ModelPool } from './model-dialect.ts'
import { type NamedStatement, statementOf, UnknownStatement } from './statements.ts'
import type { StoreTransaction } from './store-transaction.ts'

const CONNECT_TIMEOUT_MS = 2_000
const POOL_SIZE = 10
const CONNECT_TAG = tagOf('connect')

export type Work =
  | {
      readonly kind: 'statement'
      readonly statement: NamedStatement
      readonly parameters: readonly unknown[]
    }
  | { readonly kind: 'commit' }

/** The server behind the connections. */
export interface StoreServer {
  readonly world: World
  readonly mode: 'up' | 'refusing' | 'frozen'
  readonly slowness: number
  onMistake: (error: Error) => void
  begin(): StoreTransaction
  submit(connection: StoreConnection, work: Work): Promise<object[]>
  register(connection: StoreConnection): void
}

/** What a connection waits for. */
export interface PendingRequest {
  readonly reject: (error: Error) => void
}

/** One connection of one process. */
export class StoreConnection implements ModelConnection {
  readonly #database: StoreServer
  readonly process: VirtualProcess
  tx: StoreTransaction | undefined
  /** Of a statement outside of any transaction that waits for a lock. */
  implicit: StoreTransaction | undefined
  request: PendingRequest | undefined
  isBroken = false
  /** What it still had to say does not arrive. */
  isCutOff = false

  constructor(database: StoreServer, process: VirtualProcess) {
    this.#database = database
    this.process = process
  }

  async execute({ sql, parameters }: CompiledQuery): Promise<object[]> {
    if (this.isBroken) throw terminated()
    return this.#database.submit(this, {
      kind: 'statement',
      statement: this.#find(sql),
      parameters,
    })
  }

  begin(): void {
    if (this.isBroken) throw terminated()
    this.tx = this.#database.begin()
  }

  async commit(): Promise<object[]> {
    if (this.isBroken) throw terminated()
    return this.#database.submit(this, { kind: 'commit' })
  }

  rollback(): void {
    const { tx } = this
    // A frozen server knows nothing of a client that has given up.
    if (this.isBroken && this.#database.mode === 'frozen') return
    this.tx = undefined
    if (tx !== undefined && tx.state !== 'ended') tx.rollback()
  }

  #find(text: string): NamedStatement {
    try {
      return statementOf(text)
    } catch (error) {
      if (error instanceof UnknownStatement) this.#database.onMistake(error)
      throw error
    }
  }
}

interface PoolWaiter {
  readonly resolve: (connection: StoreConnection) => void
  isOver: boolean
}

/** The connections of one process. */
export class StorePool implements ModelPool {
  readonly #database: StoreServer
  readonly #process: VirtualProcess
  #idle: StoreConnection[] = []
  #used = 0
  readonly #waiters: PoolWaiter[] = []

  constructor(database: StoreServer, process: VirtualProcess) {
    this.#database = database
    this.#process = process
  }

  acquire(): StoreConnection | Promise<StoreConnection> {
    for (let idle = this.#idle.pop(); idle !== undefined; idle = this.#idle.pop()) {
      if (idle.isBroken) continue
      this.#used += 1
      return idle
    }
    if (this.#used >= POOL_SIZE) return this.#queue()
    this.#used += 1
    return this.#connect()
  }

  release(connection: ModelConnection): void {
    const store = connection as StoreConnection
    this.#used -= 1
    const waiter = this.#waiters.find(({ isOver }) => !isOver)
    if (waiter !== undefined && !store.isBroken) {
      waiter.isOver = true
      this.#used += 1
      waiter.resolve(store)
    } else if (!store.isBroken) this.#idle.push(store)
  }

  #queue(): Promise<StoreConnection> {
    return new Promise((resolve, reject) => {
      const waiter: PoolWaiter = { resolve, isOver: false }
      this.#waiters.push(waiter)
      this.#database.world.after(CONNECT_TIMEOUT_MS, CONNECT_TAG, () => {
        this.#waiters.splice(this.#waiters.indexOf(waiter), 1)
        if (waiter.isOver) return
        waiter.isOver = true
        this.#process.run(() => reject(noConnection()))
      })
    })
  }

  #connect(): Promise<StoreConnection> {
    const { mode, world } = this.#database
    return new Promise((resolve, reject) => {
      const delayMs = mode === 'frozen' ? CONNECT_TIMEOUT_MS : 2 * this.#database.slowness
      world.after(delayMs, CONNECT_TAG, () => {
        if (mode === 'up' && this.#database.mode === 'up') {
          const connection = new StoreConnection(this.#database, this.#process)
          this.#database.register(connection)
          this.#process.run(() => resolve(connection))
          return
        }
        this.#used -= 1
        const error = mode === 'frozen' ? noConnection() : refused()
        this.#process.run(() => reject(error))
      })
    })
  }
}

export function terminated(): Error {
  return new Error('Connection terminated unexpectedly')
}

function noConnection(): Error {
  return new Error('timeout exceeded when trying to connect')
}

function refused(): Error {
  return Object.assign(new Error('connect ECONNREFUSED'), { code: 'ECONNREFUSED' })
}
