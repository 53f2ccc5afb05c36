/**
 * Rows of one table as transactions see them under READ COMMITTED: what is committed, what one's own transaction has
 * changed, and who holds which row.
 *
 * V1. A changed row has one owner until its transaction ends; everybody else sees what was committed before.
 * V2. Who wants a row that another holds in a conflicting mode gets `Blocked`: the statement is undone and runs again
 *     when the holder has ended. The locks that it got on the way stay, as in PostgreSQL.
 */
export type Key = string | number

/** PostgreSQL's row locks, from the weakest: FOR KEY SHARE, FOR SHARE, FOR NO KEY UPDATE, FOR UPDATE. */
export type LockMode = 0 | 1 | 2 | 3
export const KEY_SHARE = 0
export const NO_KEY_UPDATE = 2
export const FOR_UPDATE = 3

/** A transaction, as a table sees it. */
export interface RowOwner {
  /** It has got a lock. */
  holds(table: AnyTable, key: Key): void
  /** It is about to change a row, which it had changed to `pending` before, if at all. */
  changes(table: AnyTable, key: Key, pending: Pending | undefined): void
}

export class Blocked extends Error {
  readonly holder: RowOwner
  constructor(holder: RowOwner) {
    super('blocked')
    this.holder = holder
  }
}

/** A row as a transaction wants it. */
export interface Pending<R = object> {
  readonly tx: RowOwner
  /** Undefined: deleted. */
  readonly row: R | undefined
}

export interface RowChange {
  readonly table: string
  readonly key: Key
  readonly before: object | undefined
  readonly after: object | undefined
}

/** What a transaction must be able to do with any table, whatever its rows. */
export interface AnyTable {
  readonly name: string
  undo(key: Key, pending: Pending | undefined): void
  publish(key: Key): RowChange
  unlock(key: Key, tx: RowOwner): void
  discard(key: Key): void
  /** Past the rules: a failover takes a commit back. */
  restore(key: Key, row: object | undefined): void
}

export class VersionedTable<R extends object> implements AnyTable {
  readonly name: string
  readonly #keyOf: (row: R) => Key
  readonly #rows = new Map<Key, R>()
  readonly #pending = new Map<Key, Pending<R>>()
  readonly #locks = new Map<Key, Map<RowOwner, LockMode>>()

  constructor(name: string, keyOf: (row: R) => Key) {
    this.name = name
    this.#keyOf = keyOf
  }

  /** What is committed; for checks, and for statements of nobody. */
  committed(): MapIterator<R> {
    return this.#rows.values()
  }

  getCommitted(key: Key): R | undefined {
    return this.#rows.get(key)
  }

  get size(): number {
    return this.#rows.size
  }

  get(tx: RowOwner, key: Key): R | undefined {
    const pending = this.#pending.get(key)
    return pending?.tx === tx ? pending.row : this.#rows.get(key)
  }

  /** All rows that `tx` sees. */
  list(tx: RowOwner): R[] {
    return this.where(tx, () => true)
  }

  /** Those of them that are meant; what others are changing is seen as it was. */
  where(tx: RowOwner, isMeant: (row: R) => boolean): R[] {
    const rows: R[] = []
    if (this.#pending.size === 0) {
      for (const row of this.#rows.values()) if (isMeant(row)) rows.push(row)
      return rows
    }
    for (const [key, committed] of this.#rows) {
      const pending = this.#pending.get(key)
      const row = pending?.tx === tx ? pending.row : committed
      if (row !== undefined && isMeant(row)) rows.push(row)
    }
    for (const [key, { row, tx: owner }] of this.#pending) {
      if (owner === tx && row !== undefined && !this.#rows.has(key) && isMeant(row)) rows.push(row)
    }
    return rows
  }

  /** Throws Blocked when another transaction holds the row in a mode that conflicts. */
  lock(tx: RowOwner, key: Key, mode: LockMode): void {
    const holder = this.#conflict(tx, key, mode)
    if (holder !== undefined) throw new Blocked(holder)
    this.#take(tx, key, mode)
  }

  /** SKIP LOCKED: false when it would have to wait. */
  tryLock(tx: RowOwner, key: Key, mode: LockMode): boolean {
    if (this.#conflict(tx, key, mode) !== undefined) return false
    this.#take(tx, key, mode)
    return true
  }

  update(tx: RowOwner, row: R): void {
    const key = this.#keyOf(row)
    this.lock(tx, key, NO_KEY_UPDATE)
    this.#set(tx, key, row)
  }

  delete(tx: RowOwner, key: Key): void {
    this.lock(tx, key, FOR_UPDATE)
    this.#set(tx, key, undefined)
  }

  /** False when a row of this key is there already. Waits for one that another transaction is just inserting. */
  insert(tx: RowOwner, row: R): boolean {
    const key = this.#keyOf(row)
    const pending = this.#pending.get(key)
    if (pending !== undefined && pending.tx !== tx) throw new Blocked(pending.tx)
    if (this.get(tx, key) !== undefined) return false
    this.#take(tx, key, FOR_UPDATE)
    this.#set(tx, key, row)
    return true
  }

  /** Rows that other transactions are changing: what a unique index makes one wait for. */
  othersPending(tx: RowOwner): { tx: RowOwner; before: R | undefined; after: R | undefined }[] {
    const others = [...this.#pending].filter(([, pending]) => pending.tx !== tx)
    return others.map(([key, pending]) => ({
      tx: pending.tx,
      before: this.#rows.get(key),
      after: pending.row,
    }))
  }

  undo(key: Key, pending: Pending | undefined): void {
    if (pending === undefined) this.#pending.delete(key)
    else this.#pending.set(key, pending as Pending<R>)
  }

  publish(key: Key): RowChange {
    const pending = this.#pending.get(key)
    const before = this.#rows.get(key)
    this.#pending.delete(key)
    if (pending?.row === undefined) this.#rows.delete(key)
    else this.#rows.set(key, pending.row)
    return { table: this.name, key, before, after: pending?.row }
  }

  discard(key: Key): void {
    this.#pending.delete(key)
  }

  unlock(key: Key, tx: RowOwner): void {
    const holders = this.#locks.get(key)
    holders?.delete(tx)
    if (holders?.size === 0) this.#locks.delete(key)
  }

  restore(key: Key, row: object | undefined): void {
    if (row === undefined) this.#rows.delete(key)
    else this.#rows.set(key, row as R)
  }

  #conflict(tx: RowOwner, key: Key, mode: LockMode): RowOwner | undefined {
    const holders = this.#locks.get(key)
    if (holders === undefined) return undefined
    for (const [holder, held] of holders) if (holder !== tx && conflicts(mode, held)) return holder
    return undefined
  }

  #take(tx: RowOwner, key: Key, mode: LockMode): void {
    const holders = this.#locks.get(key) ?? new Map<RowOwner, LockMode>()
    this.#locks.set(key, holders)
    const held = holders.get(tx)
    if (held !== undefined && held >= mode) return
    holders.set(tx, mode)
    tx.holds(this, key)
  }

  #set(tx: RowOwner, key: Key, row: R | undefined): void {
    const before = this.#pending.get(key)
    this.#pending.set(key, { tx, row })
    tx.changes(this, key, before)
  }
}

/** The matrix of PostgreSQL's documentation, 13.3.2. */
function conflicts(wanted: LockMode, held: LockMode): boolean {
  if (wanted === FOR_UPDATE || held === FOR_UPDATE) return true
  if (wanted === KEY_SHARE || held === KEY_SHARE) return false
  return wanted === NO_KEY_UPDATE || held === NO_KEY_UPDATE
}
