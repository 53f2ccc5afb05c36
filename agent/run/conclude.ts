/** The end of an attempt: its result is journaled, and handed over to be reported. */
import type { Finished } from '../../proto/gen/rota/agent/v1/agent_service.ts'
import type { Usage } from '../../proto/gen/rota/v1/execution.ts'
import { durationFromMs } from '../../shared/duration.ts'
import { attemptKey } from '../report/attempt-ref.ts'
import type { SettledLog } from '../report/followed-log.ts'
import { NOTHING_WRITTEN } from '../report/log-shipper.ts'
import type { ProcessUsage } from '../warden/messages.ts'
import type { AttemptRun, AttemptServices } from './attempt-run.ts'
import { isGuarded, isProcess } from './attempt-terms.ts'
import { decideOutcome } from './decide-outcome.ts'
import type { LiveAttempt } from './live-attempts.ts'
import { checkOutputs, type OutputsRead, readOutputs } from './outputs.ts'
import type { TaskEnd } from './task-end.ts'
import type { Workspace } from './workspace.ts'

export interface Ran {
  readonly end: TaskEnd
  /** Undefined when nothing was started. */
  readonly startTime: Date | undefined
}

/** Concludes an attempt that may have written something. */
export async function conclude(
  workspace: Workspace,
  { end, startTime }: Ran,
  { attempt, services }: AttemptRun,
): Promise<void> {
  const { host, logs, outbox, results } = services
  const { assignment } = attempt
  const facts = 'facts' in end ? end.facts : undefined
  const log = logs.settle(attempt)
  const finished = toFinished(attempt, {
    end,
    log,
    given: isOwn(end) ? checkOutputs(end.outputs) : await readOutputs(workspace.output),
    startTime: dateOf(facts?.startTimeMs) ?? startTime,
    endTime: dateOf(facts?.endTimeMs) ?? host.clock.now(),
    usage: facts?.usage,
  })
  outbox.expectResult(finished)
  results.end(attemptKey(attempt))
  if (!isGuarded(assignment)) await results.gather()
  // Without the journal, the warden's file is what a next start of the agent has.
  const isJournaled = await reportFinished(finished, log, services)
  if (isJournaled && isProcess(assignment)) host.warden.forget(attemptKey(assignment))
}

/** Concludes an attempt that has written nothing, and then calls `onEnded`: at once, unless its result is journaled. */
export function concludeSilent(
  { end, startTime }: Ran,
  { attempt, services }: AttemptRun,
  onEnded: () => void,
): void {
  const { host, outbox, store } = services
  const finished = toFinished(attempt, {
    end,
    log: NOTHING_WRITTEN,
    given: checkOutputs(isOwn(end) ? end.outputs : undefined),
    startTime,
    endTime: host.clock.now(),
    usage: undefined,
  })
  if (store.finishUnwritten(finished, NOTHING_WRITTEN.share)) {
    outbox.put({ kind: 'finished', value: finished })
    onEnded()
  } else void reportFinished(finished, NOTHING_WRITTEN, services).then(onEnded)
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

/** True for what gives its outputs itself; others write them to a file. */
function isOwn(end: TaskEnd): end is Extract<TaskEnd, { kind: 'returned' | 'failed' }> {
  return end.kind === 'returned' || end.kind === 'failed'
}

function dateOf(timeMs: number | undefined): Date | undefined {
  return timeMs === undefined ? undefined : new Date(timeMs)
}

interface Ending extends Ran {
  readonly log: SettledLog
  readonly given: OutputsRead
  readonly endTime: Date
  readonly usage: ProcessUsage | undefined
}

function toFinished({ execution, epoch, stop }: LiveAttempt, ending: Ending): Finished {
  const { end, endTime, given, log, startTime } = ending
  const { outcome, exitCode, signal, message } = decideOutcome(end, stop.cause)
  return {
    execution,
    epoch,
    outcome,
    exitCode,
    signal,
    message: given.kind === 'outputs' ? message : withNote(message, given.why),
    outputs: given.kind === 'outputs' ? given.outputs : undefined,
    startTime,
    endTime,
    usage: toUsage(ending.usage),
    logBytes: toBigInt(log.keptBytes),
    logBytesDropped: toBigInt(log.droppedBytes),
  }
}

/** Most attempts have nothing to count. */
function toBigInt(count: number): bigint {
  return count === 0 ? 0n : BigInt(count)
}

function withNote(message: string, why: string): string {
  const note = `outputs are left out: ${why}`
  return message === '' ? note : `${message}; ${note}`
}

/** Undefined where the host does not tell. */
function toUsage({ cpuMs, peakMemoryBytes }: ProcessUsage = NO_USAGE): Usage | undefined {
  if (cpuMs === undefined && peakMemoryBytes === undefined) return undefined
  return {
    cpuTime: cpuMs === undefined ? undefined : durationFromMs(cpuMs),
    peakMemoryBytes: BigInt(peakMemoryBytes ?? 0),
  }
}

const NO_USAGE: ProcessUsage = {}
