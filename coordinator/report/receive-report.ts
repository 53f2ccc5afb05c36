/**
 * The fifth step: what agents report is stored, however often it comes.
 *
 * R1. A report is stored in one transaction, together with others that come at the same time; the caller acknowledges it
 *     after the commit (A4).
 * R2. Every statement names session and epoch: what is not the session's own and current changes nothing.
 * R3. A repeated report finds its work done and is acknowledged like the first one.
 * R4. After a failover of the database the dispatch step first restores what an agent speaks of; a result that has no row
 *     (yet) is not stored, and its report not acknowledged.
 * R5. A session that has ended acknowledges nothing: what it does not own any more may be current in the next one.
 */
import type { Report } from '../../proto/gen/rota/agent/v1/agent_service.ts'
import { RotaError } from '../../shared/errors/rota-error.ts'
import { MicroBatcher } from '../../shared/micro-batcher.ts'
import type { Deps } from '../deps.ts'
import type { AttemptReport } from '../job/attempt-report.ts'
import { isUndone } from '../store/database-errors.ts'
import { type ReadReport, type ReportingSession, readReport } from './read-report.ts'
import type { AttemptRef } from './report-queries.ts'
import { type Ended, type StoredReport, type StoreSteps, storeReports } from './store-reports.ts'

export interface ReportSteps<E extends Ended> {
  readonly toRef: (message: { execution: string; epoch: bigint }) => AttemptRef
  readonly settleReported: (
    ...asked: Parameters<StoreSteps['settleReported']>
  ) => Promise<readonly E[]>
  /** Told after the commit. */
  readonly onEnded: (ended: readonly E[]) => void
  /** Of what was reported, the attempts that are not the session's (any more); never rejects. */
  readonly onOthers: (session: ReportingSession, others: readonly AttemptRef[]) => Promise<void>
}

export interface ReceivedReport {
  /** Not the session's to run (any more). */
  readonly stale: readonly AttemptRef[]
  /** False when the report must be tried again (R4). */
  readonly isStored: boolean
}

export interface ReportRequest {
  readonly session: ReportingSession
  readonly report: Report
  /** For sessions of R4. */
  readonly reclaim?: StoreSteps['reclaim']
}

interface Restoring {
  readonly read: ReadReport
  readonly reclaim: NonNullable<StoreSteps['reclaim']>
}

export type ReceiveReports = (request: ReportRequest) => Promise<ReceivedReport>

/** Transactions at once: while one waits for its commit another one works. */
const LANES = 2
/** The same of reports that restore what the database has lost (R4), which go alone. */
const RESTORING_LANES = 4
/** Entries in one transaction. */
const ENTRIES_MAX = 1_000

/** Stores reports. Throws SESSION_ENDED (R5). */
export function createReportReceiver<E extends Ended>(
  deps: Deps,
  steps: ReportSteps<E>,
): ReceiveReports {
  const batcher = new MicroBatcher<ReadReport, StoredReport>({
    lanes: LANES,
    sizeMax: ENTRIES_MAX,
    sizeOf: ({ count }) => count,
    // What an answer that was lost has stored would not be found again by a second try, and its slots stay taken.
    isUndone,
    run: async (reports) => storeReports(deps, steps, reports),
  })
  const restoring = new MicroBatcher<Restoring, StoredReport>({
    lanes: RESTORING_LANES,
    sizeMax: 1,
    sizeOf: () => 1,
    isUndone,
    run: async ([one]) => (one ? storeReports(deps, { ...steps, ...one }, [one.read]) : []),
  })
  return async ({ session, report, reclaim }) => {
    const read = readReport(steps.toRef, session, report)
    const stored =
      reclaim === undefined ? await batcher.add(read) : await restoring.add({ read, reclaim })
    if (stored.isRejected) {
      throw new RotaError('SESSION_ENDED', 'the worker has a newer session')
    }
    const { ended, late, missing, others, stale } = stored
    if (late > 0) {
      deps.logger.warn({ worker: session.workerName, late }, 'results of replaced epochs')
    }
    // The settle step has answered with its own.
    steps.onEnded(ended as readonly E[])
    if (ended.length > 0) {
      // What has not succeeded may be queued again.
      const isRoomOnly = read.ended.every(({ outcome }) => outcome === 'succeeded')
      deps.hints.give(isRoomOnly ? 'room' : 'queue')
      deps.hints.give('executions')
    }
    // What the database has forgotten is not the agent's fault.
    if (reclaim === undefined) await steps.onOthers(session, others)
    const isMissing = ({ executionId, outcome }: AttemptReport) =>
      outcome !== 'refused' && missing.has(executionId)
    return { stale, isStored: !read.ended.some(isMissing) }
  }
}
