/**
 * PostgreSQL as the coordinators see it: transactions over the model, latency, and everything that goes wrong.
 *
 * B1. A statement is one instant; between the statements of a transaction others go on, held up only by row locks.
 * B2. An answer reaches a process through `VirtualProcess.run`: a dead one never hears it, a frozen one later.
 * B3. Who waits for a lock gets an error after 2 s, who waits in a ring after 1 s, as the product has configured it.
 * B4. What was committed stays; `onCommit` hears of every commit in order.
 *
 * Above 400 lines: connections, waits for locks and faults of answers are one state; the statements are in the models beside it.
 */
import type { Database } from '../../../coordinator/store/database.ts'
import type { SeededRandom } from '../world/seeded-random.ts'
import type { VirtualProcess } from '../world/virtual-process.ts'
import { tagOf, type World, type WorldEvent } from '../world/world.ts'
import { openModel } from './model-dialect.ts'
import { createTables, type StatementContext, type StoreTables } from './schema.ts'
import {
  type StoreConnection,
  StorePool,
  type StoreServer,
  terminated,
  type Work,
} from './store-pool.ts'
import { StoreTransaction } from './store-transaction.ts'
import { Blocked, type RowChange } from './versioned-table.ts'

const LOCK_TIMEOUT_MS = 2_000
const DEADLOCK_TIMEOUT_MS = 1_000
const QUERY_TIMEOUT_MS = 10_000
const IDLE_IN_TRANSACTION_MS = 5_000
/** An answer whose packet is lost comes so much later, in ms. */
const RETRANSMIT_MS = [20, 400] as const
const RETRANSMIT_CHANCE = 0.1
/** The answer to a COMMIT whose packet is lost again and again. */
const LATE_COMMIT_MS = [100, 1_600] as const
/** Longer than any round of a loop and the second after which the brake is pulled. */
const OUTAGE_MS = 4_000
const WAKE_TAG = tagOf('wake')
const COMMIT_TAG = tagOf('commit')

export interface Commit {
  readonly changes: readonly RowChange[]
  readonly statements: readonly string[]
  readonly by: string
  /** The database's clock, ms since 1970: now, and the earliest and the latest that the transaction has seen of it. */
  readonly clockMs: number
  readonly earliestMs: number
  readonly latestMs: number
  /** When it began, in ms of the world. */
  readonly beganAtMs: number
}

interface Request {
  readonly connection: StoreConnection
  readonly work: Work
  readonly resolve: (rows: object[]) => void
  readonly reject: (error: Error) => void
  isAnswered: boolean
  lockTimer: WorldEvent | undefined
  deadlockTimer: WorldEvent | undefined
}

/** What happens to one of the next statements of a process. */
export interface Failpoint {
  /** Statements until then. */
  left: number
  readonly when: 'before' | 'after'
  readonly fn: () => void
}

export type StatementFault =
  /** The connection breaks before the server has seen the statement. */
  | 'lost'
  /** The connection breaks when the server has done it: a COMMIT has happened, and nobody knows. */
  | 'answer lost'

export class VirtualDatabase implements StoreServer {
  readonly tables: StoreTables = createTables()
  readonly world: World
  readonly #random: SeededRandom
  /** How far the database's clock is ahead of the world's, in ms. */
  offsetMs = 0
  mode: 'up' | 'refusing' | 'frozen' = 'up'
  /** When the last outage ended that nobody can have missed, in ms of the world. */
  outageEndMs = Number.NEGATIVE_INFINITY
  #outageStartMs = 0
  /** Latency of a statement is this many times the usual one. */
  slowness = 1
  /** Probability that a statement is struck by a fault. */
  faultRate = 0
  /** Probability that a COMMIT is done long before its answer comes, while other connections go on. */
  lateCommitRate = 0
  readonly failpoints = new Map<VirtualProcess, Failpoint>()
  onCommit: (commit: Commit) => void = () => {}
  onFault: (kind: string) => void = () => {}
  onMistake: (error: Error) => void = () => {}
  readonly #connections = new Set<StoreConnection>()
  #frozen: Request[] = []
  #transactions = 0
  readonly #sequences = createSequences()

  constructor(world: World) {
    this.world = world
    this.#random = world.random.fork()
  }

  /** A pool of connections for one process. */
  open(process: VirtualProcess): Database {
    return openModel(new StorePool(this, process))
  }

  get clockMs(): number {
    return this.world.startMs + this.world.nowMs + this.offsetMs
  }

  /** Changes rows past all processes: what stands for people and their API. */
  apply(by: string, change: (context: StatementContext) => void): void {
    const tx = this.begin()
    try {
      change(this.context(tx, []))
    } catch (error) {
      tx.rollback()
      throw error
    }
    this.publish(tx, by)
  }

  begin(): StoreTransaction {
    this.#transactions += 1
    const began = { clockMs: this.clockMs, atMs: this.world.nowMs }
    return new StoreTransaction(this.#transactions, began)
  }

  context(tx: StoreTransaction, parameters: readonly unknown[]): StatementContext {
    const nowMs = this.clockMs
    tx.see(nowMs)
    const now = new Date(Math.round(nowMs))
    const { nextEpoch, lastEpoch, nextId } = this.#sequences
    return { tx, tables: this.tables, parameters, nowMs, now, nextEpoch, lastEpoch, nextId }
  }

  publish(tx: StoreTransaction, by: string): void {
    const changes = tx.commit()
    if (changes.length === 0) return
    const { beganAtMs, earliestMs, latestMs, statements } = tx
    const { clockMs } = this
    this.onCommit({ changes, statements, by, clockMs, earliestMs, latestMs, beganAtMs })
  }

  register(connection: StoreConnection): void {
    this.#connections.add(connection)
  }

  forget(connection: StoreConnection): void {
    this.#connections.delete(connection)
  }

  /** PostgreSQL crashes, or is stopped: every transaction ends, every connection breaks. */
  stop(): void {
    this.mode = 'refusing'
    this.#outageStartMs = this.world.nowMs
    for (const connection of [...this.#connections]) this.breakConnection(connection)
    this.#frozen = []
  }

  freeze(): void {
    this.mode = 'frozen'
    this.#outageStartMs = this.world.nowMs
  }

  /** Serves again; what had reached the frozen server is done now, also for those who have given up. */
  resume(): void {
    const { nowMs } = this.world
    if (this.mode !== 'up' && nowMs - this.#outageStartMs >= OUTAGE_MS) this.outageEndMs = nowMs
    this.mode = 'up'
    const frozen = this.#frozen
    this.#frozen = []
    for (const request of frozen) {
      if (!request.isAnswered) this.#arrive(request)
      else {
        this.#execute(request)
        this.breakConnection(request.connection)
      }
    }
  }

  /** One backend dies. */
  breakConnection(connection: StoreConnection): void {
    connection.isBroken = true
    for (const tx of [connection.tx, connection.implicit]) if (tx?.state !== 'ended') tx?.rollback()
    connection.implicit = undefined
    this.forget(connection)
    const { request } = connection
    if (request !== undefined) this.#fail(request as Request, terminated())
  }

  connectionsOf(process: VirtualProcess): StoreConnection[] {
    return [...this.#connections].filter((connection) => connection.process === process)
  }

  /** The kernel closes the sockets of a killed process: what is on the way may still arrive. */
  processDied(process: VirtualProcess): void {
    this.failpoints.delete(process)
    for (const connection of this.connectionsOf(process)) {
      const isDelayed = this.#random.chance(0.2)
      connection.isCutOff = connection.request === undefined || this.#random.chance(0.5)
      const delayMs = isDelayed ? this.#random.span(0, IDLE_IN_TRANSACTION_MS) : 5
      this.world.after(delayMs, WAKE_TAG, () => this.breakConnection(connection))
    }
  }

  /** A transaction that nobody goes on with is ended by the server (idle_in_transaction_session_timeout). */
  processFroze(process: VirtualProcess): void {
    for (const connection of this.connectionsOf(process)) {
      const { tx } = connection
      if (tx === undefined) continue
      const count = tx.statements.length
      this.world.after(IDLE_IN_TRANSACTION_MS, WAKE_TAG, () => {
        const isIdle =
          connection.tx === tx && tx.state !== 'ended' && tx.statements.length === count
        if (isIdle && process.isFrozen) this.breakConnection(connection)
      })
    }
  }

  submit(connection: StoreConnection, work: Work): Promise<object[]> {
    return new Promise((resolve, reject) => {
      const request: Request = {
        connection,
        work,
        resolve,
        reject,
        isAnswered: false,
        lockTimer: undefined,
        deadlockTimer: undefined,
      }
      connection.request = request
      const name = work.kind === 'commit' ? 'commit' : work.statement.name
      if (!this.#passes(connection.process, 'before')) return
      this.world.after(this.#latencyMs(), tagOfName(name), () => this.#arrive(request))
    })
  }

  /** False when the process has just been ended. */
  #passes(process: VirtualProcess, when: Failpoint['when']): boolean {
    const failpoint = this.failpoints.get(process)
    if (failpoint === undefined || failpoint.when !== when) return true
    failpoint.left -= 1
    if (failpoint.left > 0) return true
    this.failpoints.delete(process)
    failpoint.fn()
    return !process.isDead
  }

  #latencyMs(): number {
    return this.#random.span(0.2, 1.2) * this.slowness
  }

  #arrive(request: Request): void {
    const { connection } = request
    if (request.isAnswered || connection.isCutOff) return
    if (this.mode === 'frozen') {
      this.#frozen.push(request)
      this.world.after(QUERY_TIMEOUT_MS, WAKE_TAG, () => this.#giveUp(request))
      return
    }
    const fault = this.#fault()
    if (fault === 'lost') this.breakConnection(connection)
    else if (fault === 'answer lost') {
      request.isAnswered = true
      this.#execute(request)
      connection.request = undefined
      this.breakConnection(connection)
      connection.process.run(() => request.reject(terminated()))
    } else this.#execute(request)
  }

  #fault(): StatementFault | undefined {
    if (!this.#isStruck(this.faultRate)) return undefined
    const fault = this.#random.chance(0.5) ? 'lost' : 'answer lost'
    this.onFault(`statement ${fault}`)
    return fault
  }

  /** The client's query_timeout: it gives up, the frozen server still has the statement. */
  #giveUp(request: Request): void {
    if (request.isAnswered) return
    const { connection } = request
    connection.isBroken = true
    request.isAnswered = true
    connection.request = undefined
    connection.process.run(() => request.reject(new Error('Query read timeout')))
  }

  #execute(request: Request): void {
    const { connection, work } = request
    const own = connection.tx
    if (own !== undefined && own.state !== 'open') this.#inAborted(request, own)
    else if (work.kind === 'statement') this.#executeStatement(request, work, own)
    else {
      this.#publishOf(connection)
      this.#answer(request, [])
    }
  }

  #executeStatement(
    request: Request,
    work: Extract<Work, { kind: 'statement' }>,
    own: StoreTransaction | undefined,
  ): void {
    const { connection } = request
    const tx = own ?? connection.implicit ?? this.begin()
    if (own === undefined) connection.implicit = tx
    try {
      tx.beginStatement()
      const rows = work.statement.model(this.context(tx, work.parameters))
      tx.statements.push(work.statement.name)
      this.world.note(connection.process.name, () => describe(work, rows))
      if (own === undefined) {
        connection.implicit = undefined
        this.publish(tx, connection.process.name)
      }
      this.#answer(request, rows)
    } catch (error) {
      tx.undoStatement()
      if (error instanceof Blocked) this.#wait(request, tx, error.holder as StoreTransaction)
      else this.#statementFailed(request, tx, error as Error)
    }
  }

  #publishOf(connection: StoreConnection): void {
    const { tx } = connection
    connection.tx = undefined
    if (tx === undefined) return
    this.world.note(connection.process.name, () => `COMMIT of ${tx.statements.join(', ')}`)
    this.publish(tx, connection.process.name)
  }

  #inAborted(request: Request, tx: StoreTransaction): void {
    if (request.work.kind === 'commit' && tx.state === 'aborted') {
      tx.rollback()
      request.connection.tx = undefined
    }
    this.#fail(
      request,
      Object.assign(new Error('current transaction is aborted'), { code: '25P02' }),
    )
  }

  #statementFailed(request: Request, tx: StoreTransaction, error: Error): void {
    if (!('code' in error)) this.onMistake(error)
    if (tx === request.connection.tx) tx.state = 'aborted'
    else {
      request.connection.implicit = undefined
      tx.rollback()
    }
    this.#fail(request, error)
  }

  #wait(request: Request, tx: StoreTransaction, holder: StoreTransaction): void {
    tx.waitsFor = holder
    this.world.note(
      request.connection.process.name,
      () => `waits for a lock: ${describe(request.work, [])}`,
    )
    holder.waiters.push(() => {
      tx.waitsFor = undefined
      this.world.after(0.01, WAKE_TAG, () => this.#again(request, tx))
    })
    request.lockTimer ??= this.world.after(LOCK_TIMEOUT_MS, WAKE_TAG, () =>
      this.#endWait(request, tx, '55P03'),
    )
    request.deadlockTimer ??= this.world.after(DEADLOCK_TIMEOUT_MS, WAKE_TAG, () => {
      if (isInRing(tx)) this.#endWait(request, tx, '40P01')
    })
  }

  #again(request: Request, tx: StoreTransaction): void {
    if (request.isAnswered || request.connection.isBroken || tx.state === 'ended') return
    this.#execute(request)
  }

  #endWait(request: Request, tx: StoreTransaction, code: string): void {
    if (request.isAnswered || tx.waitsFor === undefined) return
    tx.waitsFor = undefined
    this.onFault(code === '40P01' ? 'deadlock' : 'lock timeout')
    this.#statementFailed(request, tx, Object.assign(new Error(`lock not got: ${code}`), { code }))
  }

  #answer(request: Request, rows: object[]): void {
    const { process } = request.connection
    if (!this.#passes(process, 'after')) return
    this.#settle(request, () => request.resolve(rows))
  }

  #fail(request: Request, error: Error): void {
    this.#settle(request, () => request.reject(error))
  }

  #settle(request: Request, tell: () => void): void {
    if (request.isAnswered) return
    request.isAnswered = true
    const { connection } = request
    connection.request = undefined
    for (const timer of [request.lockTimer, request.deadlockTimer]) if (timer) timer.run = undefined
    const delayMs = this.#answerDelayMs(request.work.kind)
    if (delayMs === 0) connection.process.run(tell)
    else this.world.after(delayMs, COMMIT_TAG, () => connection.process.run(tell))
  }

  /** Now and then the answer takes a moment in which others go on. */
  #answerDelayMs(kind: Work['kind']): number {
    const isLate = kind === 'commit' && this.#isStruck(this.lateCommitRate)
    if (isLate) return this.#random.span(...LATE_COMMIT_MS)
    if (this.slowness === 1 && this.#random.chance(0.7)) return 0
    const isLost = this.#random.chance(RETRANSMIT_CHANCE)
    return this.#latencyMs() + (isLost ? this.#random.span(...RETRANSMIT_MS) : 0)
  }

  #isStruck(rate: number): boolean {
    return rate > 0 && this.#random.chance(rate)
  }
}

function createSequences() {
  let epoch = 0
  let id = 1_000
  return { nextEpoch: () => ++epoch, lastEpoch: () => epoch, nextId: () => ++id }
}

const tags = new Map<string, number>()

function tagOfName(name: string): number {
  const known = tags.get(name)
  if (known !== undefined) return known
  const tag = tagOf(name)
  tags.set(name, tag)
  return tag
}

function isInRing(tx: StoreTransaction): boolean {
  const seen = new Set<StoreTransaction>()
  for (let each = tx.waitsFor; each !== undefined; each = each.waitsFor) {
    if (each === tx) return true
    if (seen.has(each)) return false
    seen.add(each)
  }
  return false
}

function describe(work: Work, rows: readonly object[]): string {
  if (work.kind === 'commit') return 'COMMIT'
  return `${work.statement.name}(${shown(work.parameters)}) -> ${shown(rows)}`
}

function shown(value: unknown): string {
  const text = JSON.stringify(value, (_key, each: unknown) =>
    typeof each === 'bigint' ? String(each) : each,
  )
  return text.length > 1_000 ? `${text.slice(0, 1_000)}...` : text
}
