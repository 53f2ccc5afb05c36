/** An execution in words, for tables and screens. */
import {
  type Attempt,
  AttemptOutcome,
  type Execution,
  ExecutionState,
} from '../../../proto/gen/rota/v1/execution.ts'
import { formatDurationMs } from '../../../shared/duration.ts'
import { toId } from '../../names.ts'
import { relativeTime } from '../../output/time.ts'
import { word } from '../../words.ts'

/** States that never change again. */
export const ENDED: ReadonlySet<ExecutionState> = new Set([
  ExecutionState.SUCCEEDED,
  ExecutionState.FAILED,
  ExecutionState.CANCELLED,
  ExecutionState.UNCERTAIN,
  ExecutionState.SKIPPED,
])

/** True in a state that never changes again. */
export function hasEnded({ state }: Execution): boolean {
  return ENDED.has(state)
}

export function describeState({ state }: Execution): string {
  return word(ExecutionState, state)
}

/** The worker of the current or last attempt. */
export function describeWorker({ attempts }: Execution): string {
  return toId(attempts.at(-1)?.worker ?? '')
}

/** How long it ran; until now while it runs. */
export function describeDuration(
  { startTime, endTime }: Pick<Attempt, 'startTime' | 'endTime'>,
  now: Date,
): string {
  if (startTime === undefined) return ''
  return formatDurationMs(Math.max(0, (endTime ?? now).getTime() - startTime.getTime()))
}

/** `succeeded on worker-3 3m ago, took 0.2s` */
export function summarize(execution: Execution, now: Date): string {
  const worker = describeWorker(execution)
  const time = execution.endTime ?? execution.startTime ?? execution.createTime
  const parts = [
    describeState(execution),
    worker && `on ${worker}`,
    time && relativeTime(time, now),
  ]
  const took = execution.endTime && describeDuration(execution, now)
  return `${parts.filter(Boolean).join(' ')}${took ? `, took ${took}` : ''}`
}

/** `exit code 3  [EXIT_CODE]`; empty when there is nothing to say. */
export function describeReason({ reason }: Pick<Execution, 'reason'>): string {
  if (reason === undefined || reason.code === '') return reason?.message ?? ''
  return `${reason.message === '' ? '' : `${reason.message}  `}[${reason.code}]`
}

/** `exit 3`, `SIGKILL`; empty while it runs. */
export function describeExit({ exitCode, signal }: Attempt): string {
  if (signal !== '') return signal
  return exitCode === undefined ? '' : String(exitCode)
}

export function describeOutcome({ outcome, startTime }: Attempt): string {
  const known = word(AttemptOutcome, outcome)
  if (known !== '') return known
  return startTime === undefined ? 'assigned' : 'running'
}
