/**
 * What the agent knows of every attempt it was given, in memory and in the journal.
 *
 *   accepted -> started -> finished -> acknowledged -> forgotten
 *
 * S1. An attempt is reported accepted only after its assignment is written, finished only after its result is on the disk
 *     (A3). The assignment is on the disk too before one begins that must not run twice (`needsSync`); of any other one a
 *     host that crashed knows nothing, which tells its coordinator as much as that it was lost.
 * S2. An acknowledged attempt is remembered for ten more minutes: a late copy of its assignment must not run again, and
 *     a coordinator whose database lost its last commits is offered the result again.
 * S3. Of one execution the newest epoch counts; older ones are kept only until they have ended and been acknowledged.
 * S4. What is remembered has a limit in bytes too; at the limit the oldest goes first.
 * S5. What would die with the agent anyway and may be run again (`needsJournal` says no) is kept in memory alone: to find
 *     it in the journal of a killed agent would only say that it is lost, which its absence says too. It is written down
 *     when it leaves something on the disk (`keep`), and when the agent stops in order.
 */
import type { Assignment, Finished } from '../../proto/gen/rota/agent/v1/agent_service.ts'
import type { Clock, Timer } from '../../shared/clock.ts'
import type { Logger } from '../../shared/logger.ts'
import type { ProcessIdentity } from '../warden/process-identity.ts'
import { AttemptIndex } from './attempt-index.ts'
import type { AttemptRef } from './attempt-ref.ts'
import type { JournalRecord } from './journal-records.ts'
import type { LogShare } from './log-budget.ts'
import {
  bytesOf,
  finishedRecord,
  type KeptAttempt,
  recordsOf,
  refOf,
  replay,
  type StoredAttempt,
  unknownAttempt,
} from './stored-attempt.ts'

const REMEMBERED_MS = 10 * 60_000
/** What is remembered of acknowledged attempts at most, in bytes of results. */
const REMEMBERED_BYTES_MAX = 1024 * 1024
/** So long the record of an acknowledgement waits for others to be written with, in ms. */
const ACKNOWLEDGED_LINGER_MS = 100

/** Where records go: the journal, or the simulation's disk. */
export interface RecordLog {
  /** Durable records are on the disk when this resolves. Rejects when they cannot be written. */
  append(records: readonly JournalRecord[], isDurable: boolean): Promise<void>
  close(): Promise<void>
}

export interface AttemptStoreOptions {
  /** Reads and goes on with the journal; `living` are the records that still matter, for compaction. */
  readonly openJournal: (
    living: () => readonly JournalRecord[],
  ) => Promise<{ readonly journal: RecordLog; readonly records: readonly JournalRecord[] }>
  /** S5. */
  readonly needsJournal: (assignment: Assignment) => boolean
  /** S1. */
  readonly needsSync: (assignment: Assignment) => boolean
  readonly clock: Clock
  readonly logger: Logger
}

export class AttemptStore {
  readonly #clock: Clock
  readonly #logger: Logger
  readonly #needsJournal: (assignment: Assignment) => boolean
  readonly #needsSync: (assignment: Assignment) => boolean
  readonly #attempts = new AttemptIndex<KeptAttempt>()
  /** In the order of their acknowledgement (S2, S4). */
  readonly #remembered = new Set<KeptAttempt>()
  #rememberedBytes = 0
  /** Records of acknowledgements that are not yet written. */
  #lingering: JournalRecord[] = []
  #lingerTimer: Timer | undefined
  #journal: RecordLog | undefined

  private constructor({ clock, logger, needsJournal, needsSync }: AttemptStoreOptions) {
    this.#clock = clock
    this.#logger = logger
    this.#needsJournal = needsJournal
    this.#needsSync = needsSync
  }

  /** Opens the journal and takes up what it tells. */
  static async open(options: AttemptStoreOptions): Promise<AttemptStore> {
    const store = new AttemptStore(options)
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
      return result === undefined ? [] : [result.finished]
    })
  }

  /** The attempt of the newest epoch that is known of an execution. */
  newest(execution: string): StoredAttempt | undefined {
    return this.#attempts.newestOf(execution)
  }

  /** Knows an assignment from here on; that it is taken must be written down by `accept`. */
  add(assignment: Assignment): void {
    const attempt = this.#attemptOf(assignment)
    attempt.assignment = assignment
    attempt.isAccepted = false
    attempt.isJournaled = this.#needsJournal(assignment)
  }

  /** Promises to run what was added. Rejects, and knows nothing of it any more, when that cannot be written down. */
  async accept(added: readonly AttemptRef[]): Promise<void> {
    const attempts = added.flatMap((ref) => this.#attempts.get(ref) ?? [])
    try {
      const written = attempts.filter(({ isJournaled }) => isJournaled)
      const isDurable = written.some(({ assignment }) => assignment && this.#needsSync(assignment))
      if (written.length > 0) await this.#append(written.flatMap(recordsOf), isDurable)
      for (const attempt of attempts) attempt.isAccepted = true
    } catch (error) {
      for (const attempt of attempts) this.#attempts.delete(attempt)
      throw error
    }
  }

  /** The attempt has something on the disk that the next start must find, should this one not see its end (S5). */
  keep(ref: AttemptRef): void {
    const attempt = this.#attempts.get(ref)
    if (attempt === undefined || attempt.isJournaled) return
    attempt.isJournaled = true
    this.#write(recordsOf(attempt))
  }

  /** Not synced: without it, recovery still finds the process by its environment. */
  start(ref: AttemptRef, { pid, startTicks, bootId }: ProcessIdentity): void {
    const attempt = this.#attempts.get(ref)
    if (attempt !== undefined) attempt.process = { pid, startTicks, bootId }
    this.#write([{ type: 'started', ...refOf(ref), pid, startTicks, bootId }])
  }

  /** Not synced: without it, recovery shares the cap anew, and may keep other parts of the output. */
  cap(ref: AttemptRef, { stdoutBytes, stderrBytes }: LogShare): void {
    const attempt = this.#attempts.get(ref)
    if (attempt !== undefined) attempt.capped = { stdoutBytes, stderrBytes }
    this.#write([{ type: 'capped', ...refOf(ref), stdoutBytes, stderrBytes }])
  }

  /** Rejects when the result cannot be written down; it counts in memory all the same. */
  finish(finished: Finished, share: LogShare): Promise<void> {
    if (this.finishUnwritten(finished, share)) return Promise.resolve()
    const attempt = this.#attemptOf(finished)
    const result = { finished, share }
    attempt.assignment = undefined
    attempt.result ??= result
    return this.#append([finishedRecord(attempt, result)], true)
  }

  /** The same of a result that need not be written down (S5); false for any other one, of which nothing is known then. */
  finishUnwritten(finished: Finished, share: LogShare): boolean {
    const attempt = this.#attempts.get(finished)
    if (attempt === undefined || attempt.isJournaled) return false
    attempt.assignment = undefined
    attempt.result ??= { finished, share }
    return true
  }

  /** Not synced, and not at once: without it, the results are offered once more. */
  acknowledge(refs: readonly AttemptRef[]): void {
    const atMs = this.#clock.now().getTime()
    for (const ref of refs) {
      const attempt = this.#attempts.get(ref)
      if (attempt === undefined) continue
      this.#remember(attempt, atMs)
      if (attempt.isJournaled) {
        this.#lingering.push({ type: 'acknowledged', ...refOf(ref), atMs })
      }
    }
    if (this.#lingering.length > 0) {
      this.#lingerTimer ??= this.#clock.after(ACKNOWLEDGED_LINGER_MS, () => this.#writeLingering())
    }
    this.forgetOld()
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
    const unwritten = this.#inOrder().filter(({ isJournaled }) => !isJournaled)
    // From here on a compaction keeps them.
    for (const attempt of unwritten) attempt.isJournaled = true
    if (unwritten.length > 0) this.#write(unwritten.flatMap(recordsOf))
    await this.#journal?.close()
  }

  #writeLingering(): void {
    this.#lingerTimer?.cancel()
    this.#lingerTimer = undefined
    if (this.#lingering.length > 0) this.#write(this.#lingering.splice(0))
  }

  /** What may be lost in a crash, may also be lost on a full disk. */
  #write(records: readonly JournalRecord[]): void {
    this.#append(records, false).catch((error: unknown) => {
      const [first] = records
      this.#logger.error({ err: error, type: first?.type }, 'the journal misses a record')
    })
  }

  #append(records: readonly JournalRecord[], isDurable: boolean): Promise<void> {
    return this.#journal?.append(records, isDurable) ?? Promise.resolve()
  }

  #attemptOf(ref: AttemptRef): KeptAttempt {
    const known = this.#attempts.get(ref)
    if (known !== undefined) return known
    const attempt = unknownAttempt(ref)
    this.#attempts.add(attempt)
    return attempt
  }

  #replay(record: JournalRecord): void {
    const ref = { execution: record.execution, epoch: BigInt(record.epoch) }
    const isFirst = record.type === 'accepted' || record.type === 'finished'
    const attempt = isFirst ? this.#attemptOf(ref) : this.#attempts.get(ref)
    if (attempt === undefined) return
    replay(record, attempt)
    if (record.type === 'acknowledged') this.#remember(attempt, record.atMs)
  }

  #remember(attempt: KeptAttempt, atMs: number): void {
    attempt.acknowledgedAtMs = atMs
    // One that was offered again becomes the newest.
    if (this.#remembered.delete(attempt)) this.#rememberedBytes -= bytesOf(attempt)
    this.#remembered.add(attempt)
    this.#rememberedBytes += bytesOf(attempt)
  }

  /** What the journal has to say, for compaction. */
  #records(): JournalRecord[] {
    return this.#inOrder()
      .filter(({ isJournaled }) => isJournaled)
      .flatMap(recordsOf)
  }

  /** What was acknowledged first, in its order. */
  #inOrder(): KeptAttempt[] {
    const others = [...this.#attempts].filter(
      ({ acknowledgedAtMs }) => acknowledgedAtMs === undefined,
    )
    return [...this.#remembered, ...others]
  }
}
