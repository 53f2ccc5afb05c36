/** Renews the leases of all agents that were heard since the last time, in one statement, and answers their heartbeats. */
import { RotaError } from '../../shared/errors/rota-error.ts'
import { Ticker } from '../../shared/ticker.ts'
import type { Deps } from '../deps.ts'
import { renewLeases } from './dispatch-queries.ts'
import type { Fleet } from './fleet.ts'

export function createRenewLoop(deps: Deps, fleet: Fleet, everyMs: number): Ticker {
  return new Ticker({
    ...deps,
    name: 'renew',
    retryMs: everyMs,
    runOnce: async () => {
      await renewHeard(deps, fleet)
      return everyMs
    },
  })
}

async function renewHeard(deps: Deps, fleet: Fleet): Promise<void> {
  const heard = fleet.all().flatMap((session) => {
    const sequence = session.heartbeatSequence
    return sequence === undefined ? [] : [{ session, sequence }]
  })
  if (heard.length === 0) return
  const renewed = await renewLeases(
    deps.db,
    heard.map(({ session: { profile, loadRatio, clockSkewMs } }) => ({
      sessionId: profile.id,
      loadRatio,
      clockSkewMs,
    })),
  )
  for (const { session, sequence } of heard) {
    if (renewed.has(session.profile.id)) {
      if (session.heartbeatSequence === sequence) session.heartbeatSequence = undefined
      session.stream.send({ $case: 'heartbeatAck', value: { sequence } })
    } else if (fleet.remove(session)) {
      session.stream.end(new RotaError('SESSION_ENDED', 'the lease of the session has ended'))
    }
  }
}
