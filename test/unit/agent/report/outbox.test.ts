import fc from 'fast-check'
import { expect, test } from 'vitest'
import { Outbox } from '../../../../agent/report/outbox.ts'
import type { ReportItem } from '../../../../agent/report/report-item.ts'
import { YoungAttempt } from '../../../../agent/report/young-attempt.ts'
import { Finished, Report } from '../../../../proto/gen/rota/agent/v1/agent_service.ts'
import { createFakeClock } from '../../../support/fake-clock.ts'

/** All that lingers is due by then, in ms. */
const LATER_MS = 1_000

function accepted(execution: string): ReportItem {
  return { kind: 'accepted', value: { execution, epoch: 1n } }
}

function progressed(execution: string, progress: number): ReportItem {
  return { kind: 'progressed', value: { execution, epoch: 1n, progress, message: '' } }
}

function finished(execution: string, message = ''): ReportItem {
  return { kind: 'finished', value: Finished.fromPartial({ execution, epoch: 1n, message }) }
}

function refused(execution: string): ReportItem {
  return { kind: 'refused', value: { execution, epoch: 1n, reason: 'NO_SLOT' } }
}

function createOutbox() {
  let calls = 0
  const clock = createFakeClock()
  const outbox = new Outbox(clock, () => {
    calls += 1
  })
  return { outbox, clock, calls: () => calls }
}

test('one report carries all that waits', () => {
  const { outbox } = createOutbox()
  outbox.put(accepted('a'))
  outbox.put(progressed('a', 0.5))
  outbox.put(finished('b'))
  const report = outbox.take(LATER_MS)
  expect(report?.sequence).toBe(1n)
  expect(report?.accepted).toHaveLength(1)
  expect(report?.progressed).toHaveLength(1)
  expect(report?.finished).toHaveLength(1)
  expect(outbox.take(LATER_MS)).toBeUndefined()
})

test('a result is reported at once, and is all that is said of an attempt that ends at once', () => {
  const { outbox, calls } = createOutbox()
  outbox.put(accepted('a'))
  outbox.put({ kind: 'started', value: { execution: 'a', epoch: 1n, startTime: new Date(0) } })
  expect([calls(), outbox.size]).toEqual([0, 2])
  outbox.put(finished('a'))
  expect([calls(), outbox.size]).toEqual([1, 1])
  const report = outbox.take(0)
  expect(report).toMatchObject({ accepted: [], started: [] })
  expect(report?.finished).toHaveLength(1)
  expect(outbox.take(LATER_MS)).toBeUndefined()
})

test('an attempt whose result is being journaled is not reported started any more', () => {
  const { outbox } = createOutbox()
  outbox.put(accepted('a'))
  outbox.put(accepted('b'))
  outbox.expectResult({ execution: 'a', epoch: 1n })
  expect(outbox.size).toBe(1)
  expect(outbox.take(LATER_MS)?.accepted.map(({ execution }) => execution)).toEqual(['b'])
  outbox.expectResult({ execution: 'b', epoch: 1n })
  expect(outbox.size).toBe(1)
})

test('what lingers is not sent along with what is sent at once, and is reported soon after', async () => {
  const { outbox, clock, calls } = createOutbox()
  outbox.put(accepted('a'))
  outbox.put(refused('b'))
  expect(outbox.take(0)).toMatchObject({ accepted: [], refused: [{ execution: 'b' }] })
  expect(outbox.take(0)).toBeUndefined()
  const before = calls()
  await clock.advance(LATER_MS)
  expect(calls()).toBe(before + 1)
  expect(outbox.take(LATER_MS)?.accepted).toHaveLength(1)
})

test('an attempt that was reported accepted, and not acknowledged, is not accepted again after its result', () => {
  const { outbox } = createOutbox()
  outbox.put(accepted('a'))
  outbox.put(accepted('b'))
  outbox.take(LATER_MS)
  outbox.put(finished('a'))
  outbox.resend(Number.POSITIVE_INFINITY)
  expect(outbox.size).toBe(2)
  const report = outbox.take(LATER_MS)
  expect(report?.accepted.map(({ execution }) => execution)).toEqual(['b'])
  expect(report?.finished.map(({ execution }) => execution)).toEqual(['a'])
})

test('another epoch of the same execution is another attempt', () => {
  const { outbox } = createOutbox()
  outbox.put({ kind: 'accepted', value: { execution: 'a', epoch: 2n } })
  outbox.put(finished('a'))
  expect(outbox.take(LATER_MS)).toMatchObject({
    accepted: [{ epoch: 2n }],
    finished: [{ epoch: 1n }],
  })
})

test('results gather while a report is unanswered, but not for long', async () => {
  const { outbox, clock, calls } = createOutbox()
  const names = ['a', 'b', 'c', 'd']
  const takenOf = (nowMs: number) => outbox.take(nowMs)?.finished.map(({ execution }) => execution)
  const taken = names.map((name) => {
    outbox.put(finished(name))
    return takenOf(0)
  })
  expect(taken).toEqual([['a'], undefined, undefined, undefined])
  const before = calls()
  await clock.advance(LATER_MS)
  expect(calls()).toBe(before + 1)
  expect(takenOf(clock.monotonicMs())).toEqual(['b', 'c', 'd'])
})

test('an answer lets the gathered results go', () => {
  const { outbox, calls } = createOutbox()
  for (const name of ['a', 'b', 'c']) {
    outbox.put(finished(name))
    outbox.take(0)
  }
  const before = calls()
  outbox.acknowledge(1n)
  expect(calls()).toBe(before + 1)
  expect(outbox.take(0)?.finished).toHaveLength(2)
})

test('acknowledged items are given back once, and are gone', () => {
  const { outbox } = createOutbox()
  outbox.put(finished('a'))
  const report = outbox.take(0)
  expect(outbox.acknowledge(report?.sequence ?? 0n)).toEqual([finished('a')])
  expect(outbox.acknowledge(report?.sequence ?? 0n)).toEqual([])
  outbox.resend(Number.POSITIVE_INFINITY)
  expect(outbox.size).toBe(0)
})

test('what is not acknowledged is sent again before what is newer', () => {
  const { outbox } = createOutbox()
  outbox.put(finished('a'))
  outbox.take(10)
  outbox.put(finished('b'))
  outbox.resend(9)
  expect(outbox.size).toBe(2)
  expect(outbox.take(LATER_MS)?.finished.map(({ execution }) => execution)).toEqual(['b'])
  outbox.resend(Number.POSITIVE_INFINITY)
  expect(outbox.take(LATER_MS)?.finished.map(({ execution }) => execution)).toEqual(['a', 'b'])
})

test('newer progress takes the place of older, also when the older one comes back', () => {
  const { outbox } = createOutbox()
  outbox.put(progressed('a', 0.1))
  outbox.put(progressed('a', 0.2))
  expect(outbox.take(LATER_MS)?.progressed.map(({ progress }) => progress)).toEqual([0.2])
  outbox.put(progressed('a', 0.3))
  outbox.resend(Number.POSITIVE_INFINITY)
  expect(outbox.take(LATER_MS)?.progressed.map(({ progress }) => progress)).toEqual([0.3])
})

test('an acknowledgement of a report that was sent again meanwhile changes nothing', () => {
  const { outbox } = createOutbox()
  outbox.put(finished('a'))
  const first = outbox.take(0)
  outbox.resend(Number.POSITIVE_INFINITY)
  expect(outbox.acknowledge(first?.sequence ?? 0n)).toEqual([])
  expect(outbox.take(0)?.finished).toHaveLength(1)
})

test('only so many reports are unanswered at once', () => {
  const { outbox } = createOutbox()
  for (let count = 0; count < 40; count++) {
    outbox.put(finished(`execution-${count}`))
    outbox.take(count * LATER_MS)
  }
  outbox.put(finished('last'))
  expect(outbox.take(50 * LATER_MS)).toBeUndefined()
  outbox.acknowledge(1n)
  expect(outbox.take(50 * LATER_MS)).toBeDefined()
})

test('no report is larger than a message may be, and none is lost', () => {
  fc.assert(
    fc.property(fc.array(fc.nat(230_000), { minLength: 1, maxLength: 20 }), (lengths) => {
      const { outbox } = createOutbox()
      lengths.forEach((length, index) => {
        outbox.put(finished(`execution-${index}`, 'x'.repeat(length)))
      })
      const seen = new Set<string>()
      for (let report = outbox.take(0); report !== undefined; report = outbox.take(0)) {
        expect(Report.encode(report).finish().length).toBeLessThan(256 * 1024)
        for (const { execution } of report.finished) seen.add(execution)
        outbox.acknowledge(report.sequence)
      }
      expect(seen.size).toBe(lengths.length)
    }),
    { numRuns: 20 },
  )
})

test('what is offered again is reported, and the last report says that it was all', () => {
  const { outbox } = createOutbox()
  const message = 'x'.repeat(200 * 1024)
  const results = ['a', 'b'].map((execution) =>
    Finished.fromPartial({ execution, epoch: 1n, message }),
  )
  outbox.offerAgain(results)
  const reports = [outbox.take(0), outbox.take(0)]
  expect(reports.map((report) => report?.finished.map(({ execution }) => execution))).toEqual([
    ['a'],
    ['b'],
  ])
  expect(reports.map((report) => report?.offeredAgain)).toEqual([false, true])
  expect(outbox.take(0)).toBeUndefined()
})

test('who has nothing to offer again says so in an empty report', () => {
  const { outbox, calls } = createOutbox()
  outbox.offerAgain([])
  expect(calls()).toBe(1)
  expect(outbox.take(0)).toMatchObject({ finished: [], offeredAgain: true })
  expect(outbox.take(0)).toBeUndefined()
})

test('an accepted attempt is told of when it has lived a while, with its start; one that has ended is not', () => {
  const { outbox } = createOutbox()
  const [short, long, ending] = ['a', 'b', 'c'].map(
    (execution) => new YoungAttempt({ execution, epoch: 1n }),
  )
  outbox.announce([short!, long!, ending!])
  for (const attempt of [short!, long!]) outbox.begin(attempt, new Date(7))
  short!.hasEnded = true
  outbox.expectResult(ending!)
  expect(outbox.take(0)).toBeUndefined()
  expect(outbox.size).toBe(0)
  expect(outbox.take(LATER_MS)).toMatchObject({
    accepted: [{ execution: 'b' }],
    started: [{ execution: 'b', startTime: new Date(7) }],
  })
})

test('one that begins after that was told is reported started by itself', async () => {
  const { outbox, clock, calls } = createOutbox()
  const late = new YoungAttempt({ execution: 'a', epoch: 1n })
  outbox.announce([late])
  await clock.advance(LATER_MS)
  expect(calls()).toBe(1)
  expect(outbox.take(clock.monotonicMs())).toMatchObject({ accepted: [{}], started: [] })
  outbox.begin(late, new Date(7))
  expect(outbox.take(clock.monotonicMs() + LATER_MS)).toMatchObject({ accepted: [], started: [{}] })
})

test('what lingers of an attempt goes along when it is told that it was accepted', () => {
  const { outbox } = createOutbox()
  const attempt = new YoungAttempt({ execution: 'a', epoch: 1n })
  outbox.announce([attempt])
  outbox.put(progressed('a', 0.5))
  expect(outbox.size).toBe(1)
  expect(outbox.take(LATER_MS)).toMatchObject({ accepted: [{}], progressed: [{}] })
  expect(outbox.size).toBe(2)
})
