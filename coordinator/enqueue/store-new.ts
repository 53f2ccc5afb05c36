/**
 * A transaction that enqueues, and what follows it: what found a free worker is sent, of the rest the match loop is told.
 *
 * What needs no more than its insert is a transaction as it is: no BEGIN and no COMMIT, one way to the database and back.
 */
import type { Deps } from '../deps.ts'
import type { NewExecution } from '../job/new-execution.ts'
import type { Db } from '../store/database.ts'
import { isUndone } from '../store/database-errors.ts'
import type { AssignedNew, Enqueue, EnqueueOutcome, PairNew } from './enqueue.ts'

/** From the match step: gives new executions to free workers. */
export interface AssignNew {
  /** For one transaction. */
  begin(): NewAssignments
}

export interface NewAssignments {
  readonly pair: PairNew
  /** The transaction is over; `unknown`: the answer to its COMMIT was lost. */
  conclude(
    outcome: 'committed' | 'undone' | 'unknown',
    assigned: readonly AssignedNew[],
  ): Promise<void>
}

/** Within the transaction of `StoreNew`. */
type EnqueueHere = (requests: readonly NewExecution[]) => Promise<EnqueueOutcome>

/** Runs a transaction that enqueues whatever it likes; `isOneStatement`: work that changes nothing else, of jobs without a limit. */
export type StoreNew = <T>(
  work: (tx: Db, enqueue: EnqueueHere) => Promise<T>,
  options?: { readonly isOneStatement: boolean },
) => Promise<T>

export function createStoreNew(
  { db, hints }: Pick<Deps, 'db' | 'hints'>,
  { enqueue, assign }: { readonly enqueue: Enqueue; readonly assign: AssignNew },
): StoreNew {
  return async (work, { isOneStatement } = { isOneStatement: false }) => {
    const assignments = assign.begin()
    const assigned: AssignedNew[] = []
    let askedCount = 0
    let queuedCount = 0
    const run = (tx: Db) =>
      work(tx, async (requests) => {
        const enqueued = await enqueue(tx, requests, assignments.pair)
        askedCount += requests.length
        assigned.push(...enqueued.assigned)
        queuedCount += enqueued.queuedCount
        return enqueued
      })
    const running = isOneStatement ? run(db) : db.transaction().execute(run)
    const answer = await running.catch(async (error: unknown) => {
      await assignments.conclude(isUndone(error) ? 'undone' : 'unknown', [])
      throw error
    })
    await assignments.conclude('committed', assigned)
    if (askedCount > 0) hints.give('executions')
    if (queuedCount > 0) hints.give('queue')
    return answer
  }
}
