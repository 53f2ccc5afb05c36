import type { Database, Db } from '../store/database.ts'

/** Throws inside a transaction to undo it, carrying its result out: `validate_only` does everything but stay. */
class Undo<T> extends Error {
  readonly result: T
  constructor(result: T) {
    super('undone on purpose')
    this.result = result
  }
}

/** Does `work` in a transaction, which is undone afterwards when `isUndone`; answers the same either way. */
export async function transact<T>(
  db: Database,
  isUndone: boolean,
  work: (tx: Db) => Promise<T>,
): Promise<T> {
  try {
    return await db.transaction().execute(async (tx) => {
      const result = await work(tx)
      if (isUndone) throw new Undo(result)
      return result
    })
  } catch (error) {
    if (error instanceof Undo) return (error as Undo<T>).result
    throw error
  }
}
