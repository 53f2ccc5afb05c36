import { EventEmitter } from 'node:events'
import { expect, test } from 'vitest'
import { createStreamWriter } from '../../../../coordinator/rpc/stream-writer.ts'
import type { RotaError } from '../../../../shared/errors/rota-error.ts'

/** Takes as many messages as `room` says, then waits to be drained. */
class SlowCall extends EventEmitter {
  readonly written: string[] = []
  room = 1

  write(message: string): boolean {
    this.written.push(message)
    this.room -= 1
    return this.room > 0
  }
}

function open(sizeOf: (message: string) => number = () => 1) {
  const call = new SlowCall()
  const errors: RotaError[] = []
  const writer = createStreamWriter<string>(call, {
    sizeOf,
    onOverflow: (error) => void errors.push(error),
  })
  return { call, errors, writer }
}

test('what the peer does not take at once goes out later, in order', () => {
  const { call, writer } = open()
  for (const message of ['a', 'b', 'c', 'd']) writer.write(message)
  expect(call.written).toEqual(['a'])
  call.room = 2
  call.emit('drain')
  expect(call.written).toEqual(['a', 'b', 'c'])
  writer.write('e')
  call.room = 5
  call.emit('drain')
  expect(call.written).toEqual(['a', 'b', 'c', 'd', 'e'])
})

test('a peer that is 256 messages behind loses the stream', () => {
  const { errors, writer } = open()
  for (let count = 0; count < 257; count++) writer.write('x')
  expect(errors).toEqual([])
  writer.write('x')
  expect(errors.map(({ reason }) => reason)).toEqual(['SESSION_ENDED'])
  for (let count = 0; count < 1_000; count++) writer.write('x')
  expect(errors).toHaveLength(1)
})

test('so does one that is 4 MiB behind, with fewer messages', () => {
  const { call, errors, writer } = open((message) => message.length)
  const megabyte = 'x'.repeat(1024 * 1024)
  for (let count = 0; count < 5; count++) writer.write(megabyte)
  expect(errors).toEqual([])
  // What goes out makes room again.
  call.room = 2
  call.emit('drain')
  for (let count = 0; count < 2; count++) writer.write(megabyte)
  expect(errors).toEqual([])
  writer.write('y')
  expect(errors).toHaveLength(1)
})

test('after the end nothing is written or kept', () => {
  const { call, errors, writer } = open()
  writer.write('a')
  writer.write('b')
  call.emit('cancelled')
  call.room = 100
  call.emit('drain')
  for (let count = 0; count < 1_000; count++) writer.write('c')
  expect(call.written).toEqual(['a'])
  expect(errors).toEqual([])
})
