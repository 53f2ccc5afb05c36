/** 1. Every due time has exactly one decision. 2. None early, none from nowhere. 3. In quiet times none late. */
import { dueTimes, type SimulatedJob } from '../cluster/jobs.ts'
import {
  type ExecutionRow,
  type OccurrenceRow,
  occurrenceKey,
  type ScheduleRow,
} from '../store/schema.ts'
import type { Commit } from '../store/virtual-database.ts'
import type { Check, CheckSurroundings } from './check.ts'

/** Clocks of the database show whole milliseconds. */
const ROUNDING_MS = 1
/** Faults are over and forgotten after this, in ms. */
const SETTLED_MS = 20_000
/** In quiet times, from the due time to its row. */
const LAG_MS = 1_500

export function checkLedger(around: CheckSurroundings): Check {
  const { database, findings, jobs, tables, world } = around
  const createdMs = (jobId: number) => tables.job.getCommitted(jobId)?.created_at.getTime() ?? 0

  const checkOccurrence = (row: OccurrenceRow, commit: Commit) => {
    const job = jobs.get(row.job_id) as SimulatedJob
    const dueMs = row.scheduled_for.getTime()
    const what = () => `${job.name} at ${row.scheduled_for.toISOString()}`
    const isDue = dueTimes(job, createdMs(row.job_id), [dueMs - 1, dueMs]).length === 1
    findings.check(2, isDue, { why: () => `${what()} was never due` })
    findings.check(2, dueMs <= commit.latestMs + ROUNDING_MS, {
      why: () => `${what()} was decided early`,
    })
    checkHeld(row, job)
    const quietSinceMs = around.quietSinceMs()
    if (quietSinceMs === undefined) return
    const dueInWorldMs = dueMs - world.startMs - database.offsetMs
    if (dueInWorldMs < quietSinceMs + SETTLED_MS) return
    const lagMs = commit.clockMs - dueMs
    findings.check(3, lagMs <= LAG_MS, {
      why: () => `${what()} was decided ${Math.round(lagMs)} ms late`,
    })
  }

  /** Due times so far that a job was asked to skip; they come in order. */
  const skipped = new Map<string, number>()

  /** What is due within a pause is skipped for it, and of the first runs those that are to be skipped. */
  const checkHeld = ({ decision, job_id, scheduled_for }: OccurrenceRow, job: SimulatedJob) => {
    const isPaused = scheduled_for.getTime() < createdMs(job_id) + job.pausedForMs
    const count = skipped.get(job.name) ?? 0
    const isSkipped = !isPaused && count < job.skipCount
    if (isSkipped) skipped.set(job.name, count + 1)
    const expected = isPaused ? 'skipped_paused' : isSkipped ? 'skipped_requested' : 'others'
    const isOverlap = decision === 'skipped_overlap' && job.overlap !== undefined
    const found = decision.startsWith('skipped_') && !isOverlap ? decision : 'others'
    findings.check(2, found === expected, {
      why: () => `${job.name} at ${scheduled_for.toISOString()} is ${decision}, not ${expected}`,
    })
  }

  /** Everything up to the mark has its row. */
  const checkMark = (before: ScheduleRow, untilMs: number) => {
    const job = jobs.get(before.job_id) as SimulatedJob
    const span = [before.marked_at.getTime(), untilMs] as const
    for (const dueMs of dueTimes(job, createdMs(before.job_id), span)) {
      const row = tables.occurrence.getCommitted(occurrenceKey(before.job_id, new Date(dueMs)))
      const why = () => `${job.name} at ${new Date(dueMs).toISOString()} has no decision`
      findings.check(1, row !== undefined, { why })
    }
  }

  /** What a decision says is in the queue is there, in the same commit, and nothing else is. */
  const checkExecutions = (commit: Commit) => {
    const created = new Map<string, ExecutionRow>()
    for (const { table, before, after } of commit.changes) {
      if (table === 'execution' && before === undefined)
        created.set((after as ExecutionRow).id, after as ExecutionRow)
    }
    const decided = new Set<string>()
    for (const { table, after } of commit.changes) {
      const row = after as OccurrenceRow
      if (table !== 'occurrence' || row.decision !== 'enqueued') continue
      const executionId = String(row.execution_id)
      decided.add(executionId)
      const isThere = created.has(executionId)
      findings.check(1, isThere, {
        why: () => 'a due time was decided without its execution',
        executionId,
      })
    }
    for (const [executionId, row] of created) {
      if (row.scheduled_for === null) continue
      const isDecided = decided.has(executionId)
      findings.check(2, isDecided, { why: () => 'an execution of no decision', executionId })
    }
  }

  return {
    onCommit(commit) {
      let isScheduling = false
      for (const { table, before, after } of commit.changes) {
        if (table === 'occurrence' && before === undefined)
          checkOccurrence(after as OccurrenceRow, commit)
        isScheduling ||= table === 'occurrence' || (table === 'execution' && before === undefined)
        if (table !== 'schedule' || before === undefined || commit.by === 'operator') continue
        const untilMs =
          after === undefined ? commit.clockMs : (after as ScheduleRow).marked_at.getTime()
        checkMark(before as ScheduleRow, untilMs)
      }
      if (isScheduling) checkExecutions(commit)
    },
    onLook() {
      const quietSinceMs = around.quietSinceMs()
      if (quietSinceMs === undefined || world.nowMs < quietSinceMs + SETTLED_MS) return
      for (const row of tables.schedule.committed()) {
        const lateMs = database.clockMs - row.due_at.getTime()
        const why = () => `job ${row.job_id} is ${Math.round(lateMs)} ms late and not decided`
        findings.check(3, lateMs <= LAG_MS, { why })
      }
    },
  }
}
