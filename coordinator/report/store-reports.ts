/** Stores reports of several sessions in one transaction, each as if it were alone. */
import type { Deps } from '../deps.ts'
import type { SessionReport } from '../job/attempt-report.ts'
import type { Epoch, ExecutionId, SessionId } from '../job/execution.ts'
import type { Db } from '../store/database.ts'
import type { ReadReport } from './read-report.ts'
import {
  type AttemptRef,
  holdReporting,
  insertLateReports,
  type RefKey,
  recordAccepted,
  recordProgress,
  recordStarted,
  refKey,
  type SessionRef,
} from './report-queries.ts'

/** From the settle step. */
export interface Ended {
  readonly executionId: ExecutionId
  readonly epoch: Epoch
  readonly sessionId: SessionId
}

export interface StoreSteps {
  readonly settleReported: (tx: Db, reports: readonly SessionReport[]) => Promise<readonly Ended[]>
  /** From the dispatch step, while the database recovers: answers what has no row. */
  readonly reclaim?: (tx: Db, attempts: readonly AttemptRef[]) => Promise<readonly AttemptRef[]>
}

/** What became of one report. */
export interface StoredReport {
  /** The session has ended, and something of this is not its own: nothing was stored, nothing may be acknowledged. */
  readonly isRejected: boolean
  readonly ended: readonly Ended[]
  /** Not the session's own and current. */
  readonly others: readonly AttemptRef[]
  /** Those of the others that its agent has to stop. */
  readonly stale: readonly AttemptRef[]
  /** Results that came late and are kept as evidence. */
  readonly late: number
  /** What has no row (yet). */
  readonly missing: ReadonlySet<ExecutionId>
}

export async function storeReports(
  deps: Deps,
  steps: StoreSteps,
  reports: readonly ReadReport[],
): Promise<StoredReport[]> {
  return deps.db.transaction().execute(async (tx) => {
    const live = await holdReporting(tx, [...new Set(reports.map(({ session }) => session.id))])
    const missing = await reclaimAll(tx, steps, reports)
    const moved = await storeMoves(tx, reports)
    const ends = reports.flatMap(({ ended }) => ended)
    const ended = ends.length === 0 ? [] : await steps.settleReported(tx, ends)
    const settled = Map.groupBy(ended, ({ sessionId }) => sessionId)
    const results = reports.map((report) =>
      judge(report, { live, missing, moved, ended: settled.get(report.session.id) ?? [] }),
    )
    const late = await storeLate(tx, results)
    return results.map(({ unknown, ...stored }) => ({
      ...stored,
      late: unknown.filter(({ executionId }) => late.has(executionId)).length,
    }))
  })
}

async function reclaimAll(
  tx: Db,
  { reclaim }: StoreSteps,
  reports: readonly ReadReport[],
): Promise<ReadonlySet<ExecutionId>> {
  if (reclaim === undefined) return new Set()
  const refs = reports.flatMap(({ accepted, started, ended }) => {
    // What was refused never was: there is nothing to restore.
    return [...accepted, ...started, ...ended.filter(({ outcome }) => outcome !== 'refused')]
  })
  return new Set((await reclaim(tx, refs)).map(({ executionId }) => executionId))
}

interface Moved {
  readonly accepted: ReadonlySet<RefKey>
  readonly started: ReadonlySet<RefKey>
  readonly progressed: ReadonlySet<RefKey>
}

async function storeMoves(tx: Db, reports: readonly ReadReport[]): Promise<Moved> {
  const accepted = reports.flatMap((report) => report.accepted)
  const started = reports.flatMap((report) => report.started)
  const progressed = reports.flatMap((report) => report.progressed)
  return {
    accepted: accepted.length === 0 ? new Set() : await recordAccepted(tx, accepted),
    started: started.length === 0 ? new Set() : await recordStarted(tx, started),
    progressed: progressed.length === 0 ? new Set() : await recordProgress(tx, progressed),
  }
}

type Judged = Omit<StoredReport, 'late'> & { readonly unknown: readonly LateResult[] }
type LateResult = SessionReport & { readonly worker: string }

function judge(
  report: ReadReport,
  stored: {
    readonly live: ReadonlySet<SessionId>
    readonly missing: ReadonlySet<ExecutionId>
    readonly moved: Moved
    readonly ended: readonly Ended[]
  },
): Judged {
  const { live, missing, moved, ended } = stored
  const { session } = report
  const known = new Map(ended.map(({ executionId, epoch }) => [executionId, epoch]))
  const unknown = report.ended.filter(({ executionId, epoch }) => known.get(executionId) !== epoch)
  const isElsewhere = (keys: ReadonlySet<RefKey>) => (ref: SessionRef) => !keys.has(refKey(ref))
  const unmoved = [
    ...report.accepted.filter(isElsewhere(moved.accepted)),
    ...report.started.filter(isElsewhere(moved.started)),
  ]
  const others = [
    ...unmoved,
    ...report.progressed.filter(isElsewhere(moved.progressed)),
    ...unknown,
  ]
  const isRejected = others.length > 0 && !live.has(session.id)
  const over = new Set(report.ended.map(({ executionId }) => executionId))
  return {
    isRejected,
    ended,
    others,
    stale: unmoved.filter(({ executionId }) => !over.has(executionId) && !missing.has(executionId)),
    missing,
    unknown: isRejected
      ? []
      : unknown
          .filter(({ outcome }) => outcome !== 'refused')
          .map((result) => ({ ...result, worker: session.workerName })),
  }
}

async function storeLate(tx: Db, judged: readonly Judged[]): Promise<ReadonlySet<ExecutionId>> {
  const late = judged.flatMap(({ unknown }) => unknown)
  return new Set(late.length === 0 ? [] : await insertLateReports(tx, late))
}
