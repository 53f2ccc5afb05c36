/**
 * PostgreSQL was replaced by a standby, which may lack the last commits: agents know what was done, and say it again.
 *
 * Modes: `closed` -> `open` (a newer timeline was found; `recovering_since` is set for all coordinators) -> `closed`.
 *
 * R1. The first coordinator on the newer timeline opens it, before anybody writes anything else there: no epoch is given
 *     twice, whatever the sequence has forgotten.
 * R2. While it is open nothing is claimed, so nothing runs again that an agent may still have, or have finished.
 * R3. Each agent begins a new session. Attempts that it holds go on, also when their assignments were lost; results that
 *     were acknowledged of late are reported once more; only then is the rest of what the worker had lost.
 * R4. It closes when every worker that has a session has said all, or after L + G. A worker that comes later still says
 *     all in its next session.
 */

import type { Report } from '../../../proto/gen/rota/agent/v1/agent_service.ts'
import { RotaError } from '../../../shared/errors/rota-error.ts'
import type { Deps } from '../../deps.ts'
import type { WorkerId } from '../../job/execution.ts'
import type { Database, Db } from '../../store/database.ts'
import type { AgentSession, Offering } from '../agent-session.ts'
import type { HeldAttempt } from '../dispatch-queries.ts'
import type { Fleet } from '../fleet.ts'
import { type Reclaimed, reclaim } from './reclaim.ts'
import {
  beginRecovery,
  type ClusterState,
  endRecovery,
  lockClusterState,
  lockInFlight,
  noteTimeline,
  readClusterState,
  readWorkerRecovery,
  restoreSessions,
} from './recovery-queries.ts'

export interface RecoveryOptions {
  readonly coordinatorId: string
  readonly fleet: Fleet
  /** L + G, in ms. */
  readonly atMostMs: number
}

/** More than are ever given between a commit and its arrival at the standby. */
const EPOCH_STEP = 1_000_000
/** Open for so long at least, in ms: all coordinators arrive, and agents whose sessions were lost come back. */
const AT_LEAST_MS = 2_000

export class Recovery {
  readonly #deps: Deps
  readonly #options: RecoveryOptions
  #timeline: number | undefined
  #number = 0
  #epochFloor = 0
  /** Monotonic ms. */
  #openSinceMs: number | undefined
  #onChange = (): void => {}

  constructor(deps: Deps, options: RecoveryOptions) {
    this.#deps = deps
    this.#options = options
  }

  /** True while nothing may be claimed (R2). */
  get isOpen(): boolean {
    return this.#openSinceMs !== undefined
  }

  /** Called when there is something to do. */
  onChange(listener: () => void): void {
    this.#onChange = listener
  }

  /**
   * To be called with each primary that is found, before it is used. `timeline` is undefined where the service does not
   * tell; then a failover is not noticed.
   */
  async enter(db: Database, timeline: number | undefined): Promise<void> {
    const state = await db.transaction().execute(async (tx) => arrive(tx, timeline))
    const isReplaced = this.#timeline !== undefined && (timeline ?? 0) > this.#timeline
    if (isReplaced) await this.#leaveOld(db)
    this.#timeline = timeline
    this.#number = state.recovery
    this.#epochFloor = state.epoch_floor
    if (state.is_recovering) this.#open(timeline)
    this.#onChange()
  }

  /** What the worker must offer again; undefined when it has since the last failover. */
  async offeringOf(tx: Db, workerId: WorkerId): Promise<Offering | undefined> {
    if (this.#number === 0) return undefined
    const offered = await readWorkerRecovery(tx, workerId)
    if (offered >= this.#number) return undefined
    return {
      number: this.#number,
      unclaimed: new Map(),
      waiting: [],
      deferred: [],
      completedAtMs: undefined,
      deadlineMs: this.#deps.clock.monotonicMs() + this.#options.atMostMs,
    }
  }

  async reclaim(
    tx: Db,
    claimant: Pick<AgentSession['profile'], 'id' | 'workerId'>,
    attempts: readonly HeldAttempt[],
  ): Promise<Reclaimed> {
    const { id: sessionId, workerId } = claimant
    return reclaim(tx, { sessionId, workerId, epochFloor: this.#epochFloor }, attempts)
  }

  /** Keeps a report of an offering session, to be tried again before it is given up. */
  defer({ offering }: AgentSession, report: Report): void {
    if (offering !== undefined) offering.deferred = [...offering.deferred, report]
  }

  /** The agent has said all. */
  complete({ offering }: AgentSession): void {
    if (offering === undefined) return
    offering.completedAtMs ??= this.#deps.clock.monotonicMs()
    this.#onChange()
  }

  /** Closes it when it is over, or when another coordinator has. */
  async tryClose(): Promise<void> {
    const { clock, db } = this.#deps
    const { atMostMs } = this.#options
    if (this.#openSinceMs === undefined) return
    const openMs = clock.monotonicMs() - this.#openSinceMs
    if (openMs < AT_LEAST_MS) return
    const end = { number: this.#number, isOver: openMs >= atMostMs, atMostMs }
    const isEnded = (await endRecovery(db, end)) || !(await readClusterState(db)).is_recovering
    if (isEnded) await this.#close(openMs)
  }

  #open(timeline: number | undefined): void {
    const { clock, logger } = this.#deps
    if (this.#openSinceMs === undefined) {
      const message =
        'PostgreSQL was replaced; nothing is dispatched until all agents have said what they have'
      logger.warn({ timeline }, message)
    }
    this.#openSinceMs = clock.monotonicMs()
  }

  async #close(openMs: number): Promise<void> {
    const { hints, logger } = this.#deps
    for (const session of this.#options.fleet.all()) await this.countInFlight(session)
    this.#openSinceMs = undefined
    logger.info(
      { openMs: Math.round(openMs) },
      'the agents have said what they have; dispatch goes on',
    )
    hints.give('queue')
  }

  /** Brings what the session has in hand in line with the database: attempts were restored here, or taken over elsewhere. */
  async countInFlight({ profile, inFlight }: AgentSession): Promise<void> {
    const rows = await this.#deps.db
      .transaction()
      .execute(async (tx) => lockInFlight(tx, profile.id))
    const found = new Set(rows.map(({ id }) => id))
    for (const [id, { epoch }] of inFlight) {
      if (epoch !== undefined && !found.has(id)) inFlight.delete(id)
    }
    for (const { id, epoch, slots } of rows) inFlight.set(id, { epoch, slots })
  }

  /** What was read before the failover may not be so any more, and the agents may have sessions that are gone. */
  async #leaveOld(db: Database): Promise<void> {
    const { coordinatorId, fleet } = this.#options
    const sessions = fleet.all()
    const known = sessions.map(({ profile }) => profile)
    const restored = known.length === 0 ? 0 : await restoreSessions(db, coordinatorId, known)
    if (restored > 0) this.#deps.logger.warn({ sessions: restored }, 'sessions were lost')
    this.#deps.hints.give('recovery')
    for (const session of sessions) {
      fleet.remove(session)
      session.stream.end(new RotaError('SESSION_ENDED', 'the database was replaced'))
    }
  }
}

async function arrive(tx: Db, timeline: number | undefined): Promise<ClusterState> {
  const state = await lockClusterState(tx)
  if (timeline === undefined || timeline === state.timeline) return state
  if (state.timeline !== null) return beginRecovery(tx, { timeline, epochStep: EPOCH_STEP })
  await noteTimeline(tx, timeline)
  return { ...state, timeline }
}
