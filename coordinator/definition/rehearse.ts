/** Changes in a transaction that may be only rehearsed: `validate_only` does everything but stay. */
import type { Deps } from '../deps.ts'
import type { JobRow } from '../query/job-queries.ts'
import type { Db } from '../store/database.ts'

/** A job before and after a change. */
export interface JobChange {
  /** Undefined: there was none. */
  readonly before: JobRow | undefined
  readonly after: JobRow
}

/** Throws inside a transaction to undo it, carrying its result out. */
class Undo<T> extends Error {
  readonly result: T
  constructor(result: T) {
    super('undone on purpose')
    this.result = result
  }
}

export async function inTransaction<T>(
  deps: Deps,
  isRehearsal: boolean,
  work: (tx: Db) => Promise<T>,
): Promise<T> {
  try {
    return await deps.db.transaction().execute(async (tx) => {
      const result = await work(tx)
      if (isRehearsal) throw new Undo(result)
      return result
    })
  } catch (error) {
    if (error instanceof Undo) return error.result as T
    throw error
  }
}
