/** What one transaction has changed and holds, so that it can be taken back: a statement of it, or all of it. */
import type { AnyTable, Key, Pending, RowChange, RowOwner } from './versioned-table.ts'

interface RowRef {
  readonly table: AnyTable
  readonly key: Key
}

interface Undo extends RowRef {
  readonly pending: Pending | undefined
}

export class StoreTransaction implements RowOwner {
  readonly id: number
  /** The earliest and the latest time that it has seen, by the database's clock, which may jump meanwhile. */
  earliestMs: number
  latestMs: number
  /** In the time of the world. */
  readonly beganAtMs: number
  /** `aborted`: a statement failed; only a rollback is understood. */
  state: 'open' | 'aborted' | 'ended' = 'open'
  /** Told when it has ended. */
  waiters: (() => void)[] = []
  /** Whose end one of its statements waits for. */
  waitsFor: StoreTransaction | undefined
  /** Names of its statements, for checks and traces. */
  readonly statements: string[] = []
  /** Rows that it has changed, by their first change. */
  readonly #changed: RowRef[] = []
  readonly #held: RowRef[] = []
  #statement: Undo[] = []

  constructor(id: number, began: { readonly clockMs: number; readonly atMs: number }) {
    this.id = id
    this.earliestMs = began.clockMs
    this.latestMs = began.clockMs
    this.beganAtMs = began.atMs
  }

  changes(table: AnyTable, key: Key, pending: Pending | undefined): void {
    this.#statement.push({ table, key, pending })
    if (pending === undefined) this.#changed.push({ table, key })
  }

  holds(table: AnyTable, key: Key): void {
    this.#held.push({ table, key })
  }

  see(clockMs: number): void {
    this.earliestMs = Math.min(this.earliestMs, clockMs)
    this.latestMs = Math.max(this.latestMs, clockMs)
  }

  beginStatement(): void {
    if (this.#statement.length > 0) this.#statement = []
  }

  /** Backwards: what the statement has changed first of all is at the end of `#changed`. */
  undoStatement(): void {
    for (const { table, key, pending } of this.#statement.reverse()) {
      table.undo(key, pending)
      if (pending === undefined) this.#changed.pop()
    }
    this.#statement = []
  }

  commit(): RowChange[] {
    const changes = this.#changed.map(({ table, key }) => table.publish(key))
    this.#end()
    return changes
  }

  rollback(): void {
    for (const { table, key } of this.#changed) table.discard(key)
    this.#end()
  }

  #end(): void {
    this.state = 'ended'
    for (const { table, key } of this.#held) table.unlock(key, this)
    const { waiters } = this
    this.waiters = []
    for (const wake of waiters) wake()
  }
}
