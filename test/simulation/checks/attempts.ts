/**
 * 4. Attempts are numbered without gaps, epochs rise, one session each. 11. A stale epoch is never accepted. 12. Only
 * the owning session reports. 16. No more attempts than allowed, none before its backoff is over.
 */
import type { AttemptRow, ExecutionRow } from '../store/schema.ts'
import type { Commit } from '../store/virtual-database.ts'
import type { Check, CheckSurroundings } from './check.ts'
import { FORGED } from './forged.ts'

/** An execution that has lost so many workers ends (decide-outcome.ts). */
const LOSSES_MAX = 5
const ROUNDING_MS = 2

export function checkAttempts({ findings, jobs }: CheckSurroundings): Check {
  const written = new Map<string, { count: number; epoch: number }>()
  const backoffUntil = new Map<string, number>()
  const given = new Set<number>()
  const newest = new Map<string, number>()

  const checkAttempt = (row: AttemptRow, before: ExecutionRow | undefined) => {
    const executionId = row.execution_id
    const last = written.get(executionId) ?? { count: 0, epoch: 0 }
    const { epoch, number } = row
    findings.check(4, number === last.count + 1, {
      why: () => `attempt ${number} follows ${last.count} attempts`,
      executionId,
    })
    findings.check(4, epoch > last.epoch, {
      why: () => `epoch ${epoch} after ${last.epoch}`,
      executionId,
    })
    findings.check(11, before?.epoch === epoch, {
      why: () => `the end of epoch ${epoch} was accepted in epoch ${String(before?.epoch)}`,
      executionId,
    })
    findings.check(12, before?.session_id === row.session_id && !row.message.includes(FORGED), {
      why: () => `accepted from a session that does not own it: ${row.message}`,
      executionId,
    })
    written.set(executionId, { count: number, epoch })
  }

  const checkClaim = (row: ExecutionRow) => {
    const executionId = row.id
    findings.check(4, !given.has(row.epoch) && row.epoch > (newest.get(executionId) ?? 0), {
      why: () => `epoch ${row.epoch} was given a second time, or after a newer one`,
      executionId,
    })
    given.add(row.epoch)
    newest.set(executionId, row.epoch)
    findings.check(16, row.failure_count < row.max_attempts && row.lost_count < LOSSES_MAX, {
      why: () =>
        `attempt ${row.attempt} after ${row.failure_count} failures and ${row.lost_count} losses`,
      executionId,
    })
    findings.check(10, row.cancel_requested_at === null, {
      why: () => 'a cancelled execution began again',
      executionId,
    })
  }

  const checkRelease = ({ id: executionId }: ExecutionRow, commit: Commit) => {
    const untilMs = backoffUntil.get(executionId) ?? 0
    findings.check(16, commit.clockMs >= untilMs - ROUNDING_MS, {
      why: () =>
        `was released ${Math.round(untilMs - commit.clockMs)} ms before its backoff was over`,
      executionId,
    })
  }

  return {
    onCommit(commit) {
      const executions = new Map<string, ExecutionRow>()
      for (const { table, before, after } of commit.changes) {
        if (table !== 'execution') continue
        const [from, to] = [before as ExecutionRow | undefined, after as ExecutionRow | undefined]
        if (from !== undefined) executions.set(from.id, from)
        if (to?.state === 'assigned' && from?.state === 'queued') checkClaim(to)
        if (to?.state === 'queued' && from?.state === 'backoff') checkRelease(to, commit)
        if (to !== undefined && from !== undefined && to.failure_count > from.failure_count) {
          const delayMs = jobs.get(to.job_id)?.retryDelayMs ?? 0
          backoffUntil.set(to.id, commit.earliestMs + delayMs)
        }
      }
      for (const { table, before, after } of commit.changes) {
        if (table !== 'attempt') continue
        const row = after as AttemptRow
        if (before === undefined) checkAttempt(row, executions.get(row.execution_id))
        else findings.broken(10, 'an attempt that has ended was changed', row.execution_id)
      }
    },
  }
}
