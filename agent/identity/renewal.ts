/**
 * Keeps the certificate of the agent valid: renewed at half of its life.
 *
 * A long-running stream outlives the certificate it was opened with, so the agent reconnects with the new one.
 */
import type { Clock } from '../../shared/clock.ts'
import { RotaError } from '../../shared/errors/rota-error.ts'
import type { Logger } from '../../shared/logger.ts'
import type { Random } from '../../shared/random.ts'
import type { Service } from '../../shared/service.ts'
import { Ticker } from '../../shared/ticker.ts'
import { renew } from './enroll.ts'
import { type AgentFiles, type Identity, storeIdentity } from './identity-files.ts'
import type { AgentSettings } from './settings.ts'

/** The wall clock may jump, and the host may sleep: it is looked at, not timed. */
const LOOK_MS = 60_000
const RENEW_AT = 0.5
/** Of the life, at random, so that agents which joined together do not renew together. */
const JITTER = 0.05
const JOIN_AGAIN = 'join again: `rota agent join`'

/** When a certificate is to be renewed. `fraction` in [0, 1) places it within the jitter. */
export function renewalTime(
  identity: Pick<Identity, 'notBefore' | 'notAfter'>,
  fraction: number,
): Date {
  const lifeMs = identity.notAfter.getTime() - identity.notBefore.getTime()
  return new Date(identity.notBefore.getTime() + lifeMs * (RENEW_AT + JITTER * fraction))
}

export interface RenewalOptions {
  readonly clock: Clock
  readonly logger: Logger
  readonly random: Random
  readonly files: AgentFiles
  readonly settings: AgentSettings
  /** The first of the coordinators; any can renew. */
  readonly address: () => string
  readonly onRenewed: () => void
}

export class Renewal implements Service {
  readonly #options: RenewalOptions
  readonly #ticker: Ticker
  readonly #jitter: number
  #identity: Identity

  constructor(identity: Identity, options: RenewalOptions) {
    this.#options = options
    this.#identity = identity
    this.#jitter = options.random.fraction()
    this.#ticker = new Ticker({
      name: 'certificate',
      clock: options.clock,
      logger: options.logger,
      runOnce: () => this.#look(),
    })
  }

  /** The newest one. */
  get identity(): Identity {
    return this.#identity
  }

  start(): Promise<void> {
    return this.#ticker.start()
  }

  stop(): Promise<void> {
    return this.#ticker.stop()
  }

  async #look(): Promise<number> {
    const { clock, logger } = this.#options
    const now = clock.now()
    if (now < renewalTime(this.#identity, this.#jitter)) return LOOK_MS
    if (now > this.#identity.notAfter) {
      const expired = { expired: this.#identity.notAfter.toISOString() }
      logger.error(expired, `the certificate has expired; ${JOIN_AGAIN}`)
      return LOOK_MS
    }
    try {
      await this.#renew()
    } catch (error) {
      this.#logFailure(error)
    }
    return LOOK_MS
  }

  async #renew(): Promise<void> {
    const { address, clock, files, logger, onRenewed, settings } = this.#options
    const { identity } = await renew({
      address: address(),
      identity: this.#identity,
      workerName: settings.worker,
      clock,
    })
    storeIdentity(files, identity, settings)
    this.#identity = identity
    logger.info({ until: identity.notAfter.toISOString() }, 'certificate renewed')
    onRenewed()
  }

  #logFailure(error: unknown): void {
    const { logger } = this.#options
    const isRefused = error instanceof RotaError && error.code === 'UNAUTHENTICATED'
    const until = this.#identity.notAfter.toISOString()
    const said = error instanceof Error ? error.message : String(error)
    if (isRefused) logger.error({ until }, `the certificate is refused (${said}); ${JOIN_AGAIN}`)
    else logger.warn({ until }, `the certificate is not renewed yet: ${said}`)
  }
}
