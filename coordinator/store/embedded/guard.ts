/** Starts an embedded server again when it ends by itself, and keeps its log file small. */
import { type Backoff, backoffDelayMs } from '../../../shared/backoff.ts'
import type { Clock } from '../../../shared/clock.ts'
import type { Logger } from '../../../shared/logger.ts'
import { Ticker } from '../../../shared/ticker.ts'
import { findPostmaster } from './postmaster.ts'
import { lastServerLines, trimServerLog } from './server-log.ts'
import { ensureServing, type Server } from './serving.ts'

const WATCH_MS = 1_000
const RESTART: Backoff = { delayMs: 500, maxDelayMs: 10_000, multiplier: 2, jitter: 0 }

interface GuardOptions {
  readonly clock: Clock
  readonly logger: Logger
  /** Ends a restart that is under way. */
  readonly signal: AbortSignal
}

/** To be started once the server serves, and stopped before it is. */
export function createGuard(server: Server, options: GuardOptions): Ticker {
  const { clock, logger } = options
  let failures = 0
  const runOnce = async () => {
    await trimServerLog(server.logFile)
    if ((await findPostmaster(server.place.data)) !== undefined) return WATCH_MS
    const lastLines = await lastServerLines(server.logFile)
    logger.error({ lastLines }, 'PostgreSQL ended by itself; it is started again')
    try {
      await ensureServing(server, options)
      failures = 0
      logger.info('PostgreSQL was started again')
      return WATCH_MS
    } catch (error) {
      failures += 1
      logger.error({ err: error }, 'PostgreSQL could not be started; it is tried again')
      return backoffDelayMs(RESTART, failures, 0)
    }
  }
  return new Ticker({ name: 'embedded-postgres', clock, logger, runOnce })
}
