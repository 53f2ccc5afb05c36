/** One connection of an agent to its warden. */
import { closeSync, openSync } from 'node:fs'
import { connect, type Socket } from 'node:net'
import { join } from 'node:path'
import type { Clock } from '../../shared/clock.ts'
import {
  encodeLine,
  type HeldAttempt,
  LineReader,
  LineWriter,
  type WardenReply,
  type WardenRequest,
} from './messages.ts'
import { SOCKET_NAME } from './warden-files.ts'

/** Addresses of sockets are shorter than 108 bytes. */
const PATH_BYTES_MAX = 100

export interface WardenConnection {
  readonly release: string
  /** What the warden had when it was connected. */
  readonly attempts: readonly HeldAttempt[]
  send(request: WardenRequest): void
  /** Sends what is still to be sent, and closes. */
  end(): void
  /** Closes at once. */
  destroy(): void
}

export interface ConnectOptions {
  /** Of the socket. */
  readonly folder: string
  readonly clock: Clock
  readonly welcomeMs: number
  /** In the turn of Welcome: what follows it may have come with it. */
  readonly onWelcome: (connection: WardenConnection) => void
  /** After Welcome. */
  readonly onReply: (reply: WardenReply) => void
  /** After Welcome, and once. */
  readonly onClose: () => void
}

/** Undefined when no warden answers there. */
export function connectWarden(options: ConnectOptions): Promise<WardenConnection | undefined> {
  const { clock, folder, onClose, onReply, onWelcome, welcomeMs } = options
  return new Promise((resolve) => {
    const socket = openSocket(folder)
    const reader = new LineReader()
    const deadline = clock.after(welcomeMs, () => socket.destroy())
    let isWelcome = false
    const receive = (reply: WardenReply) => {
      if (reply.type !== 'welcome') return onReply(reply)
      isWelcome = true
      deadline.cancel()
      const connection = connectionOf(socket, reply)
      onWelcome(connection)
      resolve(connection)
    }
    socket.on('data', (piece: Buffer) => {
      try {
        for (const line of reader.read(piece)) receive(JSON.parse(line))
      } catch (error) {
        socket.destroy(error instanceof Error ? error : undefined)
      }
    })
    // Its end follows.
    socket.on('error', () => {})
    socket.on('close', () => {
      deadline.cancel()
      if (isWelcome) onClose()
      else resolve(undefined)
    })
    socket.write(encodeLine({ type: 'hello' }))
  })
}

function connectionOf(
  socket: Socket,
  { attempts, release }: Extract<WardenReply, { type: 'welcome' }>,
): WardenConnection {
  const writer = new LineWriter((lines) => void socket.write(lines))
  return {
    release,
    attempts,
    send: (request) => writer.send(request),
    end: () => {
      writer.flush()
      socket.end()
    },
    destroy: () => void socket.destroy(),
  }
}

/** A folder with a long path is gone through by its descriptor. */
function openSocket(folder: string): Socket {
  const path = join(folder, SOCKET_NAME)
  if (Buffer.byteLength(path) <= PATH_BYTES_MAX) return connect(path)
  const descriptor = openSync(folder, 'r')
  const socket = connect(`/proc/self/fd/${descriptor}/${SOCKET_NAME}`)
  const close = () => closeSync(descriptor)
  socket.once('connect', close)
  socket.once('error', close)
  return socket
}
