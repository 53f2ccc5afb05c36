/**
 * The port that gRPC is spoken on: takes connections while there is room and hands them to `onConnection`.
 *
 * K1. A bounded number is open; one more is closed at once.
 * K2. A connection is a stranger's until a call on it was authenticated. Their number is bounded: the oldest one of the
 *     address that has most makes room for the next: nobody keeps others out by coming often, or by being slow.
 * K3. A stranger that sends nothing for SILENT_MS is gone, and one whose first call has not come within GREETING_MS: no
 *     handshake takes longer, even when many come at once and this process is slow.
 * K4. A principal has a bounded number of connections; its oldest makes room for the next.
 */
import { createServer, type Server, type Socket } from 'node:net'
import type { Clock, Timer } from '../../../shared/clock.ts'
import { RotaError } from '../../../shared/errors/rota-error.ts'
import type { Logger } from '../../../shared/logger.ts'
import type { Service } from '../../../shared/service.ts'
import { type Principal, principalName } from '../../identity/principal.ts'

/** Between two packets of a stranger. */
const SILENT_MS = 10_000
const SILENT_LOOK_MS = 2_500
/** From the connection to the first call. */
const GREETING_MS = 60_000
/** Those who need no credentials, e.g. health checks, stay this long after their last call. */
const ANONYMOUS_MS = 300_000
/** What a full house is logged at most, in ms. */
const LOG_MS = 10_000

/** How many may be open at once. */
export interface ConnectionLimits {
  readonly all: number
  readonly strangers: number
  readonly worker: number
  readonly token: number
}

export const CONNECTION_LIMITS: ConnectionLimits = {
  /** Two for each of 2,000 agents, and people. An idle one costs some 50 KiB. */
  all: 5_000,
  /** A second or two of TLS handshakes. */
  strangers: 1_000,
  /** An agent has one for control, one for output, and both twice while it changes its certificate. */
  worker: 16,
  /** A token may be shared by many people and programs. */
  token: 1_000,
}

export interface ConnectionsOptions {
  readonly host: string
  readonly port: number
  readonly clock: Clock
  readonly logger: Logger
  readonly limits: ConnectionLimits
  readonly onConnection: (socket: Socket) => void
}

interface Connection {
  /** `address:port` */
  readonly peer: string
  readonly address: string
  readonly socket: Socket
  timer: Timer | undefined
  /** Undefined: a stranger's. */
  owner: string | undefined
}

export class Connections implements Service {
  readonly #options: ConnectionsOptions
  readonly #server: Server
  readonly #all = new Map<string, Connection>()
  readonly #strangers = new Groups()
  readonly #owned = new Groups()
  #boundPort: number | undefined
  #onEmpty: (() => void) | undefined
  #loggedAtMs = Number.NEGATIVE_INFINITY

  constructor(options: ConnectionsOptions) {
    this.#options = options
    this.#server = createServer({ noDelay: true }, (socket) => this.#take(socket))
  }

  get size(): number {
    return this.#all.size
  }

  get strangers(): number {
    return this.#strangers.size
  }

  /** `host:port` once started. */
  address(): string {
    return `${this.#options.host}:${this.#boundPort ?? this.#options.port}`
  }

  async start(): Promise<void> {
    this.#boundPort = await listen(this.#server, this.#options)
  }

  /** Takes no more; those that are open go on. */
  async stop(): Promise<void> {
    this.#server.close()
  }

  /** Whose call came over the connection of this peer, `address:port`. */
  identify(peer: string, principal: Principal): void {
    const connection = this.#all.get(peer)
    if (connection === undefined || connection.owner !== undefined) return
    if (principal.kind === 'anonymous') this.#expireIn(connection, ANONYMOUS_MS)
    else this.#own(connection, principal)
  }

  /** Closes the connection of this peer without a word: it has not listened to any. */
  destroy(peer: string): void {
    this.#all.get(peer)?.socket.destroy()
  }

  /** Closes all. Those that are about to end get `atMostMs` to send their last answers. */
  async end(atMostMs: number): Promise<void> {
    await new Promise<void>((resolve) => {
      if (this.#all.size === 0) return resolve()
      const timer = this.#options.clock.after(atMostMs, resolve)
      this.#onEmpty = () => {
        timer.cancel()
        resolve()
      }
    })
    this.destroyAll()
  }

  /** Closes all that are left. */
  destroyAll(): void {
    for (const { socket } of this.#all.values()) socket.destroy()
  }

  #take(socket: Socket): void {
    const { limits, onConnection } = this.#options
    socket.on('error', () => socket.destroy())
    const address = socket.remoteAddress
    if (this.#all.size >= limits.all || address === undefined) {
      this.#sayFull('there are too many connections; new ones are closed')
      socket.destroy()
      return
    }
    if (this.#strangers.size >= limits.strangers) {
      this.#sayFull('too many connections wait to be known; the oldest are closed')
      this.#strangers.oldestOfLargest()?.socket.destroy()
    }
    const peer = `${address}:${socket.remotePort}`
    const connection: Connection = { peer, address, socket, timer: undefined, owner: undefined }
    this.#all.set(peer, connection)
    this.#strangers.add(address, connection)
    const nowMs = this.#options.clock.monotonicMs()
    this.#watchStranger(connection, nowMs, nowMs + GREETING_MS)
    socket.on('close', () => this.#forget(connection))
    onConnection(socket)
  }

  #own(connection: Connection, principal: Principal): void {
    const { limits } = this.#options
    const owner = principalName(principal)
    connection.timer?.cancel()
    connection.owner = owner
    this.#strangers.delete(connection.address, connection)
    this.#owned.add(owner, connection)
    if (this.#owned.count(owner) <= limits[principal.kind === 'agent' ? 'worker' : 'token']) return
    this.#sayFull(`${owner} has too many connections; its oldest is closed`)
    this.#owned.oldestOf(owner)?.socket.destroy()
  }

  #forget(connection: Connection): void {
    connection.timer?.cancel()
    this.#all.delete(connection.peer)
    this.#strangers.delete(connection.address, connection)
    if (connection.owner !== undefined) this.#owned.delete(connection.owner, connection)
    if (this.#all.size === 0) this.#onEmpty?.()
  }

  /** K3. `heardMs`: when the last bytes were seen to have come. */
  #watchStranger(connection: Connection, heardMs: number, endMs: number): void {
    const { clock } = this.#options
    const { socket } = connection
    const { bytesRead } = socket
    connection.timer = clock.after(SILENT_LOOK_MS, () => {
      const nowMs = clock.monotonicMs()
      const nextHeardMs = socket.bytesRead === bytesRead ? heardMs : nowMs
      const isOver = nowMs - nextHeardMs >= SILENT_MS || nowMs >= endMs
      if (isOver) socket.destroy()
      else this.#watchStranger(connection, nextHeardMs, endMs)
    })
  }

  #expireIn(connection: Connection, ms: number): void {
    connection.timer?.cancel()
    connection.timer = this.#options.clock.after(ms, () => void connection.socket.destroy())
  }

  #sayFull(what: string): void {
    const nowMs = this.#options.clock.monotonicMs()
    if (nowMs - this.#loggedAtMs < LOG_MS) return
    this.#loggedAtMs = nowMs
    this.#options.logger.warn({ open: this.size, strangers: this.strangers }, what)
  }
}

/** Connections by address or owner, each group in the order in which they came. */
class Groups {
  readonly #groups = new Map<string, Set<Connection>>()
  #size = 0

  get size(): number {
    return this.#size
  }

  count(key: string): number {
    return this.#groups.get(key)?.size ?? 0
  }

  add(key: string, connection: Connection): void {
    const group = this.#groups.get(key) ?? new Set()
    this.#groups.set(key, group.add(connection))
    this.#size += 1
  }

  delete(key: string, connection: Connection): void {
    const group = this.#groups.get(key)
    if (group?.delete(connection) !== true) return
    this.#size -= 1
    if (group.size === 0) this.#groups.delete(key)
  }

  oldestOf(key: string): Connection | undefined {
    const [oldest] = this.#groups.get(key) ?? []
    return oldest
  }

  oldestOfLargest(): Connection | undefined {
    let largest: Set<Connection> | undefined
    for (const group of this.#groups.values()) {
      if (group.size > (largest?.size ?? 0)) largest = group
    }
    const [oldest] = largest ?? []
    return oldest
  }
}

function listen(server: Server, { host, port }: ConnectionsOptions): Promise<number> {
  return new Promise((resolve, reject) => {
    server.once('error', (error) =>
      reject(
        new RotaError('UNREACHABLE', `gRPC cannot listen on ${host}:${port}: ${error.message}`, {
          hint: 'Is another coordinator running there? Choose another port with --grpc-port.',
          cause: error,
        }),
      ),
    )
    server.listen(port, host, () => {
      const address = server.address()
      resolve(typeof address === 'object' && address !== null ? address.port : port)
    })
  })
}
