/**
 * Writes to one stream, paced by its reader.
 *
 * W1. What the stream does not take at once waits in a queue of at most QUEUE_MAX messages and QUEUE_BYTES_MAX; a reader
 *     that is further behind loses the stream, not our memory.
 * W2. A peer that has left never drains: the end of the call drops the queue.
 */
import { RotaError } from '../../shared/errors/rota-error.ts'

const QUEUE_MAX = 256
const QUEUE_BYTES_MAX = 4 * 1024 * 1024

export interface StreamWriter<T> {
  write(message: T): void
}

interface WritableCall<T> {
  write(message: T): boolean
  on(event: 'drain' | 'close' | 'cancelled', fn: () => void): unknown
}

export interface StreamWriterOptions<T> {
  /** In bytes. */
  readonly sizeOf: (message: T) => number
  readonly onOverflow: (error: RotaError) => void
}

export function createStreamWriter<T>(
  call: WritableCall<T>,
  { onOverflow, sizeOf }: StreamWriterOptions<T>,
): StreamWriter<T> {
  let queue: { readonly message: T; readonly bytes: number }[] = []
  let queuedBytes = 0
  let isBlocked = false
  let isOver = false
  const finish = () => {
    isOver = true
    queue = []
    queuedBytes = 0
  }
  call.on('close', finish)
  call.on('cancelled', finish)
  call.on('drain', () => {
    isBlocked = false
    while (!isBlocked && !isOver) {
      const next = queue.shift()
      if (next === undefined) return
      queuedBytes -= next.bytes
      isBlocked = !call.write(next.message)
    }
  })
  return {
    write(message) {
      if (isOver) return
      if (!isBlocked) {
        isBlocked = !call.write(message)
        return
      }
      const bytes = sizeOf(message)
      if (queue.length < QUEUE_MAX && queuedBytes + bytes <= QUEUE_BYTES_MAX) {
        queue.push({ message, bytes })
        queuedBytes += bytes
      } else {
        finish()
        onOverflow(new RotaError('SESSION_ENDED', 'the agent does not read its stream'))
      }
    },
  }
}
