/** What is kept of attempts, found by their names. An execution has one attempt here, rarely two: they share a place. */
import type { AttemptRef } from './attempt-ref.ts'

export class AttemptIndex<Entry extends AttemptRef> {
  readonly #byExecution = new Map<string, readonly Entry[]>()
  #size = 0

  get size(): number {
    return this.#size
  }

  get({ execution, epoch }: AttemptRef): Entry | undefined {
    const entries = this.#byExecution.get(execution)
    if (entries === undefined) return undefined
    return entries.find((entry) => entry.epoch === epoch)
  }

  /** All of one execution. */
  ofExecution(execution: string): readonly Entry[] {
    return this.#byExecution.get(execution) ?? []
  }

  /** Adds an entry for an attempt that has none. */
  add(entry: Entry): void {
    this.#byExecution.set(entry.execution, [...this.ofExecution(entry.execution), entry])
    this.#size += 1
  }

  /** Answers what was removed. */
  delete(ref: AttemptRef): Entry | undefined {
    const entry = this.get(ref)
    if (entry === undefined) return undefined
    const left = this.ofExecution(ref.execution).filter((other) => other !== entry)
    if (left.length === 0) this.#byExecution.delete(ref.execution)
    else this.#byExecution.set(ref.execution, left)
    this.#size -= 1
    return entry
  }

  /** In the order in which their executions came. */
  *[Symbol.iterator](): IterableIterator<Entry> {
    for (const entries of this.#byExecution.values()) yield* entries
  }
}
