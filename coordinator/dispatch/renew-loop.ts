/**
 * Renews the leases of all agents that were heard since the last time, in one statement, answers their heartbeats, and
 * brings what operators want of their workers to the sessions.
 *
 * V1. Anything heard renews the lease here: an agent that is too busy for heartbeats is alive. Only a heartbeat is
 *     answered, so the agent's own count never ends later than ours.
 * V2. A session that is in the database no more is ended, heard or not.
 * V3. What was heard long before the renewal is no reason for it: the lease would end so much later than the agent was
 *     last heard. Heartbeats come just before (agent/connect), and must be answered anyway.
 */
import { RotaError } from '../../shared/errors/rota-error.ts'
import { Ticker } from '../../shared/ticker.ts'
import type { Deps } from '../deps.ts'
import { type AgentSession, loadRatioOf } from './agent-session.ts'
import { type Renewal, readWorkerOrders, renewLeases } from './dispatch-queries.ts'
import type { Fleet } from './fleet.ts'
import { followOrders } from './follow-orders.ts'

/** Anything but a heartbeat renews for so much of the interval after it was heard (V3). */
const RECENT_SHARE = 0.25

export function createRenewLoop(deps: Deps, fleet: Fleet, everyMs: number): Ticker {
  return new Ticker({
    ...deps,
    name: 'renew',
    retryMs: everyMs,
    runOnce: async () => {
      await renew(deps, fleet, everyMs * RECENT_SHARE)
      return everyMs
    },
  })
}

/** Whether the lease of a session is renewed now; `sinceMs`: what was heard before is no reason (V1, V3). */
export function isWorthRenewing(
  session: Pick<AgentSession, 'heartbeatSequence' | 'lastHeardMs' | 'renewedForMs'>,
  sinceMs: number,
): boolean {
  const { heartbeatSequence, lastHeardMs, renewedForMs } = session
  return heartbeatSequence !== undefined || lastHeardMs > Math.max(renewedForMs, sinceMs)
}

interface Renewing {
  readonly session: AgentSession
  readonly heardMs: number
  readonly isHeard: boolean
  readonly sequence: bigint | undefined
}

async function renew(deps: Deps, fleet: Fleet, recentMs: number): Promise<void> {
  const sinceMs = deps.clock.monotonicMs() - recentMs
  const renewing = fleet.all().map((session) => ({
    session,
    heardMs: session.lastHeardMs,
    isHeard: isWorthRenewing(session, sinceMs),
    sequence: session.heartbeatSequence,
  }))
  if (renewing.length === 0) return
  const leases = await renewLeases(deps.db, renewing.map(toRenewal))
  const changed: AgentSession[] = []
  for (const each of renewing) {
    const { session, isHeard } = each
    const lease = leases.get(session.profile.id)
    if (lease === undefined || (isHeard && !lease.is_renewed)) endLost(fleet, session)
    else {
      if (isHeard) answer(each)
      if (lease.revision !== session.orders.revision) changed.push(session)
    }
  }
  if (changed.length > 0) await bringOrders(deps, changed)
}

function toRenewal({ session, isHeard }: Renewing): Renewal {
  const { profile, load, clockSkewMs } = session
  const loadRatio = loadRatioOf(session)
  return { sessionId: profile.id, isHeard, loadRatio, clockSkewMs, ...load }
}

function answer({ session, heardMs, sequence }: Renewing): void {
  session.renewedForMs = heardMs
  if (sequence === undefined) return
  if (session.heartbeatSequence === sequence) session.heartbeatSequence = undefined
  session.stream.send({ $case: 'heartbeatAck', value: { sequence } })
}

function endLost(fleet: Fleet, session: AgentSession): void {
  if (!fleet.remove(session)) return
  session.stream.end(new RotaError('SESSION_ENDED', 'the lease of the session has ended'))
}

async function bringOrders(deps: Deps, sessions: readonly AgentSession[]): Promise<void> {
  const workerIds = sessions.map(({ profile }) => profile.workerId)
  const orders = new Map((await readWorkerOrders(deps.db, workerIds)).map((row) => [row.id, row]))
  for (const session of sessions) {
    const wanted = orders.get(session.profile.workerId)
    if (wanted === undefined) continue
    followOrders(session, wanted, deps.clock.monotonicMs())
    const { name: worker, state } = wanted
    deps.logger.info({ worker, state }, 'what is wanted of a worker has changed')
  }
  deps.hints.give('queue')
  deps.hints.give('cancels')
}
