/** 13. In quiet times nothing is stuck: not assigned, not running, not queued beside a free slot. */
import { LEASE_MS } from '../cluster/coordinator-node.ts'
import type { ExecutionRow } from '../store/schema.ts'
import type { Check, CheckSurroundings } from './check.ts'

/** Faults are over after this, in ms: a brake and a lease, and what follows from them. */
const SETTLED_MS = 3 * LEASE_MS
const ASSIGNED_MS = 10_000
/** In a row (job/worker-health.ts). */
const DEGRADED_FAILURES = 10
const QUEUED_LOOKS = 10
const RUNNING_SLACK_MS = LEASE_MS + 2_000 + 5_000

export function checkProgress(around: CheckSurroundings): Check {
  const { database, findings, jobs, tables, world } = around
  /** Looks in a row at which it sat queued beside a slot that would have done. */
  const passedOver = new Map<string, number>()

  const freeSlots = (): number[] => {
    const slotsOf = new Map([...tables.class.committed()].map(({ id, slots }) => [id, slots]))
    return [...tables.session.committed()].map((session) => {
      const used = [...tables.execution.committed()]
        .filter(({ session_id }) => session_id === session.id)
        .reduce((sum, { class_id }) => sum + (slotsOf.get(class_id) ?? 1), 0)
      const worker = tables.worker.getCommitted(session.worker_id)
      // A degraded worker gets one probe at a time.
      if (worker?.state !== 'active') return 0
      const isDegraded = worker.consecutive_failures >= DEGRADED_FAILURES
      return isDegraded && used > 0 ? 0 : worker.slots - used
    })
  }

  const check = (row: ExecutionRow, free: readonly number[]) => {
    const executionId = row.id
    const job = jobs.get(row.job_id)
    const sinceMs = (time: Date | null) => database.clockMs - (time?.getTime() ?? database.clockMs)
    switch (row.state) {
      case 'assigned':
        findings.check(13, sinceMs(row.assigned_at) <= ASSIGNED_MS, {
          why: () => `assigned for ${sinceMs(row.assigned_at)} ms`,
          executionId,
        })
        return
      case 'running': {
        const limitMs = (job?.timeoutMs ?? 0) + (job?.killGraceMs ?? 0) + RUNNING_SLACK_MS
        findings.check(13, sinceMs(row.started_at) <= limitMs, {
          why: () => `running for ${sinceMs(row.started_at)} ms`,
          executionId,
        })
        return
      }
      case 'queued': {
        const isBeside = free.some((slots) => slots >= (job?.slots ?? 1))
        const looks = isBeside ? (passedOver.get(row.id) ?? 0) + 1 : 0
        passedOver.set(row.id, looks)
        findings.check(13, looks <= QUEUED_LOOKS, {
          why: () => 'queued for 5 s beside a free slot',
          executionId,
        })
        return
      }
      case 'backoff':
        findings.check(13, sinceMs(row.available_at) <= ASSIGNED_MS, {
          why: () => `in backoff since ${row.available_at.toISOString()}`,
          executionId,
        })
        return
      case 'waiting':
        return
    }
  }

  return {
    onLook() {
      const quietSinceMs = around.quietSinceMs()
      if (quietSinceMs === undefined || world.nowMs < quietSinceMs + SETTLED_MS) return
      const free = freeSlots()
      for (const row of tables.execution.committed()) check(row, free)
    },
    onRest() {
      const rows = [...tables.execution.committed()]
      const waiting = rows.filter(({ state }) => state === 'waiting')
      const dependent = waiting.filter(({ reason_code }) => reason_code === 'DEPENDENCY')
      for (const row of rows) {
        // Behind one that waits for its dependencies.
        const isBehind =
          row.reason_code === 'OVERLAP' && dependent.some(({ job_id }) => job_id === row.job_id)
        findings.check(13, dependent.includes(row) || isBehind, {
          why: () => `is still ${row.state} when all has healed`,
          executionId: row.id,
        })
      }
      findings.count(13)
    },
  }
}
