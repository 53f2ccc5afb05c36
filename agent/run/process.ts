/**
 * Runs one command in a process group of its own.
 *
 * P1. Output goes straight into files: it outlives the agent, and nothing waits for a pipe.
 * P2. The end is the `exit` of the command; a child that keeps the output open does not delay it. What is left of its
 *     group is killed then.
 * P3. Asked to stop, the group gets TERM, after the grace KILL; then what left the group is found by its environment.
 */
import { type ChildProcess, spawn } from 'node:child_process'
import { constants } from 'node:fs'
import { type FileHandle, open, stat } from 'node:fs/promises'
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
  const isFolder = await stat(command.workingDirectory).then(
    (stats) => stats.isDirectory(),
    () => false,
  )
  if (!isFolder) {
    return notStarted(
      `the working directory ${command.workingDirectory} does not exist on this worker`,
    )
  }
  const child = await spawnInto(command, context)
  if ('kind' in child) return child
  const { pid } = child
  if (pid === undefined) return spawnFailure(child, command)
  const { host, stop, assignment, onStarted } = context
  onStarted(identifyProcess(pid, host.bootId))
  const end = await exitOf(child, pid, context)
  await killGroup(pid, host.clock)
  if (stop.cause !== undefined) await sweepProcesses(assignment)
  return end
}

/** The child, or why there is none. The files stay open in the child only. */
async function spawnInto(command: Command, context: TaskContext): Promise<ChildProcess | TaskEnd> {
  const { logs } = context.workspace
  const files: FileHandle[] = []
  try {
    // Appending: a job that truncates or rewinds its output cannot overwrite what was shipped.
    const flags = constants.O_WRONLY | constants.O_APPEND | constants.O_CREAT
    for (const file of [logs.stdout, logs.stderr]) files.push(await open(file, flags, 0o600))
    return spawn(command.file, [...command.args], {
      cwd: command.workingDirectory,
      env: { ...command.environment },
      // A session and group of its own: signals of the terminal do not reach it, ours reach all of it.
      detached: true,
      stdio: ['ignore', ...files.map(({ fd }) => fd)],
      ...(command.user === undefined ? {} : { uid: command.user.uid, gid: command.user.gid }),
    })
  } catch (error) {
    return describeFailure(error, command)
  } finally {
    for (const file of files) await file.close()
  }
}

/** TERM at the first request to stop, KILL when its grace is over. */
function exitOf(child: ChildProcess, pid: number, { host, stop }: TaskContext): Promise<TaskEnd> {
  return new Promise((resolve) => {
    let killTimer: Timer | undefined
    stop.onRequest((graceMs) => {
      if (killTimer === undefined) signalGroup(pid, 'SIGTERM')
      killTimer?.cancel()
      killTimer = host.clock.after(graceMs, () => signalGroup(pid, 'SIGKILL'))
    })
    child.once('exit', (exitCode, signal) => {
      stop.close()
      killTimer?.cancel()
      resolve(
        exitCode === null
          ? { kind: 'signalled', signal: signal ?? 'SIGKILL' }
          : { kind: 'exited', exitCode },
      )
    })
  })
}

/** Node tells of some failures a turn later, by an event. */
function spawnFailure(child: ChildProcess, command: Command): Promise<TaskEnd> {
  return new Promise((resolve) => {
    child.once('error', (error) => resolve(describeFailure(error, command)))
  })
}

function describeFailure(error: unknown, { file, user }: Command): TaskEnd {
  const code = error instanceof Error && 'code' in error ? error.code : undefined
  switch (code) {
    case 'ENOENT':
      return notStarted(`${file} does not exist on this worker`)
    case 'EACCES':
      return notStarted(
        user === undefined
          ? `${file} may not be executed`
          : `${user.name} may not execute ${file}, or not enter the working directory`,
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
