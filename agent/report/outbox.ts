/**
 * What must be reported and is not yet acknowledged.
 *
 * O1. An item stays until a report that carried it is acknowledged; a lost connection makes all of them pending again.
 * O2. One item per kind and attempt: a newer one takes the place of the pending one.
 * O3. What was reported longest ago is sent again first.
 * O4. After `offerAgain` the report that leaves nothing pending says so, an empty one if need be.
 */
import {
  type Accepted,
  Finished,
  type Progressed,
  type Refused,
  Report,
  type Started,
} from '../../proto/gen/rota/agent/v1/agent_service.ts'

export type ReportItem =
  | { readonly kind: 'accepted'; readonly value: Accepted }
  | { readonly kind: 'refused'; readonly value: Refused }
  | { readonly kind: 'started'; readonly value: Started }
  | { readonly kind: 'progressed'; readonly value: Progressed }
  | { readonly kind: 'finished'; readonly value: Finished }

/** No message of the stream is larger, in bytes; some are left for the frame of the report. */
const REPORT_BYTES_MAX = 255 * 1024
/** Of any item but finished: two ids, a time and a short text. */
const SMALL_ITEM_BYTES = 2_200
/** Unacknowledged reports at once; more wait in the outbox. */
const REPORTS_UNANSWERED_MAX = 32

interface SentReport {
  readonly items: readonly ReportItem[]
  readonly sentAtMs: number
}

export class Outbox {
  #pending = new Map<string, ReportItem>()
  readonly #sent = new Map<bigint, SentReport>()
  #sequence = 0n
  #isOffering = false
  readonly #onPending: () => void

  /** `onPending` is called whenever something waits to be reported. */
  constructor(onPending: () => void) {
    this.#onPending = onPending
  }

  put(item: ReportItem): void {
    this.#pending.set(itemKey(item), item)
    this.#onPending()
  }

  /** Reports results once more that were acknowledged before, and then says that this was all. */
  offerAgain(results: readonly Finished[]): void {
    this.#isOffering = true
    for (const value of results) this.put({ kind: 'finished', value })
    this.#onPending()
  }

  /** Items that no coordinator has acknowledged. */
  get size(): number {
    return [...this.#sent.values()].reduce(
      (sum, { items }) => sum + items.length,
      this.#pending.size,
    )
  }

  /** True while a report was sent and not yet acknowledged. */
  get isAwaiting(): boolean {
    return this.#sent.size > 0
  }

  /** The next report, or undefined when nothing waits or too much is unanswered. */
  take(nowMs: number): Report | undefined {
    const isNothing = this.#pending.size === 0 && !this.#isOffering
    if (isNothing || this.#sent.size >= REPORTS_UNANSWERED_MAX) return undefined
    const items = this.#takeItems()
    this.#sequence += 1n
    this.#sent.set(this.#sequence, { items, sentAtMs: nowMs })
    return { ...toReport(this.#sequence, items), offeredAgain: this.#isAllOffered() }
  }

  /** The items that are now safe with the coordinator. */
  acknowledge(sequence: bigint): readonly ReportItem[] {
    const items = this.#sent.get(sequence)?.items ?? []
    this.#sent.delete(sequence)
    return items
  }

  /** Makes pending again what was sent at `untilMs` or before and never acknowledged (O1, O3). */
  resend(untilMs: number): void {
    const overdue = [...this.#sent].filter(([, { sentAtMs }]) => sentAtMs <= untilMs)
    if (overdue.length === 0) return
    const again = new Map<string, ReportItem>()
    for (const [sequence, { items }] of overdue) {
      this.#sent.delete(sequence)
      for (const item of items) again.set(itemKey(item), item)
    }
    for (const [key, item] of this.#pending) again.set(key, item)
    this.#pending = again
    this.#onPending()
  }

  #isAllOffered(): boolean {
    const isAll = this.#isOffering && this.#pending.size === 0
    if (isAll) this.#isOffering = false
    return isAll
  }

  #takeItems(): ReportItem[] {
    const items: ReportItem[] = []
    let bytes = 0
    for (const [key, item] of this.#pending) {
      bytes += sizeOf(item)
      if (items.length > 0 && bytes > REPORT_BYTES_MAX) break
      items.push(item)
      this.#pending.delete(key)
    }
    return items
  }
}

function itemKey({ kind, value }: ReportItem): string {
  return `${kind}/${value.execution}.${value.epoch}`
}

function sizeOf(item: ReportItem): number {
  return item.kind === 'finished'
    ? Finished.encode(item.value).finish().length + 8
    : SMALL_ITEM_BYTES
}

function toReport(sequence: bigint, items: readonly ReportItem[]): Report {
  const report = Report.fromPartial({ sequence })
  for (const item of items) {
    switch (item.kind) {
      case 'accepted':
        report.accepted.push(item.value)
        break
      case 'refused':
        report.refused.push(item.value)
        break
      case 'started':
        report.started.push(item.value)
        break
      case 'progressed':
        report.progressed.push(item.value)
        break
      case 'finished':
        report.finished.push(item.value)
        break
    }
  }
  return report
}
