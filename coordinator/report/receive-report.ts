/**
 * The fifth step: what agents report is stored, however often it comes.
 *
 * R1. A report is one transaction; the caller acknowledges it after the commit (A4).
 * R2. Every statement names session and epoch: what is not the session's own and current changes nothing.
 * R3. A repeated report finds its work done and is acknowledged like the first one.
 * R4. After a failover of the database the dispatch step first restores what an agent speaks of; a result that has no row
 *     (yet) is not stored, and its report not acknowledged.
 * R5. A session that has ended acknowledges nothing: what it does not own any more may be current in the next one.
 */
import type { Report } from '../../proto/gen/rota/agent/v1/agent_service.ts'
import { RotaError } from '../../shared/errors/rota-error.ts'
import type { Deps } from '../deps.ts'
import type { AttemptReport } from '../job/attempt-report.ts'
import type { AttemptOutcome, ExecutionId, SessionId, WorkerId } from '../job/execution.ts'
import type { Db } from '../store/database.ts'
import { readFinished, readRefused } from './read-finished.ts'
import {
  type AttemptRef,
  insertLateReports,
  isLiveSession,
  recordAccepted,
  recordProgress,
  recordStarted,
} from './report-queries.ts'

export interface ReportingSession {
  readonly id: SessionId
  readonly workerId: WorkerId
  readonly workerName: string
  readonly clockSkewMs: number
}

/** From the settle step. */
export interface Ended {
  readonly ending: { readonly id: ExecutionId; readonly session_id: SessionId }
  readonly report: { readonly outcome: AttemptOutcome }
}

export interface ReportSteps {
  readonly toRef: (message: { execution: string; epoch: bigint }) => AttemptRef
  readonly settleReported: (
    tx: Db,
    sessionId: SessionId,
    reports: readonly AttemptReport[],
  ) => Promise<readonly Ended[]>
  /** Told after the commit. */
  readonly onEnded: (ended: readonly Ended[]) => void
  /** Of what was reported, the attempts that are not the session's (any more); never rejects. */
  readonly onOthers: (session: ReportingSession, others: readonly AttemptRef[]) => Promise<void>
  /** From the dispatch step, for sessions of R4: answers what has no row. */
  readonly reclaim?: (tx: Db, attempts: readonly AttemptRef[]) => Promise<readonly AttemptRef[]>
}

export interface ReceivedReport {
  /** Not the session's to run (any more). */
  readonly stale: readonly AttemptRef[]
  /** False when the report must be tried again (R4). */
  readonly isStored: boolean
}

/** Entries in one report; an agent that has more sends more reports. */
const ENTRIES_MAX = 10_000

/** Stores a report. */
export async function receiveReport(
  deps: Deps,
  steps: ReportSteps,
  request: { readonly session: ReportingSession; readonly report: Report },
): Promise<ReceivedReport> {
  const { session, report } = request
  const read = readReport(steps, session, report)
  const { stale, ended, late, others, waiting } = await deps.db
    .transaction()
    .execute(async (tx) => {
      const missing = await reclaimAll(tx, steps, read)
      const { stale, unmoved } = await storeMoves(tx, session, read)
      const ended = await steps.settleReported(tx, session.id, read.ended)
      const known = new Set(ended.map(({ ending }) => ending.id))
      const unknown = read.ended.filter(({ executionId }) => !known.has(executionId))
      const others = [...unmoved, ...unknown]
      if (others.length > 0) await requireSession(tx, session)
      const late = await storeLate(tx, session, unknown)
      const waiting = new Set(missing.map(({ executionId }) => executionId))
      return { stale, ended, late, others, waiting }
    })
  if (late > 0) deps.logger.warn({ worker: session.workerName, late }, 'results of replaced epochs')
  steps.onEnded(ended)
  if (ended.length > 0) {
    deps.hints.give('queue')
    deps.hints.give('executions')
  }
  await steps.onOthers(session, others)
  const isMissing = ({ executionId, outcome }: AttemptReport) =>
    outcome !== 'refused' && waiting.has(executionId)
  return {
    stale: stale.filter(({ executionId }) => !waiting.has(executionId)),
    isStored: !read.ended.some(isMissing),
  }
}

async function reclaimAll(
  tx: Db,
  { reclaim }: ReportSteps,
  { accepted, started, ended }: ReadReport,
): Promise<readonly AttemptRef[]> {
  if (reclaim === undefined) return []
  // What was refused never was: there is nothing to restore.
  const results = ended.filter(({ outcome }) => outcome !== 'refused')
  return reclaim(tx, [...accepted, ...started, ...results])
}

/** R5. Asked only when something of a report is not the session's own: what is, shows that the session lives. */
async function requireSession(tx: Db, session: ReportingSession): Promise<void> {
  if (await isLiveSession(tx, session.id)) return
  throw new RotaError('SESSION_ENDED', 'the worker has a newer session')
}

interface ReadReport {
  readonly accepted: readonly AttemptRef[]
  readonly started: readonly AttemptRef[]
  readonly progressed: readonly (AttemptRef & { readonly progress: number })[]
  readonly ended: readonly AttemptReport[]
}

function readReport({ toRef }: ReportSteps, session: ReportingSession, report: Report): ReadReport {
  const { accepted, refused, started, progressed, finished } = report
  const count = [accepted, refused, started, progressed, finished].reduce(
    (sum, list) => sum + list.length,
    0,
  )
  if (count > ENTRIES_MAX) {
    throw new RotaError('PROTOCOL_VIOLATION', `a report holds at most ${ENTRIES_MAX} entries`)
  }
  return {
    accepted: accepted.map(toRef),
    started: started.map(toRef),
    progressed: progressed.map((entry) => ({
      ...toRef(entry),
      progress: clampProgress(entry.progress),
    })),
    ended: [
      ...refused.map((entry) => readRefused(toRef(entry), entry)),
      ...finished.map((entry) => readFinished(toRef(entry), entry, session.clockSkewMs)),
    ],
  }
}

function clampProgress(progress: number): number {
  return Number.isFinite(progress) ? Math.min(1, Math.max(0, progress)) : 0
}

/** `unmoved`: not the session's own and current. `stale`: those of them that its agent has to stop. */
async function storeMoves(
  tx: Db,
  session: ReportingSession,
  read: ReadReport,
): Promise<{ readonly stale: AttemptRef[]; readonly unmoved: AttemptRef[] }> {
  const ended = new Set(read.ended.map(({ executionId }) => executionId))
  const unmoved: AttemptRef[] = []
  for (const [refs, store] of [
    [read.accepted, recordAccepted],
    [read.started, recordStarted],
  ] as const) {
    if (refs.length === 0) continue
    const current = await store(tx, session.id, refs)
    unmoved.push(...refs.filter(({ executionId }) => !current.has(executionId)))
  }
  const stale = unmoved.filter(({ executionId }) => !ended.has(executionId))
  if (read.progressed.length > 0) {
    const current = await recordProgress(tx, session.id, read.progressed)
    unmoved.push(...read.progressed.filter(({ executionId }) => !current.has(executionId)))
  }
  return { stale, unmoved }
}

async function storeLate(
  tx: Db,
  session: ReportingSession,
  reports: readonly AttemptReport[],
): Promise<number> {
  const results = reports.filter(({ outcome }) => outcome !== 'refused')
  return results.length === 0 ? 0 : insertLateReports(tx, session.workerName, results)
}
