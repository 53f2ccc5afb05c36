import fc from 'fast-check'
import { expect, test } from 'vitest'
import type { Epoch, ExecutionId } from '../../../../coordinator/job/execution.ts'
import { readFinished, readRefused } from '../../../../coordinator/report/read-finished.ts'
import { Finished } from '../../../../proto/gen/rota/agent/v1/agent_service.ts'
import { AttemptOutcome } from '../../../../proto/gen/rota/v1/execution.ts'

const REF = { executionId: '01a1' as ExecutionId, epoch: 7 as Epoch }
/** What timestamptz holds. */
const PG_TIME_MS = [Date.parse('-004713-11-25T00:00:00Z'), 8.64e15]

const text = fc.oneof(
  fc.string({ unit: 'binary' }),
  fc.constantFrom('a\0b', '\ud800', 'EXIT_CODE: exit code 3', 'EXIT_CODE:', 'x'.repeat(9_000)),
)
const int64 = fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n })
const aTime = fc.option(fc.date({ noInvalidDate: false }), { nil: undefined })

const aFinished: fc.Arbitrary<Finished> = fc
  .record({
    outcome: fc.integer({ min: -1, max: 12 }),
    exitCode: fc.option(fc.integer({ min: -(2 ** 31), max: 2 ** 31 - 1 }), { nil: undefined }),
    signal: text,
    message: text,
    outputs: fc.option(fc.dictionary(text, fc.jsonValue()), { nil: undefined }),
    startTime: aTime,
    endTime: aTime,
    usage: fc.option(
      fc.record({
        cpuTime: fc.record({ seconds: int64, nanos: fc.integer() }),
        peakMemoryBytes: int64,
      }),
      { nil: undefined },
    ),
    logBytes: int64,
    logBytesDropped: int64,
  })
  .map((parts) => ({ ...Finished.fromPartial({}), ...parts }) as Finished)

test('whatever an agent says can be stored', () => {
  fc.assert(
    fc.property(
      aFinished,
      fc.double({ noNaN: true, min: -1e15, max: 1e15 }),
      (finished, skewMs) => {
        const report = readFinished(REF, finished, skewMs)
        for (const stored of [report.message, report.signal, report.reasonCode]) {
          expect(stored.includes('\0')).toBe(false)
          expect(stored.isWellFormed()).toBe(true)
          expect(stored.length).toBeLessThan(5_000)
        }
        expect(isJsonb(report.outputs)).toBe(true)
        for (const time of [report.startedAt, report.endedAt]) {
          if (time === undefined) continue
          expect(time.getTime()).toBeGreaterThanOrEqual(PG_TIME_MS[0]!)
          expect(time.getTime()).toBeLessThanOrEqual(PG_TIME_MS[1]!)
        }
        for (const count of [report.logBytes, report.logBytesDropped, report.cpuMs ?? 0]) {
          expect(Number.isSafeInteger(count) && count >= 0).toBe(true)
        }
        expect(['succeeded', 'failed', 'timed_out', 'cancelled', 'start_failed', 'lost']).toContain(
          report.outcome,
        )
      },
    ),
    { numRuns: 1_000 },
  )
})

/** PostgreSQL's jsonb has no NUL, and no half of a surrogate pair. */
function isJsonb(outputs: object | undefined): boolean {
  const json = JSON.stringify(outputs ?? {})
  return !/(?<!\\)(\\\\)*\\u(0000|d[89a-f])/i.test(json)
}

test('the reason comes from the front of the message', () => {
  const read = (message: string) =>
    readFinished(REF, Finished.fromPartial({ outcome: AttemptOutcome.FAILED, message }), 0)
  expect(read('EXIT_CODE: exit code 3')).toMatchObject({
    reasonCode: 'EXIT_CODE',
    message: 'exit code 3',
  })
  expect(read('NO_SUCH_REASON: x')).toMatchObject({ message: 'NO_SUCH_REASON: x' })
})

test('the skew of the clock is taken off', () => {
  const endTime = new Date(60_000)
  const report = readFinished(REF, Finished.fromPartial({ endTime }), 10_000)
  expect(report.endedAt).toEqual(new Date(50_000))
})

test('a refusal keeps its reason', () => {
  const refused = { execution: '', epoch: 0n, reason: 'NO_SPACE\0' }
  expect(readRefused(REF, refused)).toMatchObject({ outcome: 'refused', message: 'NO_SPACE' })
})
