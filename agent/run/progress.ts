import type { Clock } from '../../shared/clock.ts'
import type { AttemptRef } from '../report/attempt-ref.ts'
import type { Outbox } from '../report/outbox.ts'
import { oneLine } from './decide-outcome.ts'

/** A handler may tell its progress at every turn of a loop; people look less often. */
const INTERVAL_MS = 500
const MESSAGE_LENGTH_MAX = 200

/** Reports progress of an attempt, at most twice a second. */
export function progressReporter(attempt: AttemptRef, outbox: Outbox, clock: Clock) {
  const { execution, epoch } = attempt
  let reportedAtMs = Number.NEGATIVE_INFINITY
  return (fraction: number, message = ''): void => {
    const nowMs = clock.monotonicMs()
    if (!Number.isFinite(fraction) || nowMs - reportedAtMs < INTERVAL_MS) return
    reportedAtMs = nowMs
    const progress = Math.min(1, Math.max(0, fraction))
    const text = oneLine(message).slice(0, MESSAGE_LENGTH_MAX)
    outbox.put({ kind: 'progressed', value: { execution, epoch, progress, message: text } })
  }
}
