/**
 * The network between agents and coordinators: streams whose messages keep their order, and links that fail.
 *
 * N1. Each direction of a stream keeps its order, as TCP does; a message arrives once or, when the stream breaks, never.
 * N2. A link that is closed holds what is on its way. It is delivered when the link opens again, unless the stream has
 *     broken meanwhile: either end gives up after its keepalive, the other one learns of it when it can.
 *
 * Above 400 lines: streams, links and their faults are one state, and cut apart each would need the inside of the others.
 */
import { BinaryWriter } from '@bufbuild/protobuf/wire'
import { Metadata, type ServiceError, status } from '@grpc/grpc-js'
import type { AgentMessage, ControlStream } from '../../../agent/connect/stream-writer.ts'
import { ConnectRequest, ConnectResponse } from '../../../proto/gen/rota/agent/v1/agent_service.ts'
import type { SeededRandom } from './seeded-random.ts'
import type { VirtualProcess } from './virtual-process.ts'
import { tagOf, type World } from './world.ts'

const UP_TAG = tagOf('up')
const DOWN_TAG = tagOf('down')
const BREAK_TAG = tagOf('break')
/** Unread messages above which a writer is told to wait. */
const WINDOW = 16
const KEEPALIVE_MS = 5_000
export const USUAL_LATENCY_MS = { low: 0.2, high: 2 }
const RST_RETRY_MS = 1_000
const SAID_KEPT = 200

/** The coordinator's end of a stream. */
export interface ServerCall {
  write(message: ConnectResponse): boolean
  on(event: 'drain' | 'close' | 'cancelled', fn: () => void): unknown
  /** The last thing that the agent hears, after all that was written before. */
  fail(error: ServiceError): void
}

/** What a coordinator does with a stream. */
export interface ServerHandlers {
  /** Answers when it has been dealt with: the next message is read then. */
  onMessage(message: ConnectRequest): Promise<void>
  /** The agent has ended it, or it has broken. */
  onEnd(): void
}

export interface Listener {
  readonly process: VirtualProcess
  accept(agent: string, call: ServerCall): ServerHandlers
}

export class VirtualNetwork {
  readonly world: World
  readonly #random: SeededRandom
  readonly #listeners = new Map<string, Listener>()
  readonly #closed = new Set<string>()
  readonly #streams = new Set<VirtualStream>()
  #writer: BinaryWriter | undefined
  /** Latency in ms, one way. */
  latencyMs = USUAL_LATENCY_MS
  /** Keepalives of a coordinator take so many times longer: proxies hide that an agent is gone. */
  serverPatience = 1
  /** Told of every hello before it goes out. */
  onHello: (agent: string, address: string) => void = () => {}
  /** Told of every heartbeat when it arrives. */
  onHeartbeat: (agent: string) => void = () => {}
  /** The last reports that have arrived, for those who want to say them again. */
  readonly reports: Said<ConnectRequest>[] = []
  /** The same of assignments. */
  readonly assigns: Said<ConnectResponse>[] = []

  constructor(world: World) {
    this.world = world
    this.#random = world.random.fork()
  }

  listen(address: string, listener: Listener): void {
    this.#listeners.set(address, listener)
  }

  /** Nobody listens any more: streams end at once (the kernel sends RST), or by keepalive when the host is gone. */
  unlisten(address: string): void {
    this.#listeners.delete(address)
  }

  listenerAt(address: string): Listener | undefined {
    return this.#listeners.get(address)
  }

  get streams(): readonly VirtualStream[] {
    return [...this.#streams]
  }

  streamsOf(name: string): VirtualStream[] {
    return this.streams.filter(({ agent, address }) => agent === name || address === name)
  }

  /** Nothing passes from one to the other; `*` is everybody. */
  close(from: string, to: string): void {
    this.#closed.add(`${from}>${to}`)
    for (const stream of this.#streams) stream.linkChanged()
  }

  open(from: string, to: string): void {
    this.#closed.delete(`${from}>${to}`)
    for (const stream of this.#streams) stream.linkChanged()
  }

  openAll(): void {
    this.#closed.clear()
    for (const stream of this.#streams) stream.linkChanged()
  }

  isOpen(from: string, to: string): boolean {
    if (this.#closed.size === 0) return true
    return ![`${from}>${to}`, `${from}>*`, `*>${to}`].some((link) => this.#closed.has(link))
  }

  isOpenBothWays(a: string, b: string): boolean {
    return this.isOpen(a, b) && this.isOpen(b, a)
  }

  dial(agent: VirtualProcess, host: string, address: string): VirtualStream {
    const stream = new VirtualStream({ network: this, agentProcess: agent, agent: host, address })
    this.#streams.add(stream)
    return stream
  }

  heardUp(agentProcess: VirtualProcess, message: ConnectRequest): void {
    if (message.message?.$case !== 'report') return
    this.reports.push({ agentProcess, message })
    if (this.reports.length > SAID_KEPT) this.reports.shift()
  }

  heardDown(agentProcess: VirtualProcess, message: ConnectResponse): void {
    if (message.message?.$case !== 'assign') return
    this.assigns.push({ agentProcess, message })
    if (this.assigns.length > SAID_KEPT) this.assigns.shift()
  }

  drop(stream: VirtualStream): void {
    this.#streams.delete(stream)
  }

  /** What goes over the wire. The writer's memory is used again and again. */
  encode(message: ConnectRequest | ConnectResponse, isUp: boolean): Uint8Array {
    const writer = this.#writer ?? new BinaryWriter()
    // One that has thrown halfway is not used again.
    this.#writer = undefined
    const bytes = isUp
      ? ConnectRequest.encode(message as ConnectRequest, writer).finish()
      : ConnectResponse.encode(message as ConnectResponse, writer).finish()
    this.#writer = writer
    return bytes
  }

  oneWayMs(): number {
    return this.#random.span(this.latencyMs.low, this.latencyMs.high)
  }

  keepaliveMs(): number {
    return this.#random.span(KEEPALIVE_MS * 0.8, KEEPALIVE_MS * 1.1)
  }
}

/** What has gone over a stream of an agent. */
export interface Said<M> {
  readonly agentProcess: VirtualProcess
  readonly message: M
}

interface StreamEnds {
  readonly network: VirtualNetwork
  readonly agentProcess: VirtualProcess
  readonly agent: string
  readonly address: string
}

type Item =
  | { readonly kind: 'message'; readonly bytes: Uint8Array; readonly name: string }
  | { readonly kind: 'end' }
  | { readonly kind: 'error'; readonly error: ServiceError }

/** One direction: items in order, each at its time, none while the link is closed. */
class Lane {
  readonly items: Item[] = []
  lastMs = 0
  isScheduled = false
}

type AgentListener = (value?: never) => void

export class VirtualStream implements ControlStream, ServerCall {
  readonly agent: string
  readonly address: string
  readonly agentProcess: VirtualProcess
  #server: VirtualProcess | undefined
  #handlers: ServerHandlers | undefined
  readonly #connected = Promise.withResolvers<void>()
  readonly #network: VirtualNetwork
  readonly #world: World
  readonly #up = new Lane()
  readonly #down = new Lane()
  readonly #listeners = new Map<string, AgentListener[]>()
  #isAgentOver = false
  #isServerOver = false
  #isReading = false
  #unread: Item[] = []
  #closedSinceMs: number | undefined

  constructor({ network, agentProcess, agent, address }: StreamEnds) {
    this.#network = network
    this.#world = network.world
    this.agent = agent
    this.address = address
    this.agentProcess = agentProcess
    this.#world.after(3 * network.oneWayMs(), UP_TAG, () => this.#connect())
  }

  get isConnected(): boolean {
    return this.#handlers !== undefined && !this.#isServerOver
  }

  // The agent's end.

  /** As DialledStream. */
  get connected(): Promise<void> {
    return this.#connected.promise
  }

  write(message: ConnectRequest | ConnectResponse): boolean {
    const isUp = isRequest(message)
    const lane = isUp ? this.#up : this.#down
    if (isUp ? this.#isAgentOver : this.#isServerOver) return true
    const bytes = this.#network.encode(message, isUp)
    const name = message.message?.$case ?? 'nothing'
    if (name === 'hello') this.#network.onHello(this.agent, this.address)
    this.#send(lane, { kind: 'message', bytes, name })
    return lane.items.length < WINDOW
  }

  end(): void {
    this.#send(this.#up, { kind: 'end' })
  }

  cancel(): void {
    if (this.#isAgentOver) return
    this.#isAgentOver = true
    this.#tellServer()
    this.#dropWhenOver()
  }

  on(event: string, listener: (value: never) => void): this {
    const list = this.#listeners.get(event) ?? []
    list.push(listener as AgentListener)
    this.#listeners.set(event, list)
    return this
  }

  once(event: 'drain', listener: () => void): this {
    return this.on(`once-${event}`, listener)
  }

  // The coordinator's end.

  fail(error: ServiceError): void {
    if (this.#isServerOver) return
    this.#send(this.#down, { kind: 'error', error })
    this.#endServer()
  }

  /** It has read to the end of what the agent had to say. */
  finish(): void {
    if (this.#isServerOver) return
    this.#send(this.#down, { kind: 'end' })
    this.#endServer()
  }

  // What the world does.

  /** RST: both ends learn of it at once, and what was on the way is lost. */
  reset(): void {
    this.breakAgent('ECONNRESET')
    this.#endServer()
  }

  /** The agent gives the connection up, or is told that it is gone. */
  breakAgent(why: string): void {
    if (this.#isAgentOver) return
    this.#isAgentOver = true
    this.#up.items.length = 0
    this.agentProcess.run(() => this.#emit('error', unavailable(why)))
    this.#dropWhenOver()
  }

  breakServer(): void {
    this.#endServer()
  }

  /** Its program was killed: the kernel says so to the other end, if it can. */
  agentDied(): void {
    this.#isAgentOver = true
    this.#up.items.length = 0
    this.#tellServer()
    this.#dropWhenOver()
  }

  serverDied(): void {
    this.#isServerOver = true
    this.#down.items.length = 0
    this.#tellAgent()
    this.#dropWhenOver()
  }

  /** The link, or a program at its end, has changed: what was held goes on, and who hears nothing gives up in time. */
  linkChanged(): void {
    const isOpen =
      this.#network.isOpenBothWays(this.agent, this.address) && !this.#isSomebodyFrozen()
    if (isOpen) this.#closedSinceMs = undefined
    else if (this.#closedSinceMs === undefined) this.#watchSilence()
    this.#schedule(this.#up, UP_TAG)
    this.#schedule(this.#down, DOWN_TAG)
  }

  #isSomebodyFrozen(): boolean {
    return this.agentProcess.isFrozen || this.#server?.isFrozen === true
  }

  /** Keepalive: each end by its own clock; one that is frozen finds out when it thaws. */
  #watchSilence(): void {
    const sinceMs = this.#world.nowMs
    this.#closedSinceMs = sinceMs
    const isStill = () => this.#closedSinceMs === sinceMs
    this.#world.after(this.#network.keepaliveMs(), BREAK_TAG, () => {
      if (isStill() && !this.agentProcess.isFrozen) this.breakAgent('keepalive')
    })
    const patienceMs = this.#network.keepaliveMs() * this.#network.serverPatience
    this.#world.after(patienceMs, BREAK_TAG, () => {
      if (isStill() && this.#server?.isFrozen === false) this.#endServer()
    })
  }

  #connect(): void {
    const listener = this.#network.listenerAt(this.address)
    if (this.#isAgentOver) return
    if (!this.#network.isOpenBothWays(this.agent, this.address)) {
      // SYN is sent again.
      this.#world.after(1_000, UP_TAG, () => this.#connect())
      return
    }
    if (listener === undefined) {
      this.breakAgent('ECONNREFUSED')
      return
    }
    this.#server = listener.process
    listener.process.run(() => {
      if (this.#isAgentOver) return
      this.#handlers = listener.accept(this.agent, this)
      this.linkChanged()
      this.#answer()
    })
  }

  /** The agent hears that it is connected; what is lost of it is sent again. */
  #answer(): void {
    this.#world.after(this.#network.oneWayMs(), DOWN_TAG, () => {
      if (this.#isAgentOver) return
      const isPassable = this.#network.isOpen(this.address, this.agent)
      if (isPassable) this.agentProcess.run(() => this.#connected.resolve())
      else this.#world.after(RST_RETRY_MS, DOWN_TAG, () => this.#answer())
    })
  }

  #send(lane: Lane, item: Item): void {
    lane.items.push(item)
    this.#schedule(lane, lane === this.#up ? UP_TAG : DOWN_TAG)
  }

  #schedule(lane: Lane, tag: number): void {
    if (lane.isScheduled || lane.items.length === 0 || !this.#isPassable(lane)) return
    lane.isScheduled = true
    const atMs = Math.max(lane.lastMs, this.#world.nowMs + this.#network.oneWayMs())
    lane.lastMs = atMs
    this.#world.after(atMs - this.#world.nowMs, tag, () => {
      lane.isScheduled = false
      if (!this.#isPassable(lane)) return
      const items = lane.items.splice(0)
      for (const item of items) this.#deliver(lane, item)
      if (items.length >= WINDOW) this.#drained(lane)
    })
  }

  #isPassable(lane: Lane): boolean {
    if (this.#handlers === undefined) return false
    return lane === this.#up
      ? this.#network.isOpen(this.agent, this.address)
      : this.#network.isOpen(this.address, this.agent)
  }

  #drained(lane: Lane): void {
    if (lane === this.#down) this.#server?.run(() => this.#emit('drain'))
    else {
      this.agentProcess.run(() => {
        const waiting = this.#listeners.get('once-drain') ?? []
        this.#listeners.delete('once-drain')
        for (const listener of waiting) listener()
      })
    }
  }

  #deliver(lane: Lane, item: Item): void {
    if (lane === this.#up) {
      if (this.#isServerOver) return
      this.#server?.run(() => {
        this.#unread.push(item)
        void this.#read()
      })
    } else if (!this.#isAgentOver) this.agentProcess.run(() => this.#hear(item))
  }

  /** As rpc/agent-service.ts: one message after the other. */
  async #read(): Promise<void> {
    if (this.#isReading) return
    this.#isReading = true
    for (let item = this.#unread.shift(); item !== undefined; item = this.#unread.shift()) {
      if (this.#isServerOver) return
      if (item.kind !== 'message') {
        this.finish()
        return
      }
      const message = ConnectRequest.decode(item.bytes)
      this.#world.note(this.address, () => `<- ${this.agent} ${text(message.message)}`)
      this.#network.heardUp(this.agentProcess, message)
      if (message.message?.$case === 'heartbeat') this.#network.onHeartbeat(this.agent)
      await this.#handlers?.onMessage(message)
    }
    this.#isReading = false
  }

  #hear(item: Item): void {
    if (this.#isAgentOver) return
    if (item.kind === 'message') {
      const message = ConnectResponse.decode(item.bytes)
      this.#world.note(this.agent, () => `<- ${this.address} ${text(message.message)}`)
      this.#network.heardDown(this.agentProcess, message)
      this.#emit('data', message)
      return
    }
    this.#isAgentOver = true
    if (item.kind === 'end') this.#emit('end')
    else this.#emit('error', item.error)
    this.#dropWhenOver()
  }

  /** RST goes out when something of the other end arrives, and that is sent again and again. */
  #tellServer(): void {
    this.#world.after(this.#network.oneWayMs(), BREAK_TAG, () => {
      if (this.#isServerOver) return
      if (this.#network.isOpen(this.agent, this.address)) this.#endServer()
      else this.#world.after(RST_RETRY_MS, BREAK_TAG, () => this.#tellServer())
    })
  }

  #tellAgent(): void {
    this.#world.after(this.#network.oneWayMs(), BREAK_TAG, () => {
      if (this.#isAgentOver) return
      if (this.#network.isOpen(this.address, this.agent)) this.breakAgent('ECONNRESET')
      else this.#world.after(RST_RETRY_MS, BREAK_TAG, () => this.#tellAgent())
    })
  }

  #endServer(): void {
    if (this.#isServerOver) return
    this.#isServerOver = true
    this.#server?.run(() => {
      this.#emit('close')
      this.#handlers?.onEnd()
    })
    this.#dropWhenOver()
  }

  #dropWhenOver(): void {
    const hasLast = this.#down.items.length > 0 && !this.#isAgentOver
    if (this.#isAgentOver && (this.#isServerOver || this.#handlers === undefined) && !hasLast) {
      this.#network.drop(this)
    }
  }

  #emit(event: string, value?: object): void {
    for (const listener of this.#listeners.get(event) ?? []) listener(value as never)
  }
}

const REQUESTS: ReadonlySet<string> = new Set<AgentMessage['$case']>([
  'hello',
  'heartbeat',
  'report',
  'drainProgress',
])

function isRequest(message: ConnectRequest | ConnectResponse): message is ConnectRequest {
  return REQUESTS.has(message.message?.$case ?? '')
}

function unavailable(details: string): ServiceError {
  return Object.assign(new Error(details), {
    code: status.UNAVAILABLE,
    details,
    metadata: new Metadata(),
  })
}

function text(value: unknown): string {
  return JSON.stringify(value, (_key, each: unknown) =>
    typeof each === 'bigint' ? String(each) : each,
  ).slice(0, 800)
}
