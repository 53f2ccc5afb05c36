import type { WorkerOffer } from '../job/offer.ts'
import type { Pair } from './match.ts'
import type { ClaimedExecution } from './match-queries.ts'

/** The connected workers, as the dispatch step knows them. */
export interface Fleet {
  offers(): WorkerOffer[]
  /** Takes the slots of a pair; `false` when the session is gone. */
  reserve(pair: Pair): boolean
  /** Gives reserved slots back that were not claimed. */
  unreserve(pair: Pair): void
  /** Sends what was claimed and committed. */
  dispatch(claimed: readonly ClaimedExecution[]): Promise<void>
}
