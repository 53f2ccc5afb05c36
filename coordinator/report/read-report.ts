/** What a report says, entry by entry, made safe to store. Pure. */
import type { Report } from '../../proto/gen/rota/agent/v1/agent_service.ts'
import { RotaError } from '../../shared/errors/rota-error.ts'
import type { SessionReport } from '../job/attempt-report.ts'
import type { SessionId, WorkerId } from '../job/execution.ts'
import { readFinished, readRefused } from './read-finished.ts'
import type { AttemptRef, SessionRef } from './report-queries.ts'

export interface ReportingSession {
  readonly id: SessionId
  readonly workerId: WorkerId
  readonly workerName: string
  readonly clockSkewMs: number
}

export interface ReadReport {
  readonly session: ReportingSession
  readonly accepted: readonly SessionRef[]
  readonly started: readonly SessionRef[]
  readonly progressed: readonly (SessionRef & { readonly progress: number })[]
  readonly ended: readonly SessionReport[]
  /** Entries of all kinds. */
  readonly count: number
}

/** Entries in one report; an agent that has more sends more reports. */
const ENTRIES_MAX = 10_000

export function readReport(
  toRef: (message: { execution: string; epoch: bigint }) => AttemptRef,
  session: ReportingSession,
  report: Report,
): ReadReport {
  const { accepted, refused, started, progressed, finished } = report
  const count = [accepted, refused, started, progressed, finished].reduce(
    (sum, list) => sum + list.length,
    0,
  )
  if (count > ENTRIES_MAX) {
    throw new RotaError('PROTOCOL_VIOLATION', `a report holds at most ${ENTRIES_MAX} entries`)
  }
  const { id: sessionId, workerId, clockSkewMs } = session
  const own = (entry: Parameters<typeof toRef>[0]) => ({ ...toRef(entry), sessionId })
  return {
    session,
    accepted: accepted.map(own),
    started: started.map(own),
    progressed: progressed.map((entry) => ({
      ...own(entry),
      progress: clampProgress(entry.progress),
    })),
    ended: [
      ...refused.map((entry) => readRefused(toRef(entry), entry)),
      ...finished.map((entry) => readFinished(toRef(entry), entry, clockSkewMs)),
    ].map((ended) => ({ ...ended, sessionId, workerId })),
    count,
  }
}

function clampProgress(progress: number): number {
  return Number.isFinite(progress) ? Math.min(1, Math.max(0, progress)) : 0
}
