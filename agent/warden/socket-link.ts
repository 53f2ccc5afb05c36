/**
 * The warden in a process of its own, as the agent knows it.
 *
 *   none <-> connected -> (closed)
 *
 * Q1. There is one warden per data folder: its lock says whether it lives. It is started when the first process is.
 * Q2. A warden that is gone leaves nothing running: before anything else is done, the agent ends what it had and takes
 *     the ends that it has written down.
 * Q3. A warden that lives and does not answer is killed, and then Q2: limits and leases nobody keeps are none.
 */
import { type Clock, sleep, type Timer } from '../../shared/clock.ts'
import { lockHolder } from '../../shared/lock-file.ts'
import type { Logger } from '../../shared/logger.ts'
import { Cgroups } from './cgroups.ts'
import { endLeftovers, type LeftAttempt } from './leftovers.ts'
import type {
  HeldAttempt,
  LeaseTimes,
  ProcessEnd,
  Started,
  StartOrder,
  WardenReply,
  WardenRequest,
} from './messages.ts'
import type { StopCause } from './stop-switch.ts'
import { connectWarden, type WardenConnection } from './warden-connection.ts'
import { wardenFiles } from './warden-files.ts'
import { lostWithWarden, type WardenLink } from './warden-link.ts'

/** A warden that starts, or is busy, answers within this, in ms. */
const ANSWER_MS = 5_000
const LOOK_MS = 20
const PING_MS = 2_000
/** Pings in a row without an answer; each time the agent itself has had time to hear one. */
const UNANSWERED_MAX = 5
const QUIT_MS = 7_000
/** After a start that failed, in ms. */
const RETRY_MS = 500
const STARTS_MAX = 3

export interface SocketLinkOptions {
  readonly dataDir: string
  readonly clock: Clock
  readonly logger: Logger
  readonly bootId: string
  readonly release: string
  /** Starts the process; how that goes is seen by its lock. */
  readonly startWarden: () => void
}

/** An attempt whose end is waited for. */
interface Run {
  readonly key: string
  readonly ended: PromiseWithResolvers<ProcessEnd>
  readonly onStarted: (started: Started) => void
  /** Not yet with the warden. */
  order: StartOrder | undefined
  started: Started | undefined
  /** The last request to stop; said again to a warden that was lost from sight. */
  stop: WardenRequest | undefined
}

export class SocketLink implements WardenLink {
  readonly #options: SocketLinkOptions
  readonly #files: ReturnType<typeof wardenFiles>
  readonly #runs = new Map<string, Run>()
  /** Ends of what was found running, until somebody asks. */
  readonly #adoptable = new Map<string, Promise<ProcessEnd>>()
  /** Ends that the journal has and no warden was told of. */
  readonly #unforgotten = new Set<string>()
  #connection: WardenConnection | undefined
  /** Finding, starting and cleaning up happen one after the other. */
  #turn: Promise<unknown> = Promise.resolve()
  #lease: LeaseTimes | undefined
  #pingTimer: Timer | undefined
  #unanswered = 0
  /** Its end is our wish. */
  #isEnding = false
  #isClosed = false

  constructor(options: SocketLinkOptions) {
    this.#options = options
    this.#files = wardenFiles(options.dataDir)
  }

  open(left: readonly LeftAttempt[]): Promise<ReadonlyMap<string, HeldAttempt>> {
    return this.#inTurn(async () => {
      const connection = await this.#retireOutdated(await this.#find())
      const held = new Map(connection?.attempts.map((each) => [each.key, each]))
      const orphans = left.filter(({ key }) => !held.has(key))
      const ends = await this.#endLeftovers(orphans, connection === undefined)
      for (const [key, end] of ends) held.set(key, { key, started: undefined, end })
      return held
    })
  }

  start(order: StartOrder, onStarted: (started: Started) => void): Promise<ProcessEnd> {
    const run = runOf(order.key, { order, onStarted })
    this.#runs.set(order.key, run)
    if (this.#connection !== undefined) this.#hand(this.#connection, run)
    else void this.#inTurn(() => this.#handAll())
    return run.ended.promise
  }

  adopt({ key, end }: HeldAttempt): Promise<ProcessEnd> {
    const ended = this.#adoptable.get(key)
    this.#adoptable.delete(key)
    return ended ?? Promise.resolve(end ?? lostWithWarden(undefined, this.#nowMs()))
  }

  stop(key: string, cause: StopCause, graceMs: number): void {
    const run = this.#runs.get(key)
    if (run === undefined) return
    if (run.order !== undefined) this.#ended(run, { ...notStarted(this.#nowMs()), cause })
    run.stop = { type: 'stop', key, cause, graceMs }
    this.#connection?.send(run.stop)
  }

  renewLease(lease: LeaseTimes): void {
    this.#lease = lease
    this.#connection?.send({ type: 'lease', lease })
  }

  forget(key: string): void {
    if (this.#connection === undefined) this.#unforgotten.add(key)
    else this.#connection.send({ type: 'forget', key })
  }

  async leave(): Promise<void> {
    await this.#inTurn(async () => this.#close())
  }

  async quit(): Promise<void> {
    await this.#inTurn(async () => {
      await this.#end(this.#connection ?? (await this.#find()))
      this.#close()
    })
  }

  /** The warden of another release goes on as long as it has something to do. */
  async #retireOutdated(connection: WardenConnection | undefined) {
    const isBusy = connection?.attempts.some(({ end }) => end === undefined)
    if (connection?.release === this.#options.release || isBusy) return connection
    await this.#end(connection)
    return this.#connection
  }

  async #end(connection: WardenConnection | undefined): Promise<void> {
    const { clock } = this.#options
    if (connection === undefined) return
    this.#isEnding = true
    connection.send({ type: 'quit' })
    const endMs = clock.monotonicMs() + QUIT_MS
    while (this.#connection !== undefined && clock.monotonicMs() < endMs)
      await sleep(clock, LOOK_MS)
    this.#isEnding = false
  }

  #close(): void {
    this.#isClosed = true
    this.#pingTimer?.cancel()
    this.#connection?.end()
    this.#connection = undefined
  }

  #inTurn<T>(act: () => Promise<T>): Promise<T> {
    const done = this.#turn.then(act)
    this.#turn = done.catch(() => {})
    return done
  }

  /** Gives the warden what it does not have yet; starts one when it must. */
  async #handAll(): Promise<void> {
    const waiting = () => [...this.#runs.values()].filter(({ order }) => order !== undefined)
    if (this.#isClosed || waiting().length === 0) return
    const connection = this.#connection ?? (await this.#summon())
    for (const run of waiting()) {
      if (connection !== undefined) this.#hand(connection, run)
      else {
        const cause = { kind: 'lost', reason: 'the warden of the agent cannot be started' } as const
        this.#ended(run, { ...notStarted(this.#nowMs()), cause })
      }
    }
  }

  #hand(connection: WardenConnection, run: Run): void {
    if (run.order !== undefined) connection.send({ type: 'start', order: run.order })
    run.order = undefined
  }

  async #summon(): Promise<WardenConnection | undefined> {
    const { clock, logger, startWarden } = this.#options
    for (let starts = 0; starts < STARTS_MAX; starts++) {
      const found = await this.#find()
      if (found !== undefined) return found
      startWarden()
      const endMs = clock.monotonicMs() + ANSWER_MS
      while (lockHolder(this.#files.lock) === undefined && clock.monotonicMs() < endMs) {
        await sleep(clock, LOOK_MS)
      }
      const started = await this.#find()
      if (started !== undefined) return started
      logger.error({ log: this.#files.log }, 'the warden did not start')
      await sleep(clock, RETRY_MS)
    }
    return undefined
  }

  /** Connects to the warden if one lives; when this answers undefined, none does. */
  async #find(): Promise<WardenConnection | undefined> {
    const { clock, logger } = this.#options
    const endMs = clock.monotonicMs() + ANSWER_MS
    for (let pid = this.#holder(); pid !== undefined; pid = this.#holder()) {
      const connection = await this.#connect()
      if (connection !== undefined) return connection
      if (clock.monotonicMs() > endMs) {
        logger.error({ pid }, 'the warden does not answer; it is killed')
        kill(pid)
      }
      await sleep(clock, LOOK_MS)
    }
    return undefined
  }

  #holder(): number | undefined {
    return lockHolder(this.#files.lock)
  }

  #connect(): Promise<WardenConnection | undefined> {
    return connectWarden({
      folder: this.#files.folder,
      clock: this.#options.clock,
      welcomeMs: ANSWER_MS,
      onWelcome: (connection) => this.#begin(connection),
      onReply: (reply) => this.#receive(reply),
      onClose: () => this.#lose(),
    })
  }

  #begin(connection: WardenConnection): void {
    this.#options.logger.debug({ release: connection.release }, 'connected to the warden')
    this.#connection = connection
    for (const { key, started, end } of connection.attempts) {
      if (end !== undefined || this.#runs.has(key)) continue
      // What the warden tells of it from now on must find somebody, also before it is adopted.
      const run = runOf(key, { started })
      this.#runs.set(key, run)
      this.#adoptable.set(key, run.ended.promise)
    }
    if (this.#lease !== undefined) connection.send({ type: 'lease', lease: this.#lease })
    for (const key of this.#unforgotten) connection.send({ type: 'forget', key })
    this.#unforgotten.clear()
    for (const { stop } of this.#runs.values()) if (stop !== undefined) connection.send(stop)
    this.#unanswered = 0
    this.#ping()
  }

  #receive(reply: WardenReply): void {
    switch (reply.type) {
      case 'started':
        this.#started(this.#runs.get(reply.key), reply.started)
        break
      case 'ended':
        this.#ended(this.#runs.get(reply.key), reply.end)
        break
      case 'pong':
        this.#unanswered = 0
        break
      case 'welcome':
        break
    }
  }

  #started(run: Run | undefined, started: Started): void {
    if (run === undefined || run.started !== undefined) return
    run.started = started
    run.onStarted(started)
  }

  #ended(run: Run | undefined, end: ProcessEnd): void {
    if (run === undefined) return
    this.#runs.delete(run.key)
    run.ended.resolve(end)
  }

  /** Q3. An agent that hung itself finds one tick over, not many, and reads the answers before the next. */
  #ping(): void {
    this.#pingTimer?.cancel()
    if (this.#connection === undefined) return
    const pid = this.#unanswered < UNANSWERED_MAX ? undefined : this.#holder()
    if (pid !== undefined) {
      this.#options.logger.error({ pid }, 'the warden does not answer; it is killed')
      kill(pid)
    }
    this.#unanswered += 1
    this.#connection.send({ type: 'ping' })
    this.#pingTimer = this.#options.clock.after(PING_MS, () => this.#ping())
  }

  #lose(): void {
    this.#connection = undefined
    this.#pingTimer?.cancel()
    if (this.#isClosed || this.#isEnding) return
    this.#options.logger.warn({ attempts: this.#runs.size }, 'the warden is gone')
    void this.#inTurn(() => this.#takeOver())
  }

  /** Q2. When only the connection was lost, what the warden still has goes on. */
  async #takeOver(): Promise<void> {
    if (this.#isClosed) return
    const connection = this.#connection ?? (await this.#find())
    const held = new Map(connection?.attempts.map((each) => [each.key, each]))
    const orphans: Run[] = []
    for (const run of this.#runs.values()) {
      const known = held.get(run.key)
      if (known?.started !== undefined) this.#started(run, known.started)
      if (known?.end !== undefined) this.#ended(run, known.end)
      if (known === undefined && run.order === undefined) orphans.push(run)
    }
    const left = orphans.map(({ key, started }) => ({ key, process: started?.process }))
    const ends = await this.#endLeftovers(left, connection === undefined)
    for (const run of orphans) {
      const lost = lostWithWarden(run.started?.startTimeMs, this.#nowMs())
      this.#ended(run, ends.get(run.key) ?? lost)
    }
    await this.#handAll()
  }

  /** `hasNoWarden`: also what nobody remembers is ended. */
  async #endLeftovers(left: readonly LeftAttempt[], hasNoWarden: boolean) {
    const { bootId, clock, dataDir } = this.#options
    const cgroups = left.length > 0 || hasNoWarden ? Cgroups.open(dataDir, clock) : undefined
    const unknown = hasNoWarden ? (cgroups?.list() ?? []) : []
    const all = new Map<string, LeftAttempt>([
      ...unknown.map(({ key }) => [key, { key, process: undefined }] as const),
      ...left.map((each) => [each.key, each] as const),
    ])
    const { attempts: attemptsDir, ends: endsFile } = this.#files
    const place = { attemptsDir, endsFile, clock, bootId, cgroups }
    const ends = await endLeftovers([...all.values()], place)
    cgroups?.close()
    return ends
  }

  #nowMs(): number {
    return this.#options.clock.now().getTime()
  }
}

function runOf(
  key: string,
  known: {
    readonly order?: StartOrder
    readonly started?: Started | undefined
    readonly onStarted?: Run['onStarted']
  },
): Run {
  const { onStarted = () => {}, order, started } = known
  return { key, ended: Promise.withResolvers(), onStarted, order, started, stop: undefined }
}

function notStarted(endTimeMs: number): ProcessEnd {
  const exit = { kind: 'not_started', message: 'stopped' } as const
  return { exit, cause: undefined, startTimeMs: undefined, endTimeMs, usage: {} }
}

function kill(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL')
  } catch {
    // It is gone.
  }
}
