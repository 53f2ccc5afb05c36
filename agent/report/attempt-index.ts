/**
 * What is kept of attempts, found by their names. An execution has one attempt here, rarely two: the first one is kept bare,
 * so that a short attempt costs no list.
 */
import type { AttemptRef } from './attempt-ref.ts'

export class AttemptIndex<Entry extends AttemptRef> {
  readonly #first = new Map<string, Entry>()
  /** Of executions that have more than one, the others; never empty. */
  readonly #others = new Map<string, readonly Entry[]>()
  #size = 0

  get size(): number {
    return this.#size
  }

  get({ execution, epoch }: AttemptRef): Entry | undefined {
    const first = this.#first.get(execution)
    if (first === undefined || first.epoch === epoch) return first
    return this.#others.get(execution)?.find((entry) => entry.epoch === epoch)
  }

  /** True when its execution has no other one. */
  isAlone({ execution }: Entry): boolean {
    return !this.#others.has(execution)
  }

  /** All of one execution. */
  ofExecution(execution: string): readonly Entry[] {
    const first = this.#first.get(execution)
    return first === undefined ? [] : [first, ...(this.#others.get(execution) ?? [])]
  }

  /** The one of an execution that has the highest epoch. */
  newestOf(execution: string): Entry | undefined {
    let newest = this.#first.get(execution)
    for (const other of this.#others.get(execution) ?? NONE) {
      if (newest === undefined || other.epoch > newest.epoch) newest = other
    }
    return newest
  }

  /** Adds an entry for an attempt that has none. */
  add(entry: Entry): void {
    const { execution } = entry
    if (this.#first.has(execution)) {
      this.#others.set(execution, [...(this.#others.get(execution) ?? []), entry])
    } else this.#first.set(execution, entry)
    this.#size += 1
  }

  /** Answers what was removed. */
  delete(ref: AttemptRef): Entry | undefined {
    const entry = this.get(ref)
    if (entry === undefined) return undefined
    this.#size -= 1
    if (this.#others.size === 0) this.#first.delete(ref.execution)
    else this.#removeOne(entry)
    return entry
  }

  /** In the order in which their executions came. */
  [Symbol.iterator](): IterableIterator<Entry> {
    return this.#others.size === 0 ? this.#first.values() : this.#withOthers()
  }

  *#withOthers(): IterableIterator<Entry> {
    for (const [execution, first] of this.#first) {
      const others = this.#others.get(execution) ?? NONE
      yield first
      yield* others
    }
  }

  #removeOne(entry: Entry): void {
    const { execution } = entry
    const [first, ...others] = this.ofExecution(execution).filter((other) => other !== entry)
    if (first === undefined) this.#first.delete(execution)
    else this.#first.set(execution, first)
    if (others.length === 0) this.#others.delete(execution)
    else this.#others.set(execution, others)
  }
}

const NONE: readonly never[] = []
