/** The identity that an agent starts with: the stored one, else a new one by its join token. */
import { type Backoff, backoffDelayMs } from '../../shared/backoff.ts'
import { type Clock, sleep } from '../../shared/clock.ts'
import { agentFiles } from '../../shared/data-dir.ts'
import { RotaError } from '../../shared/errors/rota-error.ts'
import type { Logger } from '../../shared/logger.ts'
import type { Random } from '../../shared/random.ts'
import type { AgentConfig } from '../config.ts'
import { join } from './enroll.ts'
import { type Identity, loadIdentity, storeIdentity } from './identity-files.ts'
import { type AgentSettings, readSettings } from './settings.ts'

const RETRY: Backoff = { delayMs: 500, maxDelayMs: 5_000, multiplier: 2, jitter: 0.5 }

export interface Joined {
  readonly identity: Identity
  readonly settings: AgentSettings
}

export interface JoinDependencies {
  readonly clock: Clock
  readonly logger: Logger
  readonly random: Random
  /** Ends the waiting for a coordinator. */
  readonly signal: AbortSignal
}

/**
 * `join` joins anew, and fails when no coordinator answers. `run` keeps what is stored, and waits for a coordinator.
 * Throws RotaError when joining is refused, there is nothing to join with, or the waiting was ended.
 */
export async function ensureJoined(
  config: AgentConfig,
  dependencies: JoinDependencies,
): Promise<Joined> {
  const files = agentFiles(config.dataDir)
  const identity = loadIdentity(files)
  const settings = readSettings(files.settings)
  const isJoined = identity !== undefined && settings !== undefined
  if (config.command !== 'join' && isJoined) return { identity, settings }
  const { joinToken } = config
  if (joinToken === undefined) {
    throw new RotaError(
      'CREDENTIALS_MISSING',
      'this agent has not joined, and has no token to join with',
      {
        hint: 'Make one with `rota token create`, and give it by --join-token-file or ROTA_JOIN_TOKEN.',
      },
    )
  }
  return joinAny(config, joinToken, dependencies)
}

/** Tries the coordinators in turn. */
async function joinAny(
  config: AgentConfig,
  token: string,
  { clock, logger, random, signal }: JoinDependencies,
): Promise<Joined> {
  for (let attempt = 0; ; attempt++) {
    const address = config.coordinators[attempt % config.coordinators.length] ?? ''
    try {
      const { worker, identity } = await join({
        address,
        token,
        workerName: config.workerName,
        clock,
      })
      const settings = { coordinator: config.coordinators.join(','), worker }
      storeIdentity(agentFiles(config.dataDir), identity, settings)
      logger.info({ worker, coordinator: address }, 'joined')
      return { identity, settings }
    } catch (error) {
      const isLast = config.command === 'join' && attempt + 1 >= config.coordinators.length
      if (isLast || signal.aborted || !isTransient(error)) throw error
      logger.warn({ coordinator: address }, `not joined yet: ${error.message}`)
    }
    await sleep(clock, backoffDelayMs(RETRY, attempt + 1, random.fraction()), signal)
    signal.throwIfAborted()
  }
}

function isTransient(error: unknown): error is RotaError {
  return (
    error instanceof RotaError &&
    (error.code === 'UNAVAILABLE' || error.code === 'DEADLINE_EXCEEDED')
  )
}
