/** What an agent says of the end of an attempt, made safe to store. Agents are not trusted. */
import type { Finished, Refused } from '../../proto/gen/rota/agent/v1/agent_service.ts'
import { AttemptOutcome } from '../../proto/gen/rota/v1/execution.ts'
import { durationToMs } from '../../shared/duration.ts'
import { isErrorReason } from '../../shared/errors/catalogue.ts'
import { wordFromEnum } from '../../shared/wire.ts'
import type { AttemptReport } from '../job/attempt-report.ts'
import type { AttemptRef } from './report-queries.ts'

const MESSAGE_LENGTH_MAX = 4_000
const OUTPUTS_LENGTH_MAX = 256 * 1024
const MEMORY_BYTES_MAX = 2 ** 50
/** The years that google.protobuf.Timestamp has. */
const TIME_MS_MIN = Date.parse('0001-01-01T00:00:00Z')
const TIME_MS_MAX = Date.parse('9999-12-31T23:59:59.999Z')
/** jsonb stores neither NUL nor half a surrogate pair; JSON.stringify escapes both, and no whole pair. */
const UNSTORABLE = /(?<!\\)(?:\\\\)*\\u(?:0000|d[89a-f])/i

/** `clockSkewMs`: how far the agent's wall clock is ahead of ours. */
export function readFinished(
  ref: AttemptRef,
  finished: Finished,
  clockSkewMs: number,
): AttemptReport {
  const outcome = readOutcome(finished)
  const { reasonCode, message } = readMessage(finished.message)
  const outputs = readOutputs(finished.outputs)
  return {
    ...ref,
    outcome,
    reasonCode: outcome === 'succeeded' ? '' : reasonCode,
    message: outputs.problem === undefined ? message : `${message} (${outputs.problem})`,
    exitCode: finished.exitCode,
    signal: clean(finished.signal).slice(0, 40),
    outputs: outputs.value,
    startedAt: shift(finished.startTime, clockSkewMs),
    endedAt: shift(finished.endTime, clockSkewMs),
    cpuMs: bounded(durationToMs(finished.usage?.cpuTime), Number.MAX_SAFE_INTEGER),
    peakMemoryBytes: bounded(
      Number(finished.usage?.peakMemoryBytes ?? 0n) || undefined,
      MEMORY_BYTES_MAX,
    ),
    logBytes: bounded(Number(finished.logBytes), Number.MAX_SAFE_INTEGER) ?? 0,
    logBytesDropped: bounded(Number(finished.logBytesDropped), Number.MAX_SAFE_INTEGER) ?? 0,
  }
}

/** That an attempt was refused or superseded is for the coordinator to say, not for the agent that ran it. */
function readOutcome({ outcome }: Finished): AttemptReport['outcome'] {
  const word = wordFromEnum(AttemptOutcome, outcome)
  switch (word) {
    case 'succeeded':
    case 'timed_out':
    case 'cancelled':
    case 'start_failed':
    // An agent that was stopped or killed says so of what it had. One that lies is bounded (decide-outcome.ts, LOSSES_MAX).
    case 'lost':
      return word
    default:
      return 'failed'
  }
}

/** A refusal ends the attempt as if it never was. */
export function readRefused(ref: AttemptRef, refused: Refused): AttemptReport {
  return {
    ...ref,
    outcome: 'refused',
    reasonCode: 'REFUSED',
    message: clean(refused.reason).slice(0, MESSAGE_LENGTH_MAX),
    exitCode: undefined,
    signal: '',
    outputs: undefined,
    startedAt: undefined,
    endedAt: undefined,
    cpuMs: undefined,
    peakMemoryBytes: undefined,
    logBytes: 0,
    logBytesDropped: 0,
  }
}

/** Agents write `REASON: text`. */
function readMessage(text: string): { reasonCode: string; message: string } {
  const [, code = '', rest = ''] = /^([A-Z_]+): ?([\s\S]*)$/.exec(text) ?? []
  if (isErrorReason(code))
    return { reasonCode: code, message: clean(rest).slice(0, MESSAGE_LENGTH_MAX) }
  return { reasonCode: 'INTERNAL', message: clean(text).slice(0, MESSAGE_LENGTH_MAX) }
}

function readOutputs(outputs: Record<string, unknown> | undefined): {
  value: Record<string, unknown> | undefined
  problem?: string
} {
  if (outputs === undefined) return { value: undefined }
  const text = JSON.stringify(outputs)
  if (text.length > OUTPUTS_LENGTH_MAX)
    return { value: undefined, problem: 'its outputs were too large' }
  if (UNSTORABLE.test(text)) {
    return { value: undefined, problem: 'its outputs held text that cannot be stored' }
  }
  return { value: outputs }
}

/** Without what PostgreSQL's text cannot hold. */
function clean(text: string): string {
  return text.replaceAll('\0', '').toWellFormed()
}

function shift(time: Date | undefined, skewMs: number): Date | undefined {
  if (time === undefined) return undefined
  const shiftedMs = time.getTime() - skewMs
  return shiftedMs >= TIME_MS_MIN && shiftedMs <= TIME_MS_MAX ? new Date(shiftedMs) : undefined
}

function bounded(value: number | undefined, max: number): number | undefined {
  return value === undefined || !Number.isFinite(value) || value < 0
    ? undefined
    : Math.min(Math.round(value), max)
}
