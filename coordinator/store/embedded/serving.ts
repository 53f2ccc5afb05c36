/** Brings an embedded server to the point where it answers, whatever state it is found in. */
import { type Clock, sleep } from '../../../shared/clock.ts'
import { RotaError } from '../../../shared/errors/rota-error.ts'
import type { Place } from './place.ts'
import { findPostmaster, type Launched, launchPostmaster } from './postmaster.ts'
import { askReadiness, type PostgresConnection } from './readiness.ts'
import { lastServerLines, openServerLog } from './server-log.ts'
import { type ServerSettings, settingsArguments } from './settings.ts'

/** All that is needed to run the server of one data folder. */
export interface Server {
  readonly place: Place
  readonly connection: PostgresConnection
  readonly settings: ServerSettings
  readonly logFile: string
  readonly passwordFile: string
}

interface ServingOptions {
  readonly clock: Clock
  /** Ends the wait. */
  readonly signal: AbortSignal
}

const START_TIMEOUT_MS = 20_000
const POLL_MS = 25
/** A server that was killed may leave processes behind, which end within this time. */
const RELAUNCH_MS = 500
const LAUNCHES_MAX = 3

/**
 * Returns when the server accepts connections: one that runs is adopted, one that stops is waited for, else one is
 * launched. Throws DATABASE_UNAVAILABLE after 20 s or three launches, SHUTTING_DOWN when `signal` aborts.
 */
export async function ensureServing(server: Server, options: ServingOptions): Promise<void> {
  const { clock, signal } = options
  const deadlineMs = clock.monotonicMs() + START_TIMEOUT_MS
  let launched: Launched | undefined
  let launches = 0
  while (clock.monotonicMs() < deadlineMs && !signal.aborted) {
    const readiness = await askReadiness(server.connection)
    if (readiness.outcome === 'ready') return
    if (readiness.outcome === 'refused') throw wrongPassword(server, readiness.why)
    if (!(await isRunning(server, launched))) {
      if (launches === LAUNCHES_MAX) break
      if (launches > 0) await sleep(clock, RELAUNCH_MS, signal)
      launches += 1
      launched = await launch(server)
    }
    await sleep(clock, POLL_MS, signal)
  }
  launched?.giveUp()
  if (signal.aborted) throw new RotaError('SHUTTING_DOWN', 'the start of PostgreSQL was given up')
  throw await notServing(server, launched)
}

async function isRunning(server: Server, launched: Launched | undefined): Promise<boolean> {
  if (launched !== undefined && launched.ended() === undefined) return true
  return (await findPostmaster(server.place.data)) !== undefined
}

async function launch({ place, settings, logFile }: Server): Promise<Launched> {
  const log = await openServerLog(logFile, place.user)
  try {
    return launchPostmaster(place, settingsArguments(settings, place.socketFolder), log.fd)
  } finally {
    await log.close()
  }
}

async function notServing(server: Server, launched: Launched | undefined): Promise<RotaError> {
  const end = launched?.ended()
  const what = end === undefined ? 'does not answer' : `ended at its start (${end})`
  const lines = await lastServerLines(server.logFile)
  return new RotaError('DATABASE_UNAVAILABLE', `the embedded PostgreSQL ${what}\n${lines}`, {
    hint: `Read ${server.logFile}.`,
  })
}

function wrongPassword(server: Server, why: string): RotaError {
  return new RotaError('DATABASE_UNAVAILABLE', `the embedded PostgreSQL refuses us: ${why}`, {
    hint: `The password in ${server.passwordFile} is not the one that ${server.place.data} was set up with.`,
  })
}
