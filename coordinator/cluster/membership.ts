/**
 * Which coordinators serve this database: each renews a row of its own, and reads those of the others.
 *
 * M1. One statement each way at most every second; nothing else is said between coordinators.
 * M2. A coordinator lives while its row was renewed within a lease, by the database's clock. Work never depends on it: a
 *     wrong answer costs an agent one more try.
 * M3. Agents are sent only to coordinators that were heard of late and do not drain.
 */
import { sleep } from '../../shared/clock.ts'
import type { Service } from '../../shared/service.ts'
import { Ticker } from '../../shared/ticker.ts'
import type { Deps } from '../deps.ts'
import { type CoordinatorRow, deleteCoordinator, renewCoordinator } from './membership-queries.ts'

/** A coordinator that lives. */
export interface Member {
  readonly id: string
  /** `host:port` */
  readonly address: string
  readonly version: string
  readonly sessionCount: number
  readonly isDraining: boolean
  readonly startedAt: Date
  /** Since its last renewal when it was looked at, in ms. */
  readonly silentMs: number
}

export interface Membership extends Service {
  /** This coordinator first, the others in the order in which they started. */
  members(): readonly Member[]
  /** Those of the others to which agents may be sent (M3). */
  open(): readonly Member[]
  /** Where agents may go: the own address, unless this one drains, and those of the open ones. */
  addresses(): readonly string[]
  /** Says to the others that this one is about to stop. Never fails: without a database nobody could read it. */
  drain(): Promise<void>
}

export interface MembershipOptions {
  readonly id: string
  readonly version: string
  readonly protocolVersions: readonly number[]
  /** Known when the port is bound. */
  readonly address: () => string
  readonly leaseMs: number
  readonly sessionCount: () => number
  /** Told after each look. */
  readonly onLook: (own: Member) => void
}

const RENEW_MS = 1_000
/** Of an old row, in leases. */
const FORGET_LEASES = 10
/** A statement while stopping is waited for so long, in ms. */
const STOP_STATEMENT_MS = 1_000
/** Agents are not sent to a coordinator that has missed this much, in renewals. */
const MISSED_RENEWALS = 4

export function createMembership(deps: Deps, options: MembershipOptions): Membership {
  const renewMs = Math.min(RENEW_MS, options.leaseMs / 4)
  const startedAt = deps.clock.now()
  let others: readonly Member[] = []
  let isDraining = false
  let renewing: Promise<void> = Promise.resolve()

  const own = (): Member => {
    const { address, id, sessionCount, version } = options
    const counted = { sessionCount: sessionCount(), isDraining, startedAt, silentMs: 0 }
    return { id, address: address(), version, ...counted }
  }
  const open = () => {
    return others.filter((each) => !each.isDraining && each.silentMs <= MISSED_RENEWALS * renewMs)
  }
  const renewNow = async () => {
    const times = { aliveMs: options.leaseMs, forgetMs: FORGET_LEASES * options.leaseMs }
    const { protocolVersions } = options
    others = (await renewCoordinator(deps.db, { ...own(), protocolVersions }, times)).map(toMember)
    options.onLook(own())
  }
  /** One after the other: a renewal of before must not undo what a later one says. */
  const renew = () => {
    renewing = renewing.catch(() => {}).then(renewNow)
    return renewing
  }
  const ticker = new Ticker({
    ...deps,
    name: 'membership',
    retryMs: renewMs,
    runOnce: async () => {
      await renew()
      return renewMs
    },
  })
  return {
    async start() {
      await renew()
      await ticker.start()
    },
    async stop() {
      await ticker.stop()
      await tolerate(deps, 'forget this coordinator', async () => {
        await renewing.catch(() => {})
        await deleteCoordinator(deps.db, options.id)
      })
    },
    members: () => [own(), ...others],
    open,
    addresses() {
      const all = isDraining ? open() : [own(), ...open()]
      return [...new Set(all.map(({ address }) => address))]
    },
    async drain() {
      isDraining = true
      await tolerate(deps, 'say that this coordinator drains', renew)
    },
  }
}

function toMember(row: CoordinatorRow): Member {
  return {
    id: row.id,
    address: row.address,
    version: row.version,
    sessionCount: row.session_count,
    isDraining: row.is_draining,
    startedAt: row.started_at,
    silentMs: row.silent_ms,
  }
}

/** While stopping nothing may fail any more, or take long; the others find out by themselves. */
async function tolerate(deps: Deps, what: string, work: () => Promise<void>): Promise<void> {
  const done = work().catch((error: unknown) => {
    deps.logger.warn({ err: error }, `could not ${what}`)
  })
  await Promise.race([done, sleep(deps.clock, STOP_STATEMENT_MS)])
}
