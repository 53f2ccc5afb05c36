/** The life of one attempt on this host, from its folder to its result. */
import type { Assignment, Finished } from '../../proto/gen/rota/agent/v1/agent_service.ts'
import type { Usage } from '../../proto/gen/rota/v1/execution.ts'
import { durationFromMs, durationToMs } from '../../shared/duration.ts'
import { attemptKey } from '../report/attempt-ref.ts'
import type { AttemptStore } from '../report/attempt-store.ts'
import type { SettledLog } from '../report/followed-log.ts'
import type { LogShipper } from '../report/log-shipper.ts'
import type { Outbox } from '../report/outbox.ts'
import type { HeldAttempt, ProcessUsage } from '../warden/messages.ts'
import type { StopSwitch } from '../warden/stop-switch.ts'
import { watchLimits } from '../warden/watch-limits.ts'
import { isHandler, isProcess, killGraceMs, logCapBytes } from './attempt-terms.ts'
import { decideOutcome } from './decide-outcome.ts'
import type { HandlerRegistry } from './handler-registry.ts'
import { checkOutputs, readOutputs } from './outputs.ts'
import { resumeProcess } from './process.ts'
import { progressReporter } from './progress.ts'
import { runTask } from './run-task.ts'
import type { TaskHost } from './task-context.ts'
import type { Outputs, TaskEnd } from './task-end.ts'
import { createWorkspace, makeWorkspace, type Workspace, workspaceOf } from './workspace.ts'

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
  await conclude(workspace, ran, { assignment, stop, services })
}

/** Follows to its end what the warden has of an attempt that an earlier life of the agent began. */
export async function resumeAttempt(
  { assignment, stop, services }: AttemptRun,
  held: HeldAttempt,
): Promise<void> {
  const workspace = workspaceOf(services.attemptsDir, attemptKey(assignment))
  const startTime = held.started === undefined ? undefined : new Date(held.started.startTimeMs)
  const end = await resumeProcess(held, stop, services.host.warden)
  await conclude(workspace, { end, startTime }, { assignment, stop, services })
}

async function conclude(
  workspace: Workspace,
  { end, startTime }: Ran,
  { assignment, stop, services }: AttemptRun,
): Promise<void> {
  const { host, logs } = services
  const facts = 'facts' in end ? end.facts : undefined
  const log = await logs.settle(assignment)
  const finished = toFinished({
    assignment,
    stop,
    end,
    log,
    given: await outputsOf(end, workspace),
    startTime: dateOf(facts?.startTimeMs) ?? startTime,
    endTime: dateOf(facts?.endTimeMs) ?? host.clock.now(),
    usage: facts?.usage,
  })
  // Without the journal, the warden's file is what a next start of the agent has.
  const isJournaled = await reportFinished(finished, log, services)
  if (isJournaled && isProcess(assignment)) host.warden.forget(attemptKey(assignment))
}

function dateOf(timeMs: number | undefined): Date | undefined {
  return timeMs === undefined ? undefined : new Date(timeMs)
}

/** Journals a result, then offers it to the coordinator (A3). False when it could not be journaled. */
export async function reportFinished(
  finished: Finished,
  log: SettledLog,
  { store, outbox, host }: Pick<AttemptServices, 'store' | 'outbox' | 'host'>,
): Promise<boolean> {
  let isJournaled = true
  outbox.expectResult(finished)
  try {
    await store.finish(finished, log.share)
  } catch (error) {
    isJournaled = false
    // Telling it unwritten beats not telling it: only a crash before the acknowledgement would lose it.
    host.logger.error(
      { err: error, execution: finished.execution },
      'a result could not be journaled',
    )
  }
  outbox.put({ kind: 'finished', value: finished })
  return isJournaled
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
async function runIn(workspace: Workspace, run: AttemptRun): Promise<Ran> {
  const { assignment, stop, services } = run
  const { host, handlers, outbox, store } = services
  const { execution, epoch } = assignment
  let startTime: Date | undefined
  const watches: (() => void)[] = []
  const isEager = !isHandler(assignment)
  try {
    if (isEager) await createWorkspace(workspace)
  } catch (error) {
    return { end: { kind: 'not_started', message: String(error) }, startTime }
  }
  if (isEager) follow(workspace, run)
  if (stop.cause !== undefined)
    return { end: { kind: 'not_started', message: 'stopped' }, startTime }
  const end = await runTask(
    {
      host,
      assignment,
      workspace,
      stop,
      onStarted: (started) => {
        startTime = dateOf(started?.startTimeMs) ?? host.clock.now()
        // A process is watched by the warden.
        if (started === undefined) watches.push(watchTask(run, isEager ? workspace : undefined))
        else if (started.process !== undefined) store.start(assignment, started.process)
        outbox.put({ kind: 'started', value: { execution, epoch, startTime } })
      },
      makeWorkspace: () => {
        store.keep(assignment)
        makeWorkspace(workspace)
        follow(workspace, run)
        watches.push(watchTask(run, workspace))
      },
      onProgress: progressReporter(assignment, outbox, host.clock),
    },
    handlers,
  )
  for (const unwatch of watches) unwatch()
  return { end, startTime }
}

function follow({ logs }: Workspace, { assignment, services }: AttemptRun): void {
  const { execution, epoch } = assignment
  services.logs.follow({
    execution,
    epoch,
    files: logs,
    capBytes: logCapBytes(assignment),
    share: undefined,
    hasEnded: false,
  })
}

/** Without a workspace, nothing is written. */
function watchTask(
  { assignment, stop, services }: AttemptRun,
  workspace: Workspace | undefined,
): () => void {
  return watchLimits({
    clock: services.host.clock,
    stop,
    timeoutMs: durationToMs(assignment.timeout),
    killGraceMs: killGraceMs(assignment),
    outputFiles: workspace === undefined ? [] : Object.values(workspace.logs),
  })
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
  readonly end: TaskEnd
  readonly log: SettledLog
  readonly given: GivenOutputs
  readonly startTime: Date | undefined
  readonly endTime: Date
  readonly usage: ProcessUsage | undefined
}): Finished {
  const { execution, epoch } = run.assignment
  const verdict = decideOutcome(run.end, run.stop.cause)
  return {
    execution,
    epoch,
    ...verdict,
    message: [verdict.message, run.given.note].filter((text) => text !== '').join('; '),
    outputs: run.given.outputs,
    startTime: run.startTime,
    endTime: run.endTime,
    usage: toUsage(run.usage),
    logBytes: BigInt(run.log.keptBytes),
    logBytesDropped: BigInt(run.log.droppedBytes),
  }
}

/** Undefined where the host does not tell. */
function toUsage({ cpuMs, peakMemoryBytes }: ProcessUsage = {}): Usage | undefined {
  if (cpuMs === undefined && peakMemoryBytes === undefined) return undefined
  return {
    cpuTime: cpuMs === undefined ? undefined : durationFromMs(cpuMs),
    peakMemoryBytes: BigInt(peakMemoryBytes ?? 0),
  }
}
