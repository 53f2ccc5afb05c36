import { EventEmitter } from 'node:events'
import { status as Status } from '@grpc/grpc-js'
import { expect, test, vi } from 'vitest'
import { keepAlive } from '../../../../agent/connect/keepalive.ts'
import { createFakeClock } from '../../../support/fake-clock.ts'

/** A stream whose peer answers a question with `code`, or not at all. */
function watched(code?: Status) {
  const clock = createFakeClock()
  const cancelWithStatus = vi.fn()
  const stream = Object.assign(new EventEmitter(), { call: { cancelWithStatus } })
  const makeUnaryRequest = vi.fn((...args: unknown[]) => {
    const answer = args.at(-1) as (error: { code: Status }) => void
    if (code !== undefined) answer({ code })
  })
  keepAlive(clock, { makeUnaryRequest } as never, stream as never)
  return { clock, stream, cancelWithStatus, makeUnaryRequest }
}

test('who is heard of is not asked', async () => {
  const { clock, stream, makeUnaryRequest } = watched()
  for (let beat = 0; beat < 10; beat++) {
    await clock.advance(4_200)
    stream.emit('data', {})
  }
  expect(makeUnaryRequest).not.toHaveBeenCalled()
})

test('who is silent and answers when asked is alive', async () => {
  const { clock, makeUnaryRequest, cancelWithStatus } = watched(Status.UNIMPLEMENTED)
  await clock.advance(60_000)
  expect(makeUnaryRequest.mock.calls.length).toBeGreaterThanOrEqual(9)
  expect(cancelWithStatus).not.toHaveBeenCalled()
})

test.each([
  ['says nothing', undefined],
  ['is not reached', Status.DEADLINE_EXCEEDED],
])('a peer that %s is given up 6 s after its last word', async (_, code) => {
  const { clock, stream, cancelWithStatus } = watched(code)
  await clock.advance(1_000)
  stream.emit('data', {})
  await clock.advance(5_999)
  expect(cancelWithStatus).not.toHaveBeenCalled()
  await clock.advance(1)
  const [why] = cancelWithStatus.mock.calls
  expect(why).toEqual([Status.UNAVAILABLE, 'nothing was heard for 6000 ms'])
})

test('a late word counts', async () => {
  const { clock, stream, cancelWithStatus } = watched()
  await clock.advance(5_000)
  stream.emit('data', {})
  await clock.advance(5_900)
  expect(cancelWithStatus).not.toHaveBeenCalled()
})

test('nobody watches a stream that is over', () => {
  const { clock, stream } = watched()
  stream.emit('error', new Error('gone'))
  expect(clock.pending).toBe(0)
})
