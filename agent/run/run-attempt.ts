/** The life of one attempt on this host, from its folder to its result. */
import type { Assignment, Finished } from '../../proto/gen/rota/agent/v1/agent_service.ts'
import { durationToMs } from '../../shared/duration.ts'
import { attemptKey } from '../report/attempt-ref.ts'
import type { AttemptStore } from '../report/attempt-store.ts'
import type { SettledLog } from '../report/followed-log.ts'
import type { LogShipper } from '../report/log-shipper.ts'
import type { Outbox } from '../report/outbox.ts'
import { decideOutcome } from './decide-outcome.ts'
import type { HandlerRegistry } from './handler-registry.ts'
import { checkOutputs, readOutputs } from './outputs.ts'
import { progressReporter } from './progress.ts'
import { runTask } from './run-task.ts'
import type { StopSwitch } from './stop-switch.ts'
import type { TaskHost } from './task-context.ts'
import type { Outputs, TaskEnd } from './task-end.ts'
import { watchLimits } from './watch-limits.ts'
import { createWorkspace, type Workspace, workspaceOf } from './workspace.ts'

/** Kept of both outputs of an attempt unless its job says otherwise, in bytes. */
const LOG_BYTES_DEFAULT = 10 * 1024 * 1024
const KILL_GRACE_DEFAULT_MS = 10_000

export interface AttemptServices {
  readonly host: TaskHost
  readonly handlers: HandlerRegistry
  readonly attemptsDir: string
  readonly store: AttemptStore
  readonly outbox: Outbox
  readonly logs: LogShipper
}

/** Runs an accepted assignment to its end and hands the result over to be reported. */
export async function runAttempt(
  assignment: Assignment,
  stop: StopSwitch,
  services: AttemptServices,
): Promise<void> {
  const workspace = workspaceOf(services.attemptsDir, attemptKey(assignment))
  const ran = await runIn(workspace, { assignment, stop, services })
  const log = await services.logs.settle(assignment)
  const given = await outputsOf(ran.end, workspace)
  const finished = toFinished({
    assignment,
    stop,
    ran,
    log,
    given,
    endTime: services.host.clock.now(),
  })
  await reportFinished(finished, log, services)
}

/** Journals a result, then offers it to the coordinator (A3). */
export async function reportFinished(
  finished: Finished,
  log: SettledLog,
  { store, outbox, host }: Pick<AttemptServices, 'store' | 'outbox' | 'host'>,
): Promise<void> {
  try {
    await store.finish(finished, log.share)
  } catch (error) {
    // Telling it unwritten beats not telling it: only a crash before the acknowledgement would lose it.
    host.logger.error(
      { err: error, execution: finished.execution },
      'a result could not be journaled',
    )
  }
  outbox.put({ kind: 'finished', value: finished })
}

interface Ran {
  readonly end: TaskEnd
  /** Undefined when nothing was started. */
  readonly startTime: Date | undefined
}

interface AttemptRun {
  readonly assignment: Assignment
  readonly stop: StopSwitch
  readonly services: AttemptServices
}

/** Runs the task between its limits, with its output followed. */
async function runIn(
  workspace: Workspace,
  { assignment, stop, services }: AttemptRun,
): Promise<Ran> {
  const { host, handlers, logs, outbox, store } = services
  const { execution, epoch } = assignment
  let startTime: Date | undefined
  try {
    await createWorkspace(workspace)
  } catch (error) {
    return { end: { kind: 'not_started', message: String(error) }, startTime }
  }
  logs.follow({
    execution,
    epoch,
    files: workspace.logs,
    capBytes: logCapBytes(assignment),
    share: undefined,
    hasEnded: false,
  })
  if (stop.cause !== undefined)
    return { end: { kind: 'not_started', message: 'stopped' }, startTime }
  let unwatch = () => {}
  const end = await runTask(
    {
      host,
      assignment,
      workspace,
      stop,
      onStarted: (process) => {
        startTime = host.clock.now()
        unwatch = watchLimits({
          clock: host.clock,
          stop,
          timeoutMs: durationToMs(assignment.timeout),
          killGraceMs: killGraceMs(assignment),
          outputFiles: Object.values(workspace.logs),
        })
        if (process !== undefined) store.start(assignment, process)
        outbox.put({ kind: 'started', value: { execution, epoch, startTime } })
      },
      onProgress: progressReporter(assignment, outbox, host.clock),
    },
    handlers,
  )
  unwatch()
  return { end, startTime }
}

/** Kept of both outputs together, in bytes. */
export function logCapBytes({ limits }: Assignment): number {
  return Number(limits?.logBytes ?? 0n) || LOG_BYTES_DEFAULT
}

/** From TERM to KILL, in ms. */
export function killGraceMs(assignment: Assignment): number {
  return durationToMs(assignment.killGrace) ?? KILL_GRACE_DEFAULT_MS
}

interface GivenOutputs {
  readonly outputs: Outputs | undefined
  /** Empty, or why there are none. */
  readonly note: string
}

async function outputsOf(end: TaskEnd, workspace: Workspace): Promise<GivenOutputs> {
  const isOwn = end.kind === 'returned' || end.kind === 'failed'
  const read = isOwn ? checkOutputs(end.outputs) : await readOutputs(workspace.output)
  return read.kind === 'outputs'
    ? { outputs: read.outputs, note: '' }
    : { outputs: undefined, note: `outputs are left out: ${read.why}` }
}

function toFinished(run: {
  readonly assignment: Assignment
  readonly stop: StopSwitch
  readonly ran: Ran
  readonly log: SettledLog
  readonly given: GivenOutputs
  readonly endTime: Date
}): Finished {
  const { execution, epoch } = run.assignment
  const verdict = decideOutcome(run.ran.end, run.stop.cause)
  return {
    execution,
    epoch,
    ...verdict,
    message: [verdict.message, run.given.note].filter((text) => text !== '').join('; '),
    outputs: run.given.outputs,
    startTime: run.ran.startTime,
    endTime: run.endTime,
    usage: undefined,
    logBytes: BigInt(run.log.keptBytes),
    logBytesDropped: BigInt(run.log.droppedBytes),
  }
}
