/**
 * What the agent knows of every attempt it was given, in memory and in the journal.
 *
 *   accepted -> started -> finished -> acknowledged -> forgotten
 *
 * S1. An attempt is reported accepted only after its assignment is on the disk, finished only after its result is (A3).
 * S2. An acknowledged attempt is remembered for ten more minutes: a late copy of its assignment must not run again, and
 *     a coordinator whose database lost its last commits is offered the result again.
 * S3. Of one execution the newest epoch counts; older ones are kept only until they have ended and been acknowledged.
 */
import { Assignment, Finished } from '../../proto/gen/rota/agent/v1/agent_service.ts'
import type { Clock } from '../../shared/clock.ts'
import type { Logger } from '../../shared/logger.ts'
import type { ProcessIdentity } from '../warden/process-identity.ts'
import { type AttemptRef, attemptKey } from './attempt-ref.ts'
import type { JournalRecord } from './journal-records.ts'
import type { LogShare } from './log-budget.ts'

const REMEMBERED_MS = 10 * 60_000
/** What is remembered of acknowledged attempts at most, in bytes of results; the oldest go first. */
const REMEMBERED_BYTES_MAX = 1024 * 1024
/** What a remembered attempt costs beside its result, in bytes. */
const ATTEMPT_BYTES = 512

/** Messages are kept as the journal has them: most are never looked at again. */
export interface StoredResult {
  readonly encoded: string
  /** How much of each output is shipped. */
  readonly share: LogShare
}

export interface StoredAttempt extends AttemptRef {
  /** Encoded, until it has finished. */
  readonly assignment: string | undefined
  /** False while the assignment is not yet on the disk. */
  readonly isJournaled: boolean
  readonly process: ProcessIdentity | undefined
  /** Set when the output reached its cap before the end. */
  readonly capped: LogShare | undefined
  readonly result: StoredResult | undefined
  readonly acknowledgedAtMs: number | undefined
}

/** Where records go: the journal, or the simulation's disk. */
export interface RecordLog {
  /** A durable record is on the disk when this resolves. Rejects when it cannot be written. */
  append(record: JournalRecord, isDurable: boolean): Promise<void>
  close(): Promise<void>
}

export class AttemptStore {
  readonly #clock: Clock
  readonly #logger: Logger
  readonly #attempts = new Map<string, StoredAttempt>()
  #journal: RecordLog | undefined

  private constructor(clock: Clock, logger: Logger) {
    this.#clock = clock
    this.#logger = logger
  }

  /** Opens the journal and takes up what it tells. */
  static async open(options: {
    /** Reads and goes on with the journal; `living` are the records that still matter, for compaction. */
    readonly openJournal: (
      living: () => readonly JournalRecord[],
    ) => Promise<{ readonly journal: RecordLog; readonly records: readonly JournalRecord[] }>
    readonly clock: Clock
    readonly logger: Logger
  }): Promise<AttemptStore> {
    const store = new AttemptStore(options.clock, options.logger)
    const { journal, records } = await options.openJournal(() => store.#records())
    for (const record of records) store.#replay(record)
    store.#journal = journal
    store.forgetOld()
    return store
  }

  get(ref: AttemptRef): StoredAttempt | undefined {
    return this.#attempts.get(attemptKey(ref))
  }

  list(): readonly StoredAttempt[] {
    return [...this.#attempts.values()]
  }

  /** Results that a coordinator has acknowledged, oldest first, as long as they are remembered (S2). */
  acknowledgedResults(): Finished[] {
    const attempts = this.list().filter(({ acknowledgedAtMs }) => acknowledgedAtMs !== undefined)
    return attempts
      .sort((a, b) => (a.acknowledgedAtMs ?? 0) - (b.acknowledgedAtMs ?? 0))
      .flatMap(({ result }) => (result === undefined ? [] : [finishedOf(result)]))
  }

  /** The attempt of the newest epoch that is known of an execution. */
  newest(execution: string): StoredAttempt | undefined {
    let newest: StoredAttempt | undefined
    for (const attempt of this.#attempts.values()) {
      const isNewer = attempt.epoch > (newest?.epoch ?? -1n)
      if (attempt.execution === execution && isNewer) newest = attempt
    }
    return newest
  }

  /** Promises to run the assignment. Rejects, and knows nothing of it, when that cannot be written down. */
  async accept(assignment: Assignment): Promise<void> {
    const record = acceptedRecord(assignment)
    this.#replay(record, { isJournaled: false })
    try {
      await this.#append(record, true)
      this.#change(assignment, { isJournaled: true })
    } catch (error) {
      this.#attempts.delete(attemptKey(assignment))
      throw error
    }
  }

  /** Not synced: without it, recovery still finds the process by its environment. */
  start(ref: AttemptRef, process: ProcessIdentity): void {
    this.#note({ type: 'started', ...recordOf(ref), ...process })
  }

  /** Not synced: without it, recovery shares the cap anew, and may keep other parts of the output. */
  cap(ref: AttemptRef, share: LogShare): void {
    this.#note({ type: 'capped', ...recordOf(ref), ...share })
  }

  /** Rejects when the result cannot be written down; it counts in memory all the same. */
  async finish(finished: Finished, share: LogShare): Promise<void> {
    const record = finishedRecord(finished, share)
    this.#replay(record)
    await this.#append(record, true)
  }

  /** Not synced: without it, the result is offered once more. */
  acknowledge(ref: AttemptRef): void {
    const atMs = this.#clock.now().getTime()
    this.#note({ type: 'acknowledged', ...recordOf(ref), atMs })
  }

  /** Drops what was acknowledged long ago, or is too much. */
  forgetOld(): void {
    const oldestMs = this.#clock.now().getTime() - REMEMBERED_MS
    const acknowledged = this.list()
      .filter((attempt) => attempt.acknowledgedAtMs !== undefined)
      .sort((a, b) => (b.acknowledgedAtMs ?? 0) - (a.acknowledgedAtMs ?? 0))
    let bytes = 0
    const forgotten = acknowledged.filter((attempt) => {
      bytes += ATTEMPT_BYTES + (attempt.result?.encoded.length ?? 0)
      return (attempt.acknowledgedAtMs ?? 0) < oldestMs || bytes > REMEMBERED_BYTES_MAX
    })
    for (const attempt of forgotten) this.#attempts.delete(attemptKey(attempt))
  }

  async close(): Promise<void> {
    await this.#journal?.close()
  }

  /** What may be lost in a crash, may also be lost on a full disk. */
  #note(record: JournalRecord): void {
    this.#replay(record)
    this.#append(record, false).catch((error: unknown) => {
      this.#logger.error({ err: error, type: record.type }, 'the journal misses a record')
    })
  }

  async #append(record: JournalRecord, isDurable: boolean): Promise<void> {
    await this.#journal?.append(record, isDurable)
  }

  #change(ref: AttemptRef, change: Partial<StoredAttempt>): void {
    const attempt = this.get(ref)
    if (attempt !== undefined) this.#attempts.set(attemptKey(ref), { ...attempt, ...change })
  }

  /** What a record means; the same when it is new and when it is read again. */
  #replay(record: JournalRecord, change: Partial<StoredAttempt> = {}): void {
    const ref = { execution: record.execution, epoch: BigInt(record.epoch) }
    switch (record.type) {
      case 'accepted':
      case 'finished':
        this.#attempts.set(attemptKey(ref), { ...unknownAttempt(ref), ...this.get(ref) })
        this.#change(ref, { ...contentOf(record), ...change })
        break
      case 'started':
        this.#change(ref, {
          process: { pid: record.pid, startTicks: record.startTicks, bootId: record.bootId },
        })
        break
      case 'capped':
        this.#change(ref, { capped: shareOf(record) })
        break
      case 'acknowledged':
        this.#change(ref, { acknowledgedAtMs: record.atMs })
        break
    }
  }

  /** Everything known as records, for compaction. */
  #records(): JournalRecord[] {
    return this.list().flatMap(recordsOf)
  }
}

/** The result of an attempt that has one. */
export function finishedOf({ encoded }: StoredResult): Finished {
  return Finished.decode(Buffer.from(encoded, 'base64'))
}

function unknownAttempt(ref: AttemptRef): StoredAttempt {
  return {
    ...ref,
    assignment: undefined,
    isJournaled: true,
    process: undefined,
    capped: undefined,
    result: undefined,
    acknowledgedAtMs: undefined,
  }
}

function contentOf(
  record: Extract<JournalRecord, { type: 'accepted' | 'finished' }>,
): Partial<StoredAttempt> {
  return record.type === 'accepted'
    ? { assignment: record.assignment }
    : { assignment: undefined, result: { encoded: record.finished, share: shareOf(record) } }
}

function recordsOf(attempt: StoredAttempt): JournalRecord[] {
  const { assignment, process, capped, result, acknowledgedAtMs } = attempt
  const ref = recordOf(attempt)
  return [
    ...(assignment === undefined ? [] : [{ type: 'accepted' as const, ...ref, assignment }]),
    ...(process === undefined ? [] : [{ type: 'started' as const, ...ref, ...process }]),
    ...(capped === undefined ? [] : [{ type: 'capped' as const, ...ref, ...capped }]),
    ...(result === undefined
      ? []
      : [{ type: 'finished' as const, ...ref, finished: result.encoded, ...result.share }]),
    ...(acknowledgedAtMs === undefined
      ? []
      : [{ type: 'acknowledged' as const, ...ref, atMs: acknowledgedAtMs }]),
  ]
}

function acceptedRecord(assignment: Assignment): JournalRecord {
  const bytes = Buffer.from(Assignment.encode(assignment).finish())
  return { type: 'accepted', ...recordOf(assignment), assignment: bytes.toString('base64') }
}

function finishedRecord(finished: Finished, share: LogShare): JournalRecord {
  const bytes = Buffer.from(Finished.encode(finished).finish())
  return { type: 'finished', ...recordOf(finished), finished: bytes.toString('base64'), ...share }
}

function recordOf({ execution, epoch }: AttemptRef): { execution: string; epoch: string } {
  return { execution, epoch: epoch.toString() }
}

function shareOf({ stdoutBytes, stderrBytes }: LogShare): LogShare {
  return { stdoutBytes, stderrBytes }
}
