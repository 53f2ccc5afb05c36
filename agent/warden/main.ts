#!/usr/bin/env node
/**
 * The warden's process: started by an agent, in a session of its own, with the agent's data folder as working directory.
 * It imports as little as it can, for there is one on every host that runs commands.
 *
 * Modes: `serving` -> `ending` (a signal, the agent said quit, or the data folder is gone) -> gone; from `serving` also
 * straight to gone, when nothing runs and no agent came for a while.
 */
import { mkdirSync, statSync } from 'node:fs'
import { flushCompileCache } from 'node:module'
import { join } from 'node:path'
import { systemClock as clock, type Timer } from '../../shared/clock.ts'
import { takeLock } from '../../shared/lock-file.ts'
import { readBootId } from '../../shared/process-stat.ts'
import { AGENT_VERSION } from '../version.ts'
import { readBootMs } from './boot-clock.ts'
import { Cgroups } from './cgroups.ts'
import { EndLog } from './end-log.ts'
import { Warden } from './warden.ts'
import { SOCKET_NAME, wardenFiles } from './warden-files.ts'
import { WardenServer } from './warden-server.ts'

/** Without an agent and without work it ends after so long, in ms. */
const IDLE_MS = 10_000
const AGAIN = '--again'
/** Attempts get no longer to end than this when the warden must, in ms. */
const END_GRACE_MS = 5_000

/** How often it looks whether it can still be found. */
const FOUND_MS = 5_000

if (process.argv[2] === '--help') {
  process.stdout.write(
    'The warden of an agent: started by it in its data folder. Not to be started by hand.\n',
  )
  process.exit(0)
}

beginAgainWithoutCompiler()
// Its argument is the same, for people who look at a list of processes.
const dataDir = process.cwd()
const files = wardenFiles(dataDir)
process.umask(0o077)
mkdirSync(files.folder, { recursive: true, mode: 0o700 })
const lock = takeLock(files.lock)
// Its agent finds that one.
if (lock.outcome === 'held') process.exit(0)

const cgroups = Cgroups.open(dataDir, clock)
const warden = new Warden({
  ...{ clock, readBootMs, cgroups },
  bootId: readBootId(),
  attemptsDir: files.attempts,
  ends: EndLog.open(files.ends),
  listener: {
    onStarted: (key, started) => server.tell({ type: 'started', key, started }),
    onEnded: (key, end) => {
      server.tell({ type: 'ended', key, end })
      watchIdle()
    },
    onTrouble,
  },
})
const server = new WardenServer({
  ...{ warden, onTrouble },
  // Relative to the working directory: the whole path may be longer than a socket's address can be.
  path: join('warden', SOCKET_NAME),
  release: AGENT_VERSION,
  onQuit: () => void end(END_GRACE_MS),
  onChange: () => watchIdle(),
})
let idleTimer: Timer | undefined

process.on('SIGTERM', () => void end(END_GRACE_MS))
process.on('SIGHUP', () => {})
process.on('SIGINT', () => void end(0))
// Its log lies on the same disk as everything else: a full one is no reason to end.
process.stderr.on('error', () => {})
process.on('uncaughtException', (error) => {
  onTrouble('a mistake in the warden; it ends, and its agent ends what it had', error)
  process.exit(1)
})
await server.listen()
watchIdle()
watchFound()
// The next one starts from the cache.
flushCompileCache()

/**
 * The first start of a release strips the types of its modules, and would keep the compiler that does so in memory for
 * good (15 MB). It begins once more, from the cache, where it can.
 */
function beginAgainWithoutCompiler(): void {
  const isAgain = process.argv.includes(AGAIN)
  const loaded = Reflect.get(process, 'moduleLoadList') as readonly string[] | undefined
  const hasCompiler = loaded?.some((name) => name.includes('/amaro/')) ?? false
  if (isAgain || !hasCompiler || process.env['NODE_COMPILE_CACHE'] === undefined) return
  flushCompileCache()
  const [, ...args] = process.argv
  process.execve?.(process.execPath, [process.execPath, ...process.execArgv, ...args, AGAIN])
}

/** Ends by itself once there is nothing to take care of. What has ended is in its file. */
function watchIdle(): void {
  idleTimer?.cancel()
  idleTimer = undefined
  if (server.hasAgent || warden.liveCount > 0) return
  idleTimer = clock.after(IDLE_MS, leave)
}

/** No agent can find a warden whose folder was removed: it would be there for ever. */
function watchFound(): void {
  if (isFound()) clock.after(FOUND_MS, watchFound)
  else void end(END_GRACE_MS)
}

function isFound(): boolean {
  try {
    return statSync(files.lock, { throwIfNoEntry: false }) !== undefined
  } catch {
    // A disk that cannot be read just now says nothing.
    return true
  }
}

async function end(graceMs: number): Promise<void> {
  await warden.close({ kind: 'lost', reason: 'the agent was stopped' }, graceMs)
  leave()
}

function leave(): void {
  server.close()
  cgroups?.close()
  if (lock.outcome === 'locked') lock.release()
  process.exit(0)
}

function onTrouble(what: string, error: unknown): void {
  const err = error instanceof Error ? error.message : String(error)
  process.stderr.write(
    `${JSON.stringify({ level: 50, time: Date.now(), pid: process.pid, msg: what, err })}\n`,
  )
}
