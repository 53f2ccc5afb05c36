/** What the end of a task means for the attempt. Pure. */
import { AttemptOutcome } from '../../proto/gen/rota/v1/execution.ts'
import { formatDurationMs } from '../../shared/duration.ts'
import type { ErrorReason } from '../../shared/errors/catalogue.ts'
import type { StopCause } from '../warden/stop-switch.ts'
import type { TaskEnd } from './task-end.ts'

/** Longer messages are cut, in characters. */
const MESSAGE_LENGTH_MAX = 1_000

export interface Verdict {
  readonly outcome: AttemptOutcome
  readonly exitCode: number | undefined
  /** Empty when no signal ended it. */
  readonly signal: string
  /** `REASON: text` in one line, the reason from the catalogue; empty when all is well. */
  readonly message: string
}

/** The outcome of an attempt that ended with `end`, after `cause` if it was stopped. */
export function decideOutcome(end: TaskEnd, cause: StopCause | undefined): Verdict {
  const exitCode = end.kind === 'exited' || end.kind === 'failed' ? end.exitCode : undefined
  const signal = end.kind === 'signalled' ? end.signal : ''
  const { outcome, message } = cause === undefined ? judgeEnd(end) : judgeStop(cause, end)
  return { outcome, exitCode, signal, message }
}

type Judged = Pick<Verdict, 'outcome' | 'message'>

function judgeEnd(end: TaskEnd): Judged {
  switch (end.kind) {
    case 'exited':
      return end.exitCode === 0 ? SUCCEEDED : failed('EXIT_CODE', `exit code ${end.exitCode}`)
    case 'signalled':
      return failed('SIGNALLED', `ended by ${end.signal}`)
    case 'returned':
      return SUCCEEDED
    case 'failed':
      return failed(end.reason, end.message)
    case 'not_started':
      return judged(AttemptOutcome.START_FAILED, 'START_FAILED', end.message)
    case 'abandoned':
      return failed('HANDLER_FAILED', 'did not end')
  }
}

function judgeStop(cause: StopCause, end: TaskEnd): Judged {
  const after = end.kind === 'abandoned' ? '; it did not end and was abandoned' : ''
  switch (cause.kind) {
    case 'timeout': {
      const text = `ran longer than ${formatDurationMs(cause.timeoutMs)} and was stopped${after}`
      return judged(AttemptOutcome.TIMED_OUT, 'TIMEOUT', text)
    }
    case 'cancelled':
      return judged(AttemptOutcome.CANCELLED, 'CANCELLED', (cause.reason || 'stopped') + after)
    case 'output_limit':
      return failed(
        'OUTPUT_LIMIT',
        `wrote more than ${cause.limitBytes} bytes and was stopped${after}`,
      )
    case 'lost':
      return judged(AttemptOutcome.LOST, 'LEASE_LOST', cause.reason + after)
  }
}

const SUCCEEDED: Judged = { outcome: AttemptOutcome.SUCCEEDED, message: '' }

function failed(reason: ErrorReason, text: string): Judged {
  return judged(AttemptOutcome.FAILED, reason, text)
}

function judged(outcome: AttemptOutcome, reason: ErrorReason, text: string): Judged {
  return { outcome, message: `${reason}: ${oneLine(text)}` }
}

/** Text of programs and people, made fit for one line of any reader and for PostgreSQL (no NUL). */
export function oneLine(text: string): string {
  return text
    .toWellFormed()
    .replaceAll(/[\s\p{Cc}]+/gu, ' ')
    .trim()
    .slice(0, MESSAGE_LENGTH_MAX)
    .toWellFormed()
}
