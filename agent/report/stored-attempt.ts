/** An attempt as the store knows it, and as records of the journal. Pure. */
import { Assignment, Finished } from '../../proto/gen/rota/agent/v1/agent_service.ts'
import { encodeMessage } from '../../shared/encode-message.ts'
import type { ProcessIdentity } from '../warden/process-identity.ts'
import type { AttemptRef } from './attempt-ref.ts'
import type { JournalRecord } from './journal-records.ts'
import type { LogShare } from './log-budget.ts'
import { reportedBytes } from './report-item.ts'

/** What a remembered attempt costs beside its result, in bytes. */
const ATTEMPT_BYTES = 512

export interface StoredResult {
  readonly finished: Finished
  /** How much of each output is shipped. */
  readonly share: LogShare
}

export interface StoredAttempt extends AttemptRef {
  /** Until it has finished. */
  readonly assignment: Assignment | undefined
  /** False while it must not run yet: its assignment is on its way to the disk. */
  readonly isAccepted: boolean
  /** False for what is kept in memory alone (S5). */
  readonly isJournaled: boolean
  readonly process: ProcessIdentity | undefined
  /** Set when the output reached its cap before the end. */
  readonly capped: LogShare | undefined
  readonly result: StoredResult | undefined
  readonly acknowledgedAtMs: number | undefined
}

/** The store's own view of it. */
export type KeptAttempt = { -readonly [Key in keyof StoredAttempt]: StoredAttempt[Key] }

/** An attempt of which nothing is known yet. */
export function unknownAttempt({ execution, epoch }: AttemptRef): KeptAttempt {
  return {
    execution,
    epoch,
    assignment: undefined,
    isAccepted: true,
    isJournaled: true,
    process: undefined,
    capped: undefined,
    result: undefined,
    acknowledgedAtMs: undefined,
  }
}

/** What remembering it costs, in bytes. */
export function bytesOf({ result }: StoredAttempt): number {
  if (result === undefined) return ATTEMPT_BYTES
  return ATTEMPT_BYTES + reportedBytes({ kind: 'finished', value: result.finished })
}

/** All that is known of an attempt. */
export function recordsOf(attempt: StoredAttempt): JournalRecord[] {
  const { assignment, process, capped, result, acknowledgedAtMs } = attempt
  const ref = refOf(attempt)
  const records: JournalRecord[] = []
  if (assignment !== undefined) records.push(acceptedRecord(assignment))
  if (process !== undefined) records.push({ type: 'started', ...ref, ...process })
  if (capped !== undefined) records.push({ type: 'capped', ...ref, ...capped })
  if (result !== undefined) records.push(finishedRecord(attempt, result))
  if (acknowledgedAtMs !== undefined) {
    records.push({ type: 'acknowledged', ...ref, atMs: acknowledgedAtMs })
  }
  return records
}

export function acceptedRecord(assignment: Assignment): JournalRecord {
  const bytes = encodeMessage(Assignment, assignment)
  return { type: 'accepted', ...refOf(assignment), assignment: bytes.toString('base64') }
}

export function finishedRecord(ref: AttemptRef, { finished, share }: StoredResult): JournalRecord {
  const { stdoutBytes, stderrBytes } = share
  const encoded = encodeMessage(Finished, finished).toString('base64')
  return { type: 'finished', ...refOf(ref), finished: encoded, stdoutBytes, stderrBytes }
}

/** Changes an attempt as a record says, when it is read again. */
export function replay(record: JournalRecord, attempt: KeptAttempt): void {
  switch (record.type) {
    case 'accepted':
      attempt.assignment = Assignment.decode(Buffer.from(record.assignment, 'base64'))
      break
    case 'started': {
      const { pid, startTicks, bootId } = record
      attempt.process = { pid, startTicks, bootId }
      break
    }
    case 'capped':
      attempt.capped = shareOf(record)
      break
    case 'finished': {
      const finished = Finished.decode(Buffer.from(record.finished, 'base64'))
      attempt.assignment = undefined
      attempt.result ??= { finished, share: shareOf(record) }
      break
    }
    case 'acknowledged':
      attempt.acknowledgedAtMs = record.atMs
      break
  }
}

export function refOf({ execution, epoch }: AttemptRef): { execution: string; epoch: string } {
  return { execution, epoch: epoch.toString() }
}

function shareOf({ stdoutBytes, stderrBytes }: LogShare): LogShare {
  return { stdoutBytes, stderrBytes }
}
