/**
 * Runs one command in a process group of its own.
 *
 * P1. Output goes straight into files: it outlives the agent, and nothing waits for a pipe.
 * P2. The end is the `exit` of the command; a child that keeps the output open does not delay it. What is left of its
 *     group is killed then.
 * P3. Asked to stop, the group gets TERM, after the grace KILL; then what left the group is found by its environment.
 * P4. Whoever listens for the end does so in the turn of the spawn: a short command ends before the next one.
 */
import { type ChildProcess, spawn } from 'node:child_process'
import { closeSync, constants, openSync } from 'node:fs'
import { stat } from 'node:fs/promises'
import type { Timer } from '../../shared/clock.ts'
import { killGroup, signalGroup, sweepProcesses } from './kill-processes.ts'
import { identifyProcess } from './process-identity.ts'
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
  if (!(await isFolder(command.workingDirectory))) {
    return notStarted(
      `the working directory ${command.workingDirectory} does not exist on this worker`,
    )
  }
  const { host, stop, assignment } = context
  let child: ChildProcess
  try {
    child = spawnInto(command, context)
  } catch (error) {
    return describeFailure(error, command)
  }
  const end = await endOf(child, command, context)
  if (child.pid !== undefined) await killGroup(child.pid, host.clock)
  if (stop.cause !== undefined) await sweepProcesses(assignment)
  return end
}

function isFolder(path: string): Promise<boolean> {
  return stat(path).then(
    (stats) => stats.isDirectory(),
    () => false,
  )
}

/** Starts the child; the files of its output stay open in it only. */
function spawnInto(command: Command, { workspace }: TaskContext): ChildProcess {
  // Appending: a job that truncates or rewinds its output cannot overwrite what was shipped.
  const flags = constants.O_WRONLY | constants.O_APPEND | constants.O_CREAT
  const files: number[] = []
  try {
    for (const file of [workspace.logs.stdout, workspace.logs.stderr]) {
      files.push(openSync(file, flags, 0o600))
    }
    return spawn(command.file, [...command.args], {
      cwd: command.workingDirectory,
      env: { ...command.environment },
      // A session and group of its own: signals of the terminal do not reach it, ours reach all of it.
      detached: true,
      stdio: ['ignore', ...files],
      ...(command.user === undefined ? {} : { uid: command.user.uid, gid: command.user.gid }),
    })
  } finally {
    for (const file of files) closeSync(file)
  }
}

/** Listens for the end in this turn (P4). Node tells of some failures to start only by an event. */
function endOf(child: ChildProcess, command: Command, context: TaskContext): Promise<TaskEnd> {
  const { pid } = child
  return new Promise((resolve) => {
    if (pid === undefined) {
      child.once('error', (error) => resolve(describeFailure(error, command)))
      return
    }
    const stopKilling = killOnRequest(pid, context)
    child.once('exit', (exitCode, signal) => {
      context.stop.close()
      stopKilling()
      resolve(
        exitCode === null
          ? { kind: 'signalled', signal: signal ?? 'SIGKILL' }
          : { kind: 'exited', exitCode },
      )
    })
    context.onStarted(identifyProcess(pid, context.host.bootId))
  })
}

/** TERM at the first request to stop, KILL when its grace is over; until the answer is called. */
function killOnRequest(pid: number, { host, stop }: TaskContext): () => void {
  let timer: Timer | undefined
  stop.onRequest((graceMs) => {
    if (timer === undefined) signalGroup(pid, 'SIGTERM')
    timer?.cancel()
    timer = host.clock.after(graceMs, () => signalGroup(pid, 'SIGKILL'))
  })
  return () => timer?.cancel()
}

function describeFailure(error: unknown, { file, user }: Command): TaskEnd {
  const code = error instanceof Error && 'code' in error ? error.code : undefined
  switch (code) {
    case 'ENOENT':
      return notStarted(`${file} does not exist on this worker`)
    case 'EACCES':
      return notStarted(
        user === undefined ? `${file} may not be executed` : `${user.name} may not execute ${file}`,
      )
    case 'E2BIG':
      return notStarted('the command, its arguments and its environment are too long together')
    default:
      return notStarted(error instanceof Error ? error.message : String(error))
  }
}

function notStarted(message: string): TaskEnd {
  return { kind: 'not_started', message }
}
