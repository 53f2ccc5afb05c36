/** 14. Of a job with a limit never more executions live at once; in quiet times one waits where only one may. */
import type { SimulatedJob } from '../cluster/jobs.ts'
import type { ExecutionRow } from '../store/schema.ts'
import type { Check, CheckSurroundings } from './check.ts'

/** Faults are over and forgotten after this, in ms. */
const SETTLED_MS = 20_000
/** In a row: one that is ended just now may wait beside its successor. */
const CROWDED_LOOKS = 5

export function checkOverlap(around: CheckSurroundings): Check {
  const { findings, jobs, tables, world } = around
  /** Looks in a row at which more than one waited. */
  const crowded = new Map<number, number>()

  const rowsOf = (jobId: number) =>
    [...tables.execution.committed()].filter(({ job_id }) => job_id === jobId)

  const checkLive = (jobId: number, job: SimulatedJob) => {
    const live = rowsOf(jobId).filter(
      (row) => row.state !== 'waiting' || row.reason_code === 'DEPENDENCY',
    )
    findings.check(14, live.length <= job.limit, {
      why: () => `${live.length} of ${job.name} live at once`,
      executionId: live.at(-1)?.id,
    })
  }

  const checkWaiting = (jobId: number, job: SimulatedJob) => {
    const waiting = rowsOf(jobId).filter(({ reason_code }) => reason_code === 'OVERLAP')
    const looks = waiting.length > 1 ? (crowded.get(jobId) ?? 0) + 1 : 0
    crowded.set(jobId, looks)
    findings.check(14, looks <= CROWDED_LOOKS, {
      why: () => `${waiting.length} of ${job.name} wait`,
      executionId: waiting.at(-1)?.id,
    })
  }

  return {
    onCommit({ changes }) {
      const changed = new Set<number>()
      for (const { table, before, after } of changes) {
        if (table === 'execution') changed.add(((after ?? before) as ExecutionRow).job_id)
      }
      for (const jobId of changed) {
        const job = jobs.get(jobId)
        if (job?.overlap !== undefined) checkLive(jobId, job)
      }
    },
    onLook() {
      const quietSinceMs = around.quietSinceMs()
      if (quietSinceMs === undefined || world.nowMs < quietSinceMs + SETTLED_MS) return
      for (const [jobId, job] of jobs) {
        if (job.overlap === 'queue_one' || job.overlap === 'cancel_running') {
          checkWaiting(jobId, job)
        }
      }
    },
  }
}
