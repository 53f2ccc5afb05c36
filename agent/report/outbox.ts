/**
 * What must be reported and is not yet acknowledged.
 *
 * O1. An item stays until a report that carried it is acknowledged, or another says the same (O5); a lost connection makes
 *     all of them pending again.
 * O2. One item per kind and attempt: a newer one takes the place of the pending one.
 * O3. What was reported longest ago is sent again first.
 * O4. After `offerAgain` the report that leaves nothing pending says so, an empty one if need be.
 * O5. `finished` and `refused` say all that is to be said of an attempt: what else is pending of it is dropped, for
 *     `finished` already when the attempt has ended.
 * O6. Nobody waits for the other kinds, so they linger: an attempt that ends at once is one item, not three. That one was
 *     accepted and has begun is not even an item before it has lived so long (`announce`).
 * O7. While a report is unanswered, results gather for the next one, but never longer than GATHER_MS: a few large reports
 *     cost less than many small ones. The first one goes at once, and what did not fit into the last one.
 */
import type { Finished, Report } from '../../proto/gen/rota/agent/v1/agent_service.ts'
import type { Clock, Timer } from '../../shared/clock.ts'
import { AttemptIndex } from './attempt-index.ts'
import type { AttemptRef } from './attempt-ref.ts'
import { isLast, type ReportItem, reportedBytes, toReport } from './report-item.ts'
import type { YoungAttempt } from './young-attempt.ts'

/** No message of the stream is larger, in bytes; some are left for the frame of the report. */
const REPORT_BYTES_MAX = 255 * 1024
/** Unacknowledged reports at once; more wait in the outbox. */
const REPORTS_UNANSWERED_MAX = 32
/** From one report to the next while one is unanswered, in ms: twice what a busy database takes for a commit. */
const GATHER_MS = 50
/** How long what nobody waits for lingers (O6), in ms: coordinators ask again after seconds, short commands are over. */
const LINGER_MS = 50

/** Of one attempt. */
interface PendingItems extends AttemptRef {
  /** One of a kind. */
  readonly items: ReportItem[]
  /** When it may be reported, on the monotonic clock. */
  readonly dueMs: number
}

/** Those that were accepted together. */
interface Announcement {
  readonly attempts: readonly YoungAttempt[]
  readonly dueMs: number
}

interface SentReport {
  readonly items: readonly ReportItem[]
  readonly sentAtMs: number
}

export class Outbox {
  readonly #clock: Clock
  readonly #onPending: () => void
  #pending = new AttemptIndex<PendingItems>()
  /** Of the same moment or later each. */
  #lingering = new AttemptIndex<PendingItems>()
  /** In the order in which they are due. */
  #announcements: Announcement[] = []
  /** Their results will be put: nothing else of them is to be said. */
  readonly #ending = new AttemptIndex<AttemptRef>()
  readonly #sent = new Map<bigint, SentReport>()
  #size = 0
  #sequence = 0n
  #sentAtMs = Number.NEGATIVE_INFINITY
  /** The last report did not take all that was pending. */
  #isFull = false
  #isOffering = false
  #timer: Timer | undefined
  /** When the timer fires, on the monotonic clock. */
  #wakeAtMs = Number.POSITIVE_INFINITY

  /** `onPending` is called whenever something is to be reported. */
  constructor(clock: Clock, onPending: () => void) {
    this.#clock = clock
    this.#onPending = onPending
  }

  put(item: ReportItem): void {
    if (isLast(item)) {
      this.#keep(item)
      this.#onPending()
      return
    }
    const { execution, epoch } = item.value
    const known = this.#pending.get(item.value) ?? this.#lingering.get(item.value)
    if (known !== undefined) this.#join(known, item)
    else {
      const dueMs = this.#clock.monotonicMs() + LINGER_MS
      this.#lingering.add({ execution, epoch, items: [item], dueMs })
      this.#size += 1
      this.#wakeAfter(LINGER_MS)
    }
  }

  /** Tells of accepted attempts that they were, unless they end soon. */
  announce(attempts: readonly YoungAttempt[]): void {
    this.#announcements.push({ attempts, dueMs: this.#clock.monotonicMs() + LINGER_MS })
    this.#wakeAfter(LINGER_MS)
  }

  /** An accepted attempt begins. */
  begin(attempt: YoungAttempt, startTime: Date): void {
    const { execution, epoch } = attempt
    attempt.startTime = startTime
    if (attempt.isAnnounced) this.put({ kind: 'started', value: { execution, epoch, startTime } })
  }

  /** The attempt has ended, and its result will be put when it is journaled: nothing else of it needs to be said (O5). */
  expectResult(ref: AttemptRef): void {
    if (this.#ending.get(ref) === undefined) this.#ending.add(ref)
    const dropped = this.#lingering.delete(ref) ?? this.#pending.delete(ref)
    this.#size -= dropped?.items.length ?? 0
  }

  /** Reports results once more that were acknowledged before, and then says that this was all. */
  offerAgain(results: readonly Finished[]): void {
    this.#isOffering = true
    for (const value of results) this.#keep({ kind: 'finished', value })
    this.#onPending()
  }

  /** Items that no coordinator has acknowledged. */
  get size(): number {
    return this.#size
  }

  /** True while a report was sent and not yet acknowledged. */
  get isAwaiting(): boolean {
    return this.#sent.size > 0
  }

  /** The next report, or undefined when nothing is due or too much is unanswered. */
  take(nowMs: number): Report | undefined {
    // What has to be waited for is seen anew.
    this.#cancelTimer()
    this.#endAnnouncements(nowMs)
    this.#endLingering(nowMs)
    const isNothing = this.#pending.size === 0 && !this.#isOffering
    if (isNothing || this.#sent.size >= REPORTS_UNANSWERED_MAX) return undefined
    const waitMs = this.#sentAtMs + GATHER_MS - nowMs
    if (this.#sent.size > 0 && waitMs > 0 && !this.#isFull) {
      this.#wakeAfter(waitMs)
      return undefined
    }
    const items = this.#takeItems()
    this.#isFull = this.#pending.size > 0
    this.#sequence += 1n
    this.#sentAtMs = nowMs
    this.#sent.set(this.#sequence, { items, sentAtMs: nowMs })
    return { ...toReport(this.#sequence, items), offeredAgain: this.#isAllOffered() }
  }

  /** The items that are now safe with the coordinator. */
  acknowledge(sequence: bigint): readonly ReportItem[] {
    const items = this.#sent.get(sequence)?.items ?? []
    this.#sent.delete(sequence)
    this.#size -= items.length
    if (this.#pending.size > 0) this.#onPending()
    return items
  }

  /** Makes pending again what was sent at `untilMs` or before and never acknowledged (O1, O3). */
  resend(untilMs: number): void {
    const overdue = [...this.#sent].filter(([, { sentAtMs }]) => sentAtMs <= untilMs)
    if (overdue.length === 0) return
    const newer = [this.#pending, this.#lingering].flatMap((index) => [...index])
    this.#pending = new AttemptIndex()
    this.#lingering = new AttemptIndex()
    for (const { items } of newer) this.#size -= items.length
    for (const [sequence, { items }] of overdue) {
      this.#sent.delete(sequence)
      this.#size -= items.length
      for (const item of items) this.#keep(item)
    }
    for (const item of newer.flatMap(({ items }) => items)) this.#keep(item)
    this.#onPending()
  }

  /** Makes an item pending. */
  #keep(item: ReportItem): void {
    const { execution, epoch } = item.value
    let known = this.#pending.get(item.value)
    const lingering = isLast(item) ? this.#drop(item.value) : undefined
    this.#size -= lingering?.items.length ?? 0
    if (known === undefined) {
      known = { execution, epoch, items: [item], dueMs: Number.NEGATIVE_INFINITY }
      this.#pending.add(known)
      this.#size += 1
    } else this.#join(known, item)
  }

  /** O2, O5. */
  #join(known: PendingItems, item: ReportItem): void {
    const { items } = known
    if (isLast(item)) {
      this.#size -= items.length
      items.length = 0
    } else if (items.some(isLast)) return
    const index = items.findIndex(({ kind }) => kind === item.kind)
    if (index !== -1) items[index] = item
    else {
      items.push(item)
      this.#size += 1
    }
  }

  /** What lingered of an attempt of which the last is said. */
  #drop(ref: AttemptRef): PendingItems | undefined {
    this.#ending.delete(ref)
    return this.#lingering.delete(ref)
  }

  /** Those that are due, but for attempts that have ended meanwhile. */
  #endAnnouncements(nowMs: number): void {
    for (const { attempts, dueMs } of [...this.#announcements]) {
      const isOver = attempts.every(({ hasEnded }) => hasEnded)
      if (!isOver && dueMs > nowMs) {
        this.#wakeAfter(dueMs - nowMs)
        return
      }
      this.#announcements.shift()
      if (!isOver) for (const attempt of attempts) this.#announceOne(attempt)
    }
  }

  #announceOne(attempt: YoungAttempt): void {
    const { execution, epoch, hasEnded, startTime } = attempt
    attempt.isAnnounced = true
    if (hasEnded || this.#ending.get(attempt) !== undefined) return
    const lingering = this.#lingering.delete(attempt)?.items ?? []
    this.#size -= lingering.length
    this.#keep({ kind: 'accepted', value: { execution, epoch } })
    if (startTime !== undefined)
      this.#keep({ kind: 'started', value: { execution, epoch, startTime } })
    for (const item of lingering) this.#keep(item)
  }

  #endLingering(nowMs: number): void {
    for (const entry of this.#lingering) {
      if (entry.dueMs > nowMs) {
        this.#wakeAfter(entry.dueMs - nowMs)
        return
      }
      this.#lingering.delete(entry)
      this.#pending.add(entry)
    }
  }

  #wakeAfter(delayMs: number): void {
    const atMs = this.#clock.monotonicMs() + delayMs
    if (atMs >= this.#wakeAtMs) return
    this.#cancelTimer()
    this.#wakeAtMs = atMs
    this.#timer = this.#clock.after(delayMs, () => {
      this.#cancelTimer()
      this.#onPending()
    })
  }

  #cancelTimer(): void {
    this.#timer?.cancel()
    this.#timer = undefined
    this.#wakeAtMs = Number.POSITIVE_INFINITY
  }

  #isAllOffered(): boolean {
    const isAll = this.#isOffering && this.#pending.size === 0
    if (isAll) this.#isOffering = false
    return isAll
  }

  #takeItems(): readonly ReportItem[] {
    const taken: ReportItem[] = []
    let bytes = 0
    for (const entry of this.#pending) {
      for (const item of entry.items) bytes += reportedBytes(item)
      if (taken.length > 0 && bytes > REPORT_BYTES_MAX) break
      taken.push(...entry.items)
      this.#pending.delete(entry)
    }
    return taken
  }
}
