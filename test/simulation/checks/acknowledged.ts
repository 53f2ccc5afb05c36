/** 8. A result that was acknowledged is never lost. 9. Neither is a write of the API. */
import type { AttemptRef } from '../../../agent/report/attempt-ref.ts'
import { executionId as idOf } from '../../../agent/report/attempt-ref.ts'
import type { ExecutionRow } from '../store/schema.ts'
import type { Check, CheckSurroundings } from './check.ts'

export interface AcknowledgedWrites {
  /** By request id: the execution that the API has promised. */
  readonly triggered: ReadonlyMap<string, string>
  /** Requests that were made, answered or not. */
  readonly requestCount: number
}

export function checkAcknowledged(around: CheckSurroundings, writes: AcknowledgedWrites): Check {
  const { findings, tables } = around
  const results = new Map<string, AttemptRef>()
  const recorded = new Set<string>()
  const settled = new Set<string>()
  let manual = 0

  const checkResult = (ref: AttemptRef) => {
    const executionId = idOf(ref)
    const epoch = Number(ref.epoch)
    findings.check(8, recorded.has(`${executionId}.${epoch}`), {
      why: () => `the acknowledged result of epoch ${epoch} is nowhere`,
      executionId,
    })
  }

  return {
    onCommit({ changes }) {
      for (const { table, before, after } of changes) {
        if (after === undefined) continue
        if (table === 'execution' && before === undefined) {
          manual += Number((after as ExecutionRow).trigger === 'manual')
        }
        if (table === 'attempt' || table === 'late_report') {
          const { execution_id, epoch } = after as { execution_id: string; epoch: number }
          recorded.add(`${execution_id}.${epoch}`)
        }
        if (table === 'execution_history') settled.add((after as { id: string }).id)
      }
    },
    onAcknowledged(ref) {
      results.set(`${ref.execution}.${ref.epoch}`, ref)
      checkResult(ref)
    },
    onRest() {
      for (const ref of results.values()) checkResult(ref)
      findings.check(9, manual <= writes.requestCount, {
        why: () => `${writes.requestCount} triggers made ${manual} executions`,
      })
      for (const executionId of writes.triggered.values()) {
        const isThere =
          settled.has(executionId) || tables.execution.getCommitted(executionId) !== undefined
        findings.check(9, isThere, {
          why: () => 'a trigger that was acknowledged left no execution',
          executionId,
        })
      }
    },
  }
}
