/**
 * A TCP proxy that does to connections what networks do: delay, jitter, a trickle, silence, damage, reset, vanishing.
 *
 * Modes of a connection: `open`, `abandoned` (nothing ever passes again, and nobody is told), `closed`.
 *
 * X1. What passes in one direction keeps its order; nothing is lost but with the connection. Silence (`isHeld`) is a
 *     cable pulled out: what was sent meanwhile, also an end or a reset, arrives when it is put in again.
 * X2. Rules are looked up when something is to be passed on: a change takes effect at once, also for what waits.
 * X3. A direction that cannot deliver stops reading at 1 MiB, as a full window does.
 */
import { createServer, type NetConnectOpts, type Server, Socket } from 'node:net'

/** What happens to one direction. Without any of it bytes pass as they come. */
export interface Chaos {
  readonly delayMs?: number
  /** Up to so much more, in ms, anew for every chunk. */
  readonly jitterMs?: number
  readonly bytesPerSecond?: number
  /** Nothing arrives until this is over. */
  readonly isHeld?: boolean
  /** The chance that a byte of a chunk is changed, 0 to 1. */
  readonly damageChance?: number
}

export interface ChaosRules {
  readonly toTarget?: Chaos
  readonly fromTarget?: Chaos
  /** New connections are reset at once. */
  readonly isRefusing?: boolean
}

export interface ChaosProxyOptions {
  readonly target?: NetConnectOpts
  /** Listens there; default 127.0.0.1. */
  readonly host?: string
  /** Names who connects, by the port it comes from; for rules that are not for all. */
  readonly identify?: (clientPort: number, proxyPort: number) => Promise<string | undefined>
  /** In [0, 1); default Math.random. */
  readonly fraction?: () => number
}

export interface ChaosProxy {
  readonly port: number
  /** `host:port` */
  readonly address: string
  /** New connections go there. */
  retarget(target: NetConnectOpts): void
  /** For connections of `label`, or of everybody who has no rules of his own; replaces the rules before. */
  apply(rules: ChaosRules, label?: string): void
  /** No rules any more, for anybody or for `label`. */
  heal(label?: string): void
  /** Resets open connections, both ends; answers how many. */
  reset(label?: string): number
  /** Open connections go silent for ever, and neither end is told; answers how many. */
  abandon(label?: string): number
  connections(label?: string): number
  stop(): Promise<void>
}

const HELD_BYTES_MAX = 1024 * 1024
const TRICKLE_MS = 50

type Piece =
  | { readonly kind: 'data'; readonly bytes: Buffer; readonly dueMs: number }
  | { readonly kind: 'end' | 'reset'; readonly dueMs: number }

/** One direction of a connection. */
class Direction {
  readonly #to: Socket
  readonly #from: Socket
  readonly #chaos: () => Chaos
  readonly #fraction: () => number
  #waiting: Piece[] = []
  #waitingBytes = 0
  #timer: NodeJS.Timeout | undefined
  #isAbandoned = false

  constructor(parts: {
    readonly from: Socket
    readonly to: Socket
    readonly chaos: () => Chaos
    readonly fraction: () => number
  }) {
    this.#from = parts.from
    this.#to = parts.to
    this.#chaos = parts.chaos
    this.#fraction = parts.fraction
    this.#from.on('data', (bytes: Buffer) => this.#take(bytes))
    this.#from.on('end', () => this.#push({ kind: 'end', dueMs: this.#dueMs() }))
    this.#from.on('error', () => this.#push({ kind: 'reset', dueMs: this.#dueMs() }))
    this.#to.on('drain', () => this.flush())
  }

  abandon(): void {
    this.#isAbandoned = true
    clearTimeout(this.#timer)
    this.#waiting = []
    this.#from.pause()
  }

  close(): void {
    this.#isAbandoned = true
    clearTimeout(this.#timer)
  }

  /** Passes on what is due; called again when rules change (X2). */
  flush(): void {
    clearTimeout(this.#timer)
    for (;;) {
      const [piece] = this.#waiting
      const chaos = this.#chaos()
      if (piece === undefined || this.#isAbandoned || chaos.isHeld === true) return
      const waitMs = piece.dueMs - performance.now()
      if (waitMs > 0) {
        this.#later(waitMs)
        return
      }
      if (piece.kind === 'data' && this.#to.writableNeedDrain) return
      this.#waiting.shift()
      if (this.#pass(piece, chaos) === 'trickled') {
        this.#later(TRICKLE_MS)
        return
      }
    }
  }

  #later(waitMs: number): void {
    this.#timer = setTimeout(() => this.flush(), waitMs)
  }

  #take(bytes: Buffer): void {
    if (this.#isAbandoned) return
    this.#waitingBytes += bytes.length
    if (this.#waitingBytes > HELD_BYTES_MAX) this.#from.pause()
    this.#push({ kind: 'data', bytes: this.#damage(bytes), dueMs: this.#dueMs() })
  }

  #push(piece: Piece): void {
    if (this.#isAbandoned) return
    this.#waiting.push(piece)
    if (this.#waiting.length === 1) this.flush()
  }

  /** Never before what came earlier (X1). */
  #dueMs(): number {
    const { delayMs = 0, jitterMs = 0 } = this.#chaos()
    const dueMs = performance.now() + delayMs + jitterMs * this.#fraction()
    return Math.max(dueMs, this.#waiting.at(-1)?.dueMs ?? 0)
  }

  #damage(bytes: Buffer): Buffer {
    const { damageChance = 0 } = this.#chaos()
    if (damageChance === 0 || this.#fraction() >= damageChance) return bytes
    const at = Math.floor(this.#fraction() * bytes.length)
    bytes[at] = (bytes[at] ?? 0) ^ 0x55
    return bytes
  }

  #pass(piece: Piece, { bytesPerSecond }: Chaos): 'passed' | 'trickled' {
    switch (piece.kind) {
      case 'end':
        this.#to.end()
        return 'passed'
      case 'reset':
        this.#to.resetAndDestroy()
        return 'passed'
      case 'data':
        return this.#write(piece.bytes, bytesPerSecond)
    }
  }

  #write(bytes: Buffer, bytesPerSecond: number | undefined): 'passed' | 'trickled' {
    const share =
      bytesPerSecond === undefined
        ? bytes.length
        : Math.max(1, Math.round((bytesPerSecond * TRICKLE_MS) / 1_000))
    const now = bytes.subarray(0, share)
    const rest = bytes.subarray(share)
    this.#to.write(now)
    this.#waitingBytes -= now.length
    if (this.#waitingBytes <= HELD_BYTES_MAX) this.#from.resume()
    if (rest.length > 0) {
      this.#waiting.unshift({ kind: 'data', bytes: rest, dueMs: performance.now() })
    }
    return bytesPerSecond === undefined ? 'passed' : 'trickled'
  }
}

interface Link {
  readonly label: string | undefined
  readonly sockets: readonly [Socket, Socket]
  readonly directions: readonly [Direction, Direction]
}

/** Listens on a free port. Without a target, connections are reset. */
export async function startChaosProxy(options: ChaosProxyOptions = {}): Promise<ChaosProxy> {
  const { fraction = Math.random, host = '127.0.0.1', identify = async () => undefined } = options
  let { target } = options
  let rules: ChaosRules = {}
  const rulesOf = new Map<string, ChaosRules>()
  const links = new Set<Link>()

  const accept = async (client: Socket) => {
    client.on('error', () => {})
    const label = await identify(client.remotePort ?? 0, portOf(proxy)).catch(() => undefined)
    const rulesNow = () => rulesOf.get(label ?? '') ?? rules
    if (target === undefined || rulesNow().isRefusing === true) {
      client.resetAndDestroy()
      return
    }
    const link = joinSockets(client, { label, rulesNow, fraction })
    links.add(link)
    whenClosed(link, () => links.delete(link))
    link.sockets[1].connect(target)
    client.resume()
  }

  const proxy = createServer({ allowHalfOpen: true, pauseOnConnect: true }, (client) => {
    void accept(client)
  })
  await new Promise<void>((resolve) => proxy.listen(0, host, resolve))
  const port = portOf(proxy)
  const chosen = (label: string | undefined) =>
    [...links].filter((link) => label === undefined || link.label === label)
  const flushAll = () => {
    for (const { directions } of links) for (const direction of directions) direction.flush()
  }

  return {
    port,
    address: `${host}:${port}`,
    retarget(next) {
      target = next
    },
    apply(next, label) {
      if (label === undefined) rules = next
      else rulesOf.set(label, next)
      flushAll()
    },
    heal(label) {
      if (label === undefined) rules = {}
      if (label === undefined) rulesOf.clear()
      else rulesOf.delete(label)
      flushAll()
    },
    reset(label) {
      const hit = chosen(label)
      for (const link of hit) close(link)
      return hit.length
    },
    abandon(label) {
      const hit = chosen(label)
      for (const { directions } of hit) for (const direction of directions) direction.abandon()
      return hit.length
    },
    connections: (label) => chosen(label).length,
    async stop() {
      const closed = new Promise<void>((resolve) => proxy.close(() => resolve()))
      for (const link of links) close(link)
      await closed
    },
  }
}

interface Joining {
  readonly label: string | undefined
  readonly rulesNow: () => ChaosRules
  readonly fraction: () => number
}

function joinSockets(client: Socket, { label, rulesNow, fraction }: Joining): Link {
  const server = new Socket({ allowHalfOpen: true })
  for (const socket of [client, server]) socket.setNoDelay(true)
  const toTarget = { from: client, to: server, chaos: () => rulesNow().toTarget ?? {}, fraction }
  const fromTarget = {
    from: server,
    to: client,
    chaos: () => rulesNow().fromTarget ?? {},
    fraction,
  }
  return {
    label,
    sockets: [client, server],
    directions: [new Direction(toTarget), new Direction(fromTarget)],
  }
}

function close({ directions, sockets }: Link): void {
  for (const direction of directions) direction.close()
  for (const socket of sockets) socket.resetAndDestroy()
}

function whenClosed({ directions, sockets }: Link, onClosed: () => void): void {
  let open = sockets.length
  for (const socket of sockets) {
    socket.on('close', () => {
      open -= 1
      if (open > 0) return
      for (const direction of directions) direction.close()
      onClosed()
    })
  }
}

function portOf(server: Server): number {
  const address = server.address()
  if (typeof address !== 'object' || address === null) throw new Error('the proxy does not listen')
  return address.port
}
