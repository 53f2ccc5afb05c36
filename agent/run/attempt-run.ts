/** One attempt as it runs here, and what of the agent it runs with. */
import { durationToMs } from '../../shared/duration.ts'
import type { AttemptStore } from '../report/attempt-store.ts'
import type { LogShipper } from '../report/log-shipper.ts'
import type { Outbox } from '../report/outbox.ts'
import type { ResultGathering } from '../report/result-gathering.ts'
import { watchLimits } from '../warden/watch-limits.ts'
import { killGraceMs, logCapBytes } from './attempt-terms.ts'
import type { HandlerRegistry } from './handler-registry.ts'
import type { LiveAttempt } from './live-attempts.ts'
import type { TaskHost } from './task-context.ts'
import type { Workspace } from './workspace.ts'

export interface AttemptServices {
  readonly host: TaskHost
  readonly handlers: HandlerRegistry
  readonly attemptsDir: string
  readonly store: AttemptStore
  readonly outbox: Outbox
  readonly results: ResultGathering
  readonly logs: LogShipper
}

export interface AttemptRun {
  readonly attempt: LiveAttempt
  readonly services: AttemptServices
}

/** Has what the attempt writes shipped from now on. */
export function followOutput({ logs }: Workspace, { attempt, services }: AttemptRun): void {
  const { assignment, execution, epoch } = attempt
  services.logs.follow({
    execution,
    epoch,
    files: logs,
    capBytes: logCapBytes(assignment),
    share: undefined,
    hasEnded: false,
  })
}

/** Stops the attempt at its limits until the answer is called. Without a workspace, nothing is written. */
export function watchAttempt(
  { attempt, services }: AttemptRun,
  workspace: Workspace | undefined,
): () => void {
  const { assignment, stop } = attempt
  if (assignment.timeout === undefined && workspace === undefined) return UNWATCHED
  return watchLimits({
    clock: services.host.clock,
    stop,
    timeoutMs: durationToMs(assignment.timeout),
    killGraceMs: killGraceMs(assignment),
    outputFiles: workspace === undefined ? [] : Object.values(workspace.logs),
  })
}

const UNWATCHED = () => {}
