/** The life of one attempt on this host, from its folder to its result. */
import { attemptKey } from '../report/attempt-ref.ts'
import type { HeldAttempt } from '../warden/messages.ts'
import { type AttemptRun, followOutput, watchAttempt } from './attempt-run.ts'
import { conclude, type Ran } from './conclude.ts'
import { resumeProcess } from './process.ts'
import { runHandler } from './run-handler.ts'
import { runTask } from './run-task.ts'
import { makeWorkspace, type Workspace, workspaceOf } from './workspace.ts'

/** Runs an accepted assignment to its end, hands the result over to be reported, and then calls `onEnded`. */
export function runAttempt(run: AttemptRun, onEnded: () => void): void {
  const { task } = run.attempt.assignment
  if (task?.kind?.$case === 'handler') runHandler(task.kind.value, run, onEnded)
  else void runInWorkspace(run).finally(onEnded)
}

/** Follows to its end what the warden has of an attempt that an earlier life of the agent began. */
export async function resumeAttempt(run: AttemptRun, held: HeldAttempt): Promise<void> {
  const { attempt, services } = run
  const startTime = held.started === undefined ? undefined : new Date(held.started.startTimeMs)
  const end = await resumeProcess(held, attempt.stop, services.host.warden)
  await conclude(workspaceFor(run), { end, startTime }, run)
}

async function runInWorkspace(run: AttemptRun): Promise<void> {
  const { attempt, services } = run
  const key = attemptKey(attempt)
  const workspace = workspaceFor(run)
  services.results.begin(key)
  try {
    await conclude(workspace, await runIn(workspace, run), run)
  } finally {
    services.results.end(key)
  }
}

function workspaceFor({ attempt, services }: AttemptRun): Workspace {
  return workspaceOf(services.attemptsDir, attemptKey(attempt))
}

/** Runs the task between its limits, with its output followed. */
async function runIn(workspace: Workspace, run: AttemptRun): Promise<Ran> {
  const { host, outbox, results, store } = run.services
  const { assignment, execution, epoch, stop } = run.attempt
  let startTime: Date | undefined
  let unwatch = () => {}
  try {
    makeWorkspace(workspace)
  } catch (error) {
    return { end: { kind: 'not_started', message: String(error) }, startTime }
  }
  followOutput(workspace, run)
  if (stop.cause !== undefined)
    return { end: { kind: 'not_started', message: 'stopped' }, startTime }
  const end = await runTask({
    host,
    assignment,
    workspace,
    stop,
    onStarted: (started) => {
      startTime = started === undefined ? host.clock.now() : new Date(started.startTimeMs)
      results.start(attemptKey(run.attempt))
      // A process is watched by the warden.
      if (started === undefined) unwatch = watchAttempt(run, workspace)
      else if (started.process !== undefined) store.start(assignment, started.process)
      outbox.put({ kind: 'started', value: { execution, epoch, startTime } })
    },
  })
  unwatch()
  return { end, startTime }
}
