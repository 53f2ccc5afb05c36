import fc from 'fast-check'
import { expect, test } from 'vitest'
import { LogBudget } from '../../../../agent/report/log-budget.ts'
import { CHUNK_BYTES_MAX, LogTail } from '../../../../agent/report/log-tail.ts'

const KIB = 1024

function tailOf(writtenBytes: number, capBytes = Number.MAX_SAFE_INTEGER) {
  const budget = new LogBudget(capBytes)
  const tail = new LogTail('stdout', budget)
  tail.grew(writtenBytes)
  return { budget, tail }
}

/** Sends all that may be sent now; answers how many bytes that were. */
function sendAll(tail: LogTail, nowMs: number): number {
  let bytes = 0
  for (let chunk = tail.nextChunk(nowMs); chunk !== undefined; chunk = tail.nextChunk(nowMs)) {
    tail.sent(chunk, nowMs)
    bytes += chunk.length
  }
  return bytes
}

test('at most 1 MiB is unanswered, in chunks of at most 64 KiB', () => {
  const { tail } = tailOf(3 * 1024 * KIB)
  expect(tail.nextChunk(0)).toEqual({ offset: 0, length: CHUNK_BYTES_MAX })
  expect(sendAll(tail, 0)).toBe(1024 * KIB)
  tail.answered(64 * KIB, 1)
  expect(tail.nextChunk(1)).toEqual({ offset: 1024 * KIB, length: 64 * KIB })
})

test('nothing beyond the cap is sent', () => {
  const { tail, budget } = tailOf(1_000, 300)
  expect(sendAll(tail, 0)).toBe(300)
  expect(budget.isSpent).toBe(true)
})

test('an answer that is no progress makes it send again from there, once', () => {
  const { tail } = tailOf(200 * KIB)
  sendAll(tail, 0)
  tail.answered(64 * KIB, 10)
  // The second chunk was lost: the answers to it and to the ones after it say so, each.
  tail.answered(64 * KIB, 11)
  tail.answered(64 * KIB, 12)
  expect(tail.rewinds).toBe(1)
  expect(tail.nextChunk(400)).toBeUndefined()
  expect(tail.nextChunk(600)).toEqual({ offset: 64 * KIB, length: 64 * KIB })
  sendAll(tail, 600)
  tail.answered(200 * KIB, 700)
  expect(tail.rewinds).toBe(0)
  expect(tail.isCaughtUp).toBe(true)
})

test('a coordinator that lost what it had stored gets it again', () => {
  const { tail } = tailOf(100)
  sendAll(tail, 0)
  tail.answered(100, 1)
  tail.answered(40, 2)
  expect(tail.nextChunk(1_000)).toEqual({ offset: 40, length: 60 })
})

test('what an earlier life of the agent has shipped is skipped', () => {
  const { tail, budget } = tailOf(500 * KIB, 450 * KIB)
  const first = tail.nextChunk(0)
  tail.sent(first ?? { offset: 0, length: 0 }, 0)
  tail.answered(300 * KIB, 1)
  expect(tail.nextChunk(1)?.offset).toBe(300 * KIB)
  expect(sendAll(tail, 1)).toBe(150 * KIB)
  expect(budget.granted('stdout')).toBe(450 * KIB)
})

test('silence makes it send again, with growing waits', () => {
  const { tail } = tailOf(100)
  sendAll(tail, 0)
  tail.checkOverdue(4_000)
  expect(tail.rewinds).toBe(0)
  tail.checkOverdue(6_000)
  expect(tail.rewinds).toBe(1)
  expect(tail.nextChunk(6_600)).toEqual({ offset: 0, length: 100 })
})

test('a new connection begins where the coordinator is', () => {
  const { tail } = tailOf(200)
  sendAll(tail, 0)
  tail.answered(50, 1)
  tail.reconnected()
  expect(tail.nextChunk(2)).toEqual({ offset: 50, length: 150 })
})

test('whatever is lost on the way, the coordinator ends up with every byte, once', () => {
  const faults = fc.array(fc.constantFrom('store', 'store', 'lose', 'silent', 'reconnect'), {
    maxLength: 300,
  })
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 400 * KIB }), faults, (size, script) => {
      const { tail } = tailOf(size)
      const steps = [...script]
      let stored = 0
      let nowMs = 0
      for (let round = 0; round < 2_000 && !(stored === size && tail.isShipped); round++) {
        nowMs += 6_000
        tail.checkOverdue(nowMs)
        const chunk = tail.nextChunk(nowMs)
        if (chunk === undefined) continue
        tail.sent(chunk, nowMs)
        const fault = steps.shift() ?? 'store'
        if (fault === 'reconnect') tail.reconnected()
        if (fault === 'reconnect' || fault === 'silent') continue
        if (fault === 'store' && chunk.offset <= stored) {
          stored = Math.max(stored, chunk.offset + chunk.length)
        }
        tail.answered(stored, nowMs)
      }
      expect(stored).toBe(size)
      expect(tail.isShipped).toBe(true)
    }),
    { numRuns: 50 },
  )
})
