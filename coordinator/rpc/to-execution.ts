import {
  Attempt,
  AttemptOutcome,
  Execution,
  ExecutionState,
  Trigger,
} from '../../proto/gen/rota/v1/execution.ts'
import { durationFromMs } from '../../shared/duration.ts'
import { enumFromWord, resourceName } from '../../shared/wire.ts'
import type { AssignedNew } from '../enqueue/enqueue.ts'
import type { AttemptRow, ExecutionRow } from '../query/execution-queries.ts'

/** `attempts`: its ended ones, in order. */
export function toExecution(row: ExecutionRow, attempts: readonly AttemptRow[]): Execution {
  const current = row.session_id === null ? [] : [currentAttempt(row)]
  return Execution.fromPartial({
    name: resourceName('executions', row.id),
    job: resourceName('jobs', row.job),
    jobVersion: row.job_version,
    state: enumFromWord(ExecutionState, row.state),
    reason:
      row.reason_code === ''
        ? undefined
        : { code: row.reason_code, message: row.reason_message, details: {} },
    trigger: enumFromWord(Trigger, row.trigger),
    priority: row.priority,
    scheduledFor: row.scheduled_for ?? undefined,
    createTime: row.created_at,
    startTime: row.started_at ?? undefined,
    endTime: row.settled_at ?? undefined,
    attempts: [...attempts.map(toAttempt), ...current],
    maxAttempts: row.max_attempts,
    parameters: row.parameters,
    outputs: row.outputs ?? undefined,
    progress: row.state === 'succeeded' ? 1 : row.settled_at === null ? row.progress : 0,
    replayOf: row.replay_of === null ? '' : resourceName('executions', row.replay_of),
    requestedBy: row.requested_by,
  })
}

/** One that was assigned as it was created, at that time. */
export function toAssigned(row: AssignedNew, job: string): Execution {
  return toExecution(
    {
      ...row,
      ...{
        job,
        state: 'assigned',
        reason_code: '',
        reason_message: '',
        created_at: row.assigned_at,
      },
      ...{ started_at: null, settled_at: null, outputs: null, replay_of: null, progress: 0 },
    },
    [],
  )
}

/** The attempt that goes on has no outcome yet. */
function currentAttempt(row: ExecutionRow): Attempt {
  return Attempt.fromPartial({
    number: row.attempt,
    epoch: BigInt(row.epoch ?? 0),
    worker: row.worker === null ? '' : resourceName('workers', row.worker),
    assignTime: row.assigned_at ?? undefined,
    startTime: row.started_at ?? undefined,
  })
}

function toAttempt(row: AttemptRow): Attempt {
  const hasUsage = row.cpu_ms !== null || row.peak_memory_bytes !== null
  return Attempt.fromPartial({
    number: row.number,
    epoch: BigInt(row.epoch),
    worker: resourceName('workers', row.worker),
    outcome: enumFromWord(AttemptOutcome, row.outcome),
    assignTime: row.assigned_at,
    startTime: row.started_at ?? undefined,
    endTime: row.ended_at,
    exitCode: row.exit_code ?? undefined,
    signal: row.signal,
    message: row.message,
    usage: hasUsage
      ? {
          cpuTime: row.cpu_ms === null ? undefined : durationFromMs(row.cpu_ms),
          peakMemoryBytes: BigInt(row.peak_memory_bytes ?? 0),
        }
      : undefined,
    logBytes: BigInt(row.log_bytes),
    logBytesDropped: BigInt(row.log_bytes_dropped),
  })
}
