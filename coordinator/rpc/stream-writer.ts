/**
 * Writes to one stream, paced by its reader.
 *
 * W1. What the stream does not take at once waits in a queue of at most QUEUE_MAX messages; a reader that is further
 *     behind loses the stream, not our memory.
 * W2. A peer that has left never drains: the end of the call drops the queue.
 */
import { RotaError } from '../../shared/errors/rota-error.ts'

const QUEUE_MAX = 256

export interface StreamWriter<T> {
  write(message: T): void
}

interface WritableCall<T> {
  write(message: T): boolean
  on(event: 'drain' | 'close' | 'cancelled', fn: () => void): unknown
}

export function createStreamWriter<T>(
  call: WritableCall<T>,
  onOverflow: (error: RotaError) => void,
): StreamWriter<T> {
  let queue: T[] = []
  let isBlocked = false
  let isOver = false
  const finish = () => {
    isOver = true
    queue = []
  }
  call.on('close', finish)
  call.on('cancelled', finish)
  call.on('drain', () => {
    isBlocked = false
    while (!isBlocked && !isOver) {
      const message = queue.shift()
      if (message === undefined) return
      isBlocked = !call.write(message)
    }
  })
  return {
    write(message) {
      if (isOver) return
      if (!isBlocked) {
        isBlocked = !call.write(message)
      } else if (queue.length < QUEUE_MAX) {
        queue.push(message)
      } else {
        finish()
        onOverflow(new RotaError('SESSION_ENDED', 'the agent does not read its stream'))
      }
    },
  }
}
