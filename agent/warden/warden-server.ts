/**
 * The socket of a warden.
 *
 * S1. One agent at a time; who comes last counts, for the one before may hang.
 * S2. Welcome, with all that the warden has, is the first reply; what happens later follows it.
 * S3. A line that cannot be understood ends the connection, never the warden.
 */
import { rmSync } from 'node:fs'
import { createServer, type Server, type Socket } from 'node:net'
import { LineReader, LineWriter, type WardenReply, type WardenRequest } from './messages.ts'
import type { Warden } from './warden.ts'

export interface WardenServerOptions {
  readonly warden: Warden
  /** Path of the socket; a stale one in its place is removed. */
  readonly path: string
  readonly release: string
  readonly onTrouble: (what: string, error: unknown) => void
  /** The agent wants the warden to end. */
  readonly onQuit: () => void
  /** An agent came or went. */
  readonly onChange: () => void
}

export class WardenServer {
  readonly #options: WardenServerOptions
  readonly #server: Server
  #agent: Socket | undefined
  #writer: LineWriter | undefined

  constructor(options: WardenServerOptions) {
    this.#options = options
    this.#server = createServer((socket) => this.#accept(socket))
  }

  get hasAgent(): boolean {
    return this.#agent !== undefined
  }

  listen(): Promise<void> {
    rmSync(this.#options.path, { force: true })
    return new Promise((resolve, reject) => {
      this.#server.once('error', reject)
      this.#server.listen(this.#options.path, resolve)
    })
  }

  /** Tells the agent, if there is one. */
  tell(reply: WardenReply): void {
    this.#writer?.send(reply)
  }

  close(): void {
    this.#server.close()
    this.#writer?.flush()
    this.#agent?.end()
  }

  #accept(socket: Socket): void {
    const { onChange, onTrouble } = this.#options
    const reader = new LineReader()
    socket.on('data', (piece: Buffer) => {
      try {
        for (const line of reader.read(piece)) this.#obey(socket, JSON.parse(line))
      } catch (error) {
        onTrouble('an agent was not understood', error)
        socket.destroy()
      }
    })
    socket.on('error', (error) => onTrouble('the connection to the agent broke', error))
    socket.on('close', () => {
      if (this.#agent === socket) this.#turnTo(undefined)
      onChange()
    })
  }

  #turnTo(socket: Socket | undefined): void {
    this.#agent = socket
    this.#writer = socket && new LineWriter((lines) => void socket.write(lines))
  }

  #obey(socket: Socket, request: WardenRequest): void {
    const { onChange, onQuit, release, warden } = this.#options
    switch (request.type) {
      case 'hello':
        this.#agent?.destroy()
        this.#turnTo(socket)
        this.tell({ type: 'welcome', release, attempts: warden.list() })
        onChange()
        break
      case 'start':
        warden.start(request.order)
        break
      case 'stop':
        warden.stop(request.key, request.cause, request.graceMs)
        break
      case 'lease':
        warden.renewLease(request.lease)
        break
      case 'forget':
        warden.forget(request.key)
        break
      case 'ping':
        this.tell({ type: 'pong' })
        break
      case 'quit':
        onQuit()
        break
    }
  }
}
