/** A process of a task: asked for from the warden, which has it in its care whatever becomes of this agent. */
import type { Assignment } from '../../proto/gen/rota/agent/v1/agent_service.ts'
import { durationToMs } from '../../shared/duration.ts'
import { attemptKey } from '../report/attempt-ref.ts'
import type { HeldAttempt, ProcessEnd, StartOrder } from '../warden/messages.ts'
import type { StopSwitch } from '../warden/stop-switch.ts'
import type { WardenLink } from '../warden/warden-link.ts'
import { isGuarded, killGraceMs } from './attempt-terms.ts'
import type { JobUser } from './run-as.ts'
import type { TaskContext } from './task-context.ts'
import type { TaskEnd } from './task-end.ts'

export interface Command {
  readonly file: string
  readonly args: readonly string[]
  readonly workingDirectory: string
  readonly environment: Readonly<Record<string, string>>
  /** Undefined: as the agent itself. */
  readonly user: JobUser | undefined
}

/** Runs the command to its end, or until it is asked to stop. Never throws. */
export async function runProcess(command: Command, context: TaskContext): Promise<TaskEnd> {
  const { assignment, host, onStarted, stop } = context
  const running = host.warden.start(orderOf(command, assignment), onStarted)
  return follow(running, { key: attemptKey(assignment), stop, warden: host.warden })
}

/** Follows a process that has gone on without the agent. */
export function resumeProcess(
  held: HeldAttempt,
  stop: StopSwitch,
  warden: WardenLink,
): Promise<TaskEnd> {
  return follow(warden.adopt(held), { key: held.key, stop, warden })
}

async function follow(
  running: Promise<ProcessEnd>,
  { key, stop, warden }: { key: string; stop: StopSwitch; warden: WardenLink },
): Promise<TaskEnd> {
  stop.onRequest((graceMs) => {
    if (stop.cause !== undefined) warden.stop(key, stop.cause, graceMs)
  })
  const { cause, exit, ...facts } = await running
  stop.conclude(cause)
  return exit.kind === 'not_started' ? exit : { ...exit, facts }
}

function orderOf(command: Command, assignment: Assignment): StartOrder {
  return {
    ...command,
    key: attemptKey(assignment),
    timeoutMs: durationToMs(assignment.timeout),
    killGraceMs: killGraceMs(assignment),
    isGuarded: isGuarded(assignment),
  }
}
