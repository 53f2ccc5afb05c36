/** The first process of a PostgreSQL server: found by its data folder, launched, stopped. */
import { execFile, spawn } from 'node:child_process'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { type Clock, sleep } from '../../../shared/clock.ts'
import { isProcessAlive } from '../../../shared/lock-file.ts'
import type { Logger } from '../../../shared/logger.ts'
import { readStartTicks } from '../../../shared/process-stat.ts'
import type { Place } from './place.ts'

/** Open connections are cut at once. */
const FAST_SHUTDOWN = 'SIGINT'
/** Without a checkpoint: the next start recovers from the log. */
const IMMEDIATE_SHUTDOWN = 'SIGQUIT'

const FAST_SHUTDOWN_MS = 10_000
/** The server kills its own remaining processes after 5 s. */
const IMMEDIATE_SHUTDOWN_MS = 7_000
const POLL_MS = 20

/** A server that we have just launched. */
export interface Launched {
  /** Why it does not run any more; undefined while it does. */
  ended(): string | undefined
  /** Asks it to stop, also before it has written its pid where `stopPostmaster` looks. */
  giveUp(): void
}

/** The pid of the server that runs on `data`; undefined when there is none. */
export async function findPostmaster(data: string): Promise<number | undefined> {
  const text = await readFile(join(data, 'postmaster.pid'), 'utf8').catch(() => '')
  const pid = Number.parseInt(text, 10)
  return (await isServing(pid, data)) ? pid : undefined
}

/** Starts a server in a session of its own: Ctrl-C on a terminal, or our death, does not end it. */
export function launchPostmaster(
  place: Place,
  args: readonly string[],
  logDescriptor: number,
): Launched {
  let end: string | undefined
  const child = spawn(join(place.binaries, 'bin', 'postgres'), ['-D', place.data, ...args], {
    detached: true,
    cwd: '/',
    env: {},
    stdio: ['ignore', logDescriptor, logDescriptor],
    ...place.user,
  })
  child.once('error', (error) => {
    end = error.message
  })
  child.once('exit', (code, signal) => {
    end = signal ?? `exit code ${code}`
  })
  child.unref()
  return { ended: () => end, giveUp: () => void child.kill(FAST_SHUTDOWN) }
}

/** Stops the server on `data`, if there is one: in order, or else at once. */
export async function stopPostmaster(
  data: string,
  { clock, logger }: { readonly clock: Clock; readonly logger: Logger },
): Promise<void> {
  const pid = await findPostmaster(data)
  if (pid === undefined) return
  const startTicks = readStartTicks(pid)
  const steps = [
    [FAST_SHUTDOWN, FAST_SHUTDOWN_MS],
    [IMMEDIATE_SHUTDOWN, IMMEDIATE_SHUTDOWN_MS],
  ] as const
  for (const [signal, waitMs] of steps) {
    sendSignal(pid, signal)
    const deadlineMs = clock.monotonicMs() + waitMs
    while (clock.monotonicMs() < deadlineMs) {
      // One that ends has no command line any more, and is still there.
      if (!isProcessAlive(pid) || readStartTicks(pid) !== startTicks) return
      await sleep(clock, POLL_MS)
    }
  }
  logger.error({ pid, data }, 'PostgreSQL does not stop')
}

/** False for a process that got the pid of a server after a crash or a restart of the host. */
async function isServing(pid: number, data: string): Promise<boolean> {
  return pid > 1 && isProcessAlive(pid) && (await commandLine(pid)).includes(data)
}

function sendSignal(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(pid, signal)
  } catch (error) {
    // It has just ended.
    if (!(error instanceof Error && 'code' in error && error.code === 'ESRCH')) throw error
  }
}

async function commandLine(pid: number): Promise<string> {
  if (process.platform === 'linux') {
    return readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => '')
  }
  const { stdout } = await promisify(execFile)('ps', ['-o', 'command=', '-p', String(pid)]).catch(
    () => ({ stdout: '' }),
  )
  return stdout
}
