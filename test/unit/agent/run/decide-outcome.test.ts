import fc from 'fast-check'
import { expect, test } from 'vitest'
import { decideOutcome, oneLine } from '../../../../agent/run/decide-outcome.ts'
import type { TaskEnd } from '../../../../agent/run/task-end.ts'
import type { StopCause } from '../../../../agent/warden/stop-switch.ts'
import { AttemptOutcome } from '../../../../proto/gen/rota/v1/execution.ts'

const EXITED: TaskEnd = { kind: 'exited', exitCode: 0 }

test.each<[TaskEnd, object]>([
  [EXITED, { outcome: AttemptOutcome.SUCCEEDED, exitCode: 0, message: '' }],
  [
    { kind: 'exited', exitCode: 3 },
    { outcome: AttemptOutcome.FAILED, exitCode: 3, message: 'EXIT_CODE: exit code 3' },
  ],
  [
    { kind: 'signalled', signal: 'SIGSEGV' },
    {
      outcome: AttemptOutcome.FAILED,
      exitCode: undefined,
      signal: 'SIGSEGV',
      message: 'SIGNALLED: ended by SIGSEGV',
    },
  ],
  [
    { kind: 'returned', outputs: {} },
    { outcome: AttemptOutcome.SUCCEEDED, message: '' },
  ],
  [
    { kind: 'failed', reason: 'HTTP_STATUS', message: 'status 500', exitCode: undefined },
    { outcome: AttemptOutcome.FAILED, message: 'HTTP_STATUS: status 500' },
  ],
  [
    { kind: 'failed', reason: 'HANDLER_FAILED', message: 'no', exitCode: 9 },
    { outcome: AttemptOutcome.FAILED, exitCode: 9, message: 'HANDLER_FAILED: no' },
  ],
  [
    { kind: 'not_started', message: 'no\nsuch file' },
    { outcome: AttemptOutcome.START_FAILED, message: 'START_FAILED: no such file' },
  ],
])('%j without a stop', (end, verdict) => {
  expect(decideOutcome(end, undefined)).toMatchObject(verdict)
})

test.each<[StopCause, AttemptOutcome, RegExp]>([
  [
    { kind: 'timeout', timeoutMs: 1_500 },
    AttemptOutcome.TIMED_OUT,
    /^TIMEOUT: ran longer than 1.5s/,
  ],
  [{ kind: 'cancelled', reason: 'by ann' }, AttemptOutcome.CANCELLED, /^CANCELLED: by ann$/],
  [{ kind: 'cancelled', reason: '' }, AttemptOutcome.CANCELLED, /^CANCELLED: stopped$/],
  [
    { kind: 'output_limit', limitBytes: 9 },
    AttemptOutcome.FAILED,
    /^OUTPUT_LIMIT: wrote more than 9/,
  ],
  [{ kind: 'lost', reason: 'no contact' }, AttemptOutcome.LOST, /^LEASE_LOST: no contact$/],
])('%j decides, whatever the end was', (cause, outcome, message) => {
  for (const end of [EXITED, { kind: 'signalled', signal: 'SIGTERM' } as const]) {
    const verdict = decideOutcome(end, cause)
    expect(verdict.outcome).toBe(outcome)
    expect(verdict.message).toMatch(message)
  }
})

test('a function that goes on is said to', () => {
  expect(decideOutcome({ kind: 'abandoned' }, { kind: 'cancelled', reason: 'x' }).message).toMatch(
    /did not end/,
  )
})

test('any text becomes one short line that every reader can store', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'binary', maxLength: 1_500 }), (text) => {
      const line = oneLine(text)
      expect(line).not.toMatch(/[\n\r\0]/)
      expect(line.isWellFormed()).toBe(true)
      expect(line.length).toBeLessThanOrEqual(1_000)
    }),
  )
})
