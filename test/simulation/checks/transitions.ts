/**
 * 10. Only legal moves; what is final stays as it is; one accepted result. 14. Slots of a session are never exceeded.
 * 20. What was created is live or settled, never both, never neither.
 */
import type { AttemptRow, ExecutionRow, HistoryRow } from '../store/schema.ts'
import type { RowChange } from '../store/versioned-table.ts'
import type { Commit } from '../store/virtual-database.ts'
import type { Check, CheckSurroundings } from './check.ts'

/** From where to where, written down a second time on purpose. */
const LEGAL: Readonly<Record<string, readonly string[]>> = {
  waiting: ['queued'],
  backoff: ['queued'],
  queued: ['assigned'],
  assigned: ['queued', 'running', 'backoff'],
  running: ['backoff', 'queued'],
}

/** What else one commit says. */
interface Together {
  readonly settled: ReadonlySet<string>
  readonly attempts: ReadonlySet<string>
}

export function checkTransitions({ findings, tables }: CheckSurroundings): Check {
  const created = new Set<string>()
  const settled = new Set<string>()

  const checkLive = ({ before, after }: RowChange, now: Together) => {
    const from = before as ExecutionRow | undefined
    const to = after as ExecutionRow | undefined
    const executionId = (from ?? to)?.id
    const hasEnded =
      from?.session_id != null && to?.session_id == null && to?.attempt !== from.attempt - 1
    if (hasEnded) {
      findings.check(10, now.attempts.has(from.id), {
        why: () => 'an attempt ended without a record',
        executionId,
      })
    }
    if (from === undefined && to !== undefined) {
      created.add(to.id)
      findings.check(10, !settled.has(to.id), {
        why: () => 'an execution that has ended was created again',
        executionId,
      })
    } else if (from !== undefined && to === undefined) {
      findings.check(20, now.settled.has(from.id), {
        why: () => 'a live execution vanished',
        executionId,
      })
    } else if (from !== undefined && to !== undefined && from.state !== to.state) {
      findings.check(10, LEGAL[from.state]?.includes(to.state) === true, {
        why: () => `moved from ${from.state} to ${to.state}`,
        executionId,
      })
    }
    const isRetried =
      from?.session_id != null &&
      to !== undefined &&
      to.session_id === null &&
      to.attempt === from.attempt
    if (isRetried) {
      findings.check(10, from.cancel_requested_at === null, {
        why: () => 'a cancelled execution was retried',
        executionId,
      })
    }
  }

  const checkHistory = ({ before, after }: RowChange, wasLive: ReadonlySet<string>) => {
    const row = after as HistoryRow | undefined
    const executionId = (row ?? (before as HistoryRow)).id
    if (before !== undefined || row === undefined) {
      findings.broken(10, 'a final state was changed', executionId)
      return
    }
    findings.check(10, !settled.has(row.id), { why: () => 'settled twice', executionId })
    findings.check(20, wasLive.has(row.id), {
      why: () => 'settled without having been live',
      executionId,
    })
    settled.add(row.id)
  }

  const checkSlots = (sessionIds: ReadonlySet<string>) => {
    const slotsOf = new Map([...tables.class.committed()].map(({ id, slots }) => [id, slots]))
    for (const sessionId of sessionIds) {
      const session = tables.session.getCommitted(sessionId)
      const worker = session && tables.worker.getCommitted(session.worker_id)
      if (worker === undefined) continue
      const used = [...tables.execution.committed()]
        .filter(({ session_id }) => session_id === sessionId)
        .reduce((sum, { class_id }) => sum + (slotsOf.get(class_id) ?? 1), 0)
      findings.check(14, used <= worker.slots, {
        why: () => `${worker.name} was given ${used} of ${worker.slots} slots`,
      })
    }
  }

  return {
    onCommit({ changes }: Commit) {
      const gone = new Set<string>()
      const settledNow = new Set<string>()
      const attempts = new Set<string>()
      const sessions = new Set<string>()
      for (const { table, before, after } of changes) {
        if (table === 'execution' && before !== undefined && after === undefined)
          gone.add((before as ExecutionRow).id)
        if (table === 'execution_history' && after !== undefined)
          settledNow.add((after as HistoryRow).id)
        if (table === 'attempt') attempts.add((after as AttemptRow).execution_id)
        const to = after as ExecutionRow | undefined
        const isClaim =
          table === 'execution' &&
          to?.session_id != null &&
          (before as ExecutionRow | undefined)?.session_id !== to.session_id
        if (isClaim) sessions.add(to.session_id as string)
      }
      for (const change of changes) {
        if (change.table === 'execution') checkLive(change, { settled: settledNow, attempts })
        if (change.table === 'execution_history') checkHistory(change, gone)
      }
      if (sessions.size > 0) checkSlots(sessions)
    },
    onRest() {
      const live = new Set([...tables.execution.committed()].map(({ id }) => id))
      for (const executionId of created) {
        const places =
          Number(live.has(executionId as ExecutionRow['id'])) + Number(settled.has(executionId))
        findings.check(20, places === 1, { why: () => `is in ${places} places`, executionId })
      }
    },
  }
}
