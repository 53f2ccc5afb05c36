/**
 * Runs one command in a process group, and where there are any in a cgroup, of its own.
 *
 * P1. Output goes straight into files: it outlives agent and warden, and nothing waits for a pipe.
 * P2. The end is the `exit` of the command; a child that keeps the output open does not delay it. What is left of the
 *     attempt is killed then, also what has left the group.
 * P3. Asked to stop, the group gets TERM, after the grace all of it KILL. A later request never gives more time.
 * P4. Whoever listens for the end does so in the turn of the spawn: a short command ends before the next one.
 */
import { type ChildProcess, spawn } from 'node:child_process'
import { closeSync, constants, openSync, statSync } from 'node:fs'
import type { Clock, Timer } from '../../shared/clock.ts'
import { attemptFolder } from './attempt-folder.ts'
import type { Cgroup } from './cgroups.ts'
import { killGroup, type ProcessSweeper, signalGroup } from './kill-processes.ts'
import type { Exit, ProcessUsage, StartOrder } from './messages.ts'
import { identifyProcess, type ProcessIdentity } from './process-identity.ts'
import type { StopSwitch } from './stop-switch.ts'

export interface JobProcessOptions {
  readonly order: StartOrder
  readonly attemptsDir: string
  readonly clock: Clock
  readonly bootId: string
  readonly cgroup: Cgroup | undefined
  readonly sweeper: ProcessSweeper
  readonly stop: StopSwitch
  readonly onStarted: (process: ProcessIdentity | undefined) => void
}

export interface JobProcessEnd {
  readonly exit: Exit
  readonly usage: ProcessUsage
}

/** Runs the command to its end, or until it is asked to stop; when this resolves nothing of it lives. Never rejects. */
export async function runJobProcess(options: JobProcessOptions): Promise<JobProcessEnd> {
  const { cgroup, clock, order, stop, sweeper } = options
  let child: ChildProcess | undefined
  let exit: Exit
  const startedMs = clock.monotonicMs()
  try {
    child = spawnInto(options)
    exit = await exitOf(child, options)
  } catch (error) {
    exit = describeFailure(error, order)
  }
  if (child?.pid !== undefined) await killGroup(child.pid, clock)
  const usage = child?.pid === undefined ? {} : (cgroup?.usage() ?? {})
  await cgroup?.end()
  const hasMoreToFind = cgroup === undefined || stop.cause !== undefined
  if (child?.pid !== undefined && hasMoreToFind) {
    await sweeper.sweep(order.key, { pid: child.pid, ageMs: clock.monotonicMs() - startedMs })
  }
  return { exit, usage }
}

/** Starts the child; the files of its output stay open in it only. */
function spawnInto({ attemptsDir, cgroup, order }: JobProcessOptions): ChildProcess {
  // Appending: a job that truncates or rewinds its output cannot overwrite what was shipped.
  const flags =
    constants.O_WRONLY | constants.O_APPEND | constants.O_CREAT | (constants.O_NOFOLLOW ?? 0)
  const { stdout, stderr } = attemptFolder(attemptsDir, order.key)
  const files: number[] = []
  try {
    for (const file of [stdout, stderr]) files.push(openSync(file, flags, 0o600))
    const start = () => spawnCommand(order, files)
    return cgroup === undefined ? start() : cgroup.enclose(start)
  } finally {
    for (const file of files) closeSync(file)
  }
}

function spawnCommand(order: StartOrder, files: readonly number[]): ChildProcess {
  return spawn(order.file, [...order.args], {
    cwd: order.workingDirectory,
    env: { ...order.environment },
    // A session and group of its own: signals of the terminal do not reach it, ours reach all of it.
    detached: true,
    stdio: ['ignore', ...files],
    ...(order.user === undefined ? {} : { uid: order.user.uid, gid: order.user.gid }),
  })
}

/** Listens for the end in this turn (P4). Node tells of some failures to start only by an event. */
function exitOf(child: ChildProcess, options: JobProcessOptions): Promise<Exit> {
  const { bootId, onStarted, order, stop } = options
  const { pid } = child
  return new Promise((resolve) => {
    if (pid === undefined) {
      child.once('error', (error) => resolve(describeFailure(error, order)))
      return
    }
    const stopKilling = killOnRequest(pid, options)
    child.once('exit', (exitCode, signal) => {
      stop.close()
      stopKilling()
      resolve(
        exitCode === null
          ? { kind: 'signalled', signal: signal ?? 'SIGKILL' }
          : { kind: 'exited', exitCode },
      )
    })
    onStarted(identifyProcess(pid, bootId))
  })
}

/** TERM at the first request to stop, KILL when its grace is over (P3); until the answer is called. */
function killOnRequest(pid: number, { cgroup, clock, stop }: JobProcessOptions): () => void {
  let timer: Timer | undefined
  let killAtMs = Number.POSITIVE_INFINITY
  const kill = () => {
    cgroup?.kill()
    signalGroup(pid, 'SIGKILL')
  }
  stop.onRequest((graceMs) => {
    if (timer === undefined) signalGroup(pid, 'SIGTERM')
    timer?.cancel()
    killAtMs = Math.min(killAtMs, clock.monotonicMs() + graceMs)
    timer = clock.after(killAtMs - clock.monotonicMs(), kill)
    if (graceMs <= 0) kill()
  })
  return () => timer?.cancel()
}

function describeFailure(error: unknown, { file, user, workingDirectory }: StartOrder): Exit {
  if (!statSync(workingDirectory, { throwIfNoEntry: false })?.isDirectory()) {
    return notStarted(`the working directory ${workingDirectory} does not exist on this worker`)
  }
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

function notStarted(message: string): Exit {
  return { kind: 'not_started', message }
}
