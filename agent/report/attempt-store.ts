/**
 * What the agent knows of every attempt it was given, in memory and in the journal.
 *
 *   accepted -> started -> finished -> acknowledged -> forgotten
 *
 * S1. An attempt is reported accepted only after its assignment is on the disk, finished only after its result is (A3).
 * S2. An acknowledged attempt is remembered for ten more minutes: a late copy of its assignment must not run again, and
 *     a coordinator whose database lost its last commits is offered the result again.
 * S3. Of one execution the newest epoch counts; older ones are kept only until they have ended and been acknowledged.
 * S4. What is remembered has a limit in bytes too; at the limit the oldest goes first.
 */
import { Assignment, Finished } from '../../proto/gen/rota/agent/v1/agent_service.ts'
import type { Clock, Timer } from '../../shared/clock.ts'
import type { Logger } from '../../shared/logger.ts'
import type { ProcessIdentity } from '../warden/process-identity.ts'
import { AttemptIndex } from './attempt-index.ts'
import type { AttemptRef } from './attempt-ref.ts'
import type { JournalRecord } from './journal-records.ts'
import type { LogShare } from './log-budget.ts'

const REMEMBERED_MS = 10 * 60_000
/** What is remembered of acknowledged attempts at most, in bytes of results. */
const REMEMBERED_BYTES_MAX = 1024 * 1024
/** What a remembered attempt costs beside its result, in bytes. */
const ATTEMPT_BYTES = 512
/** So long the record of an acknowledgement waits for others to be written with, in ms. */
const ACKNOWLEDGED_LINGER_MS = 100

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

type KeptAttempt = { -readonly [Key in keyof StoredAttempt]: StoredAttempt[Key] }

/** Where records go: the journal, or the simulation's disk. */
export interface RecordLog {
  /** Durable records are on the disk when this resolves. Rejects when they cannot be written. */
  append(records: readonly JournalRecord[], isDurable: boolean): Promise<void>
  close(): Promise<void>
}

export class AttemptStore {
  readonly #clock: Clock
  readonly #logger: Logger
  readonly #attempts = new AttemptIndex<KeptAttempt>()
  /** In the order of their acknowledgement (S2, S4). */
  readonly #remembered = new Set<KeptAttempt>()
  #rememberedBytes = 0
  /** Records of acknowledgements that are not yet written. */
  #lingering: JournalRecord[] = []
  #lingerTimer: Timer | undefined
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
    return this.#attempts.get(ref)
  }

  list(): readonly StoredAttempt[] {
    return [...this.#attempts]
  }

  /** Results that a coordinator has acknowledged, oldest first, as long as they are remembered (S2). */
  acknowledgedResults(): Finished[] {
    return [...this.#remembered].flatMap(({ result }) => {
      return result === undefined ? [] : [finishedOf(result)]
    })
  }

  /** The attempt of the newest epoch that is known of an execution. */
  newest(execution: string): StoredAttempt | undefined {
    let newest: StoredAttempt | undefined
    for (const attempt of this.#attempts.ofExecution(execution)) {
      if (newest === undefined || attempt.epoch > newest.epoch) newest = attempt
    }
    return newest
  }

  /** Knows an assignment from here on; that it is taken must be written down by `accept`. */
  add(assignment: Assignment): void {
    this.#add(acceptedRecord(assignment)).isJournaled = false
  }

  /** Promises to run what was added. Rejects, and knows nothing of it any more, when that cannot be written down. */
  async accept(added: readonly AttemptRef[]): Promise<void> {
    const attempts = added.flatMap((ref) => this.#attempts.get(ref) ?? [])
    try {
      await this.#append(attempts.flatMap(recordsOf), true)
      for (const attempt of attempts) attempt.isJournaled = true
    } catch (error) {
      for (const attempt of attempts) this.#attempts.delete(attempt)
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
    await this.#append([record], true)
  }

  /** Not synced, and not at once: without it, the result is offered once more. */
  acknowledge(ref: AttemptRef): void {
    const atMs = this.#clock.now().getTime()
    const record = { type: 'acknowledged', ...recordOf(ref), atMs } as const
    this.#replay(record)
    this.forgetOld()
    this.#lingering.push(record)
    this.#lingerTimer ??= this.#clock.after(ACKNOWLEDGED_LINGER_MS, () => this.#writeLingering())
  }

  /** Drops what was acknowledged long ago, or is too much. */
  forgetOld(): void {
    const oldestMs = this.#clock.now().getTime() - REMEMBERED_MS
    for (const attempt of this.#remembered) {
      const isOld = (attempt.acknowledgedAtMs ?? 0) < oldestMs
      if (!isOld && this.#rememberedBytes <= REMEMBERED_BYTES_MAX) return
      this.#rememberedBytes -= bytesOf(attempt)
      this.#remembered.delete(attempt)
      this.#attempts.delete(attempt)
    }
  }

  async close(): Promise<void> {
    this.#writeLingering()
    await this.#journal?.close()
  }

  #writeLingering(): void {
    this.#lingerTimer?.cancel()
    this.#lingerTimer = undefined
    if (this.#lingering.length > 0) this.#write(this.#lingering.splice(0))
  }

  #note(record: JournalRecord): void {
    this.#replay(record)
    this.#write([record])
  }

  /** What may be lost in a crash, may also be lost on a full disk. */
  #write(records: readonly JournalRecord[]): void {
    this.#append(records, false).catch((error: unknown) => {
      const [first] = records
      this.#logger.error({ err: error, type: first?.type }, 'the journal misses a record')
    })
  }

  async #append(records: readonly JournalRecord[], isDurable: boolean): Promise<void> {
    await this.#journal?.append(records, isDurable)
  }

  /** The attempt of an `accepted` or `finished` record. */
  #add(record: ContentRecord): KeptAttempt {
    const ref = { execution: record.execution, epoch: BigInt(record.epoch) }
    let attempt = this.#attempts.get(ref)
    if (attempt === undefined) {
      attempt = unknownAttempt(ref)
      this.#attempts.add(attempt)
    }
    if (record.type === 'accepted') attempt.assignment = record.assignment
    else {
      attempt.assignment = undefined
      attempt.result ??= { encoded: record.finished, share: shareOf(record) }
    }
    return attempt
  }

  /** What a record means; the same when it is new and when it is read again. */
  #replay(record: JournalRecord): void {
    if (record.type === 'accepted' || record.type === 'finished') {
      this.#add(record)
      return
    }
    const attempt = this.#attempts.get({
      execution: record.execution,
      epoch: BigInt(record.epoch),
    })
    if (attempt === undefined) return
    switch (record.type) {
      case 'started': {
        const { pid, startTicks, bootId } = record
        attempt.process = { pid, startTicks, bootId }
        break
      }
      case 'capped':
        attempt.capped = shareOf(record)
        break
      case 'acknowledged':
        this.#remember(attempt, record.atMs)
        break
    }
  }

  #remember(attempt: KeptAttempt, atMs: number): void {
    attempt.acknowledgedAtMs = atMs
    // One that was offered again becomes the newest.
    if (this.#remembered.delete(attempt)) this.#rememberedBytes -= bytesOf(attempt)
    this.#remembered.add(attempt)
    this.#rememberedBytes += bytesOf(attempt)
  }

  /** Everything known as records, for compaction; what was acknowledged keeps its order. */
  #records(): JournalRecord[] {
    const others = this.list().filter(({ acknowledgedAtMs }) => acknowledgedAtMs === undefined)
    return [...this.#remembered, ...others].flatMap(recordsOf)
  }
}

/** The result of an attempt that has one. */
export function finishedOf({ encoded }: StoredResult): Finished {
  return Finished.decode(Buffer.from(encoded, 'base64'))
}

type ContentRecord = Extract<JournalRecord, { readonly type: 'accepted' | 'finished' }>

function unknownAttempt({ execution, epoch }: AttemptRef): KeptAttempt {
  return {
    execution,
    epoch,
    assignment: undefined,
    isJournaled: true,
    process: undefined,
    capped: undefined,
    result: undefined,
    acknowledgedAtMs: undefined,
  }
}

function bytesOf({ result }: StoredAttempt): number {
  return ATTEMPT_BYTES + (result?.encoded.length ?? 0)
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

function acceptedRecord(assignment: Assignment): ContentRecord {
  const bytes = Buffer.from(Assignment.encode(assignment).finish())
  return { type: 'accepted', ...recordOf(assignment), assignment: bytes.toString('base64') }
}

function finishedRecord(finished: Finished, share: LogShare): ContentRecord {
  const bytes = Buffer.from(Finished.encode(finished).finish())
  return { type: 'finished', ...recordOf(finished), finished: bytes.toString('base64'), ...share }
}

function recordOf({ execution, epoch }: AttemptRef): { execution: string; epoch: string } {
  return { execution, epoch: epoch.toString() }
}

function shareOf({ stdoutBytes, stderrBytes }: LogShare): LogShare {
  return { stdoutBytes, stderrBytes }
}
