#!/usr/bin/env node
/** The agent's process: flags, signals, exit codes. What it is made of is in compose.ts. */
import { mkdirSync } from 'node:fs'
import { flushCompileCache } from 'node:module'
import { join } from 'node:path'
import { systemClock as clock } from '../shared/clock.ts'
import { RotaError } from '../shared/errors/rota-error.ts'
import { takeLock } from '../shared/lock-file.ts'
import { createLogger, type Logger } from '../shared/logger.ts'
import { readBootId } from '../shared/process-stat.ts'
import { systemRandom as random } from '../shared/random.ts'
import { composeAgent } from './compose.ts'
import { type AgentConfig, HELP, readConfig } from './config.ts'
import { ensureJoined, type Joined } from './identity/ensure-joined.ts'
import { AGENT_VERSION } from './version.ts'
import { SocketLink } from './warden/socket-link.ts'
import { startWarden } from './warden/start-warden.ts'

/** Stopping takes no longer, in ms; what is not done then is in the journal. */
const STOP_LIMIT_MS = 8_000

const EXIT = { ok: 0, failed: 1, usage: 2 } as const

process.exit(await main())

async function main(): Promise<number> {
  try {
    const config = readConfig(process.argv.slice(2), process.env)
    if (config.command !== 'help') return await runLocked(config)
    process.stdout.write(HELP)
    return EXIT.ok
  } catch (error) {
    return explain(error)
  }
}

function explain(error: unknown): number {
  if (!(error instanceof RotaError)) {
    process.stderr.write(`error: ${error instanceof Error ? error.message : String(error)}\n`)
    return EXIT.failed
  }
  process.stderr.write(`error: ${error.message} [${error.reason}]\nhint:  ${error.hint}\n`)
  return error.code === 'INVALID_ARGUMENT' ? EXIT.usage : EXIT.failed
}

async function runLocked(config: AgentConfig): Promise<number> {
  mkdirSync(config.dataDir, { recursive: true, mode: 0o700 })
  // Two agents would write the same journal.
  const lock = takeLock(join(config.dataDir, 'agent.lock'))
  if (lock.outcome === 'held') {
    const message = `another agent (pid ${lock.pid}) uses ${config.dataDir}`
    const hint = 'Stop it first, or give this one a --data-dir of its own.'
    throw new RotaError('FIELD_INVALID', message, { hint })
  }
  const logger = createLogger({ name: config.workerName, level: config.logLevel })
  const stopping = listenForStop(logger)
  try {
    const joined = await joinOrStop(config, logger, stopping)
    if (joined !== undefined && config.command === 'run') {
      await serve(config, { joined, logger, stopping })
    }
    return EXIT.ok
  } finally {
    lock.release()
  }
}

/** Undefined when the agent was asked to stop before any coordinator answered. */
async function joinOrStop(
  config: AgentConfig,
  logger: Logger,
  stopping: AbortSignal,
): Promise<Joined | undefined> {
  try {
    return await ensureJoined(config, { clock, logger, random, signal: stopping })
  } catch (error) {
    if (stopping.aborted) return undefined
    throw error
  }
}

async function serve(
  config: AgentConfig,
  { joined, logger, stopping }: { joined: Joined; logger: Logger; stopping: AbortSignal },
): Promise<void> {
  const agent = await composeAgent(config, joined, {
    clock,
    logger,
    random,
    warden: new SocketLink({
      ...{ clock, logger, dataDir: config.dataDir, release: AGENT_VERSION, bootId: readBootId() },
      startWarden: () => startWarden({ ...config, logger }),
    }),
    onSession: ({ session }) => {
      process.stdout.write(
        `${JSON.stringify({ connected: true, worker: joined.settings.worker, session })}\n`,
      )
      // Also when this process is killed, the next one starts from the cache.
      flushCompileCache()
    },
  })
  await agent.start()
  await aborted(stopping)
  const { reason } = stopping
  setTimeout(() => {
    logger.error('stopping took too long; the rest is left to the next start')
    process.exit(EXIT.ok)
  }, STOP_LIMIT_MS).unref()
  await (isRestart(reason) ? agent.leave() : agent.stop())
  logger.info('stopped')
}

/** Aborts at the first signal, or when the process that forked this one is gone. */
function listenForStop(logger: Logger): AbortSignal {
  const controller = new AbortController()
  const stop = (why: string) => {
    if (!controller.signal.aborted) logger.info({ why }, 'stopping')
    controller.abort(why)
  }
  process.on('SIGTERM', () => stop('SIGTERM'))
  process.on('SIGINT', () => stop('SIGINT'))
  process.on('SIGHUP', () => stop('SIGHUP'))
  process.on('disconnect', () => stop('the parent process is gone'))
  // A reader that went away is no reason to end.
  process.stdout.on('error', () => {})
  process.on('uncaughtException', (error) => {
    logger.fatal(
      { err: error },
      'a mistake in the agent; it ends, and its journal tells the next start',
    )
    process.exit(EXIT.failed)
  })
  // The timers of a waiting agent keep no process alive.
  setInterval(() => {}, 2 ** 30)
  return controller.signal
}

/** Signals of a service manager that stops, restarts or upgrades; a person's Ctrl-C means the work too. */
function isRestart(why: unknown): boolean {
  return why === 'SIGTERM' || why === 'SIGHUP'
}

function aborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve()
    else signal.addEventListener('abort', () => resolve(), { once: true })
  })
}
