/** Agents that this coordinator wants others to have: it stops, or has too many. */
import { type Clock, sleep } from '../../shared/clock.ts'
import { durationFromMs } from '../../shared/duration.ts'
import { RotaError } from '../../shared/errors/rota-error.ts'
import type { Deps } from '../deps.ts'
import type { SessionId } from '../job/execution.ts'
import type { AgentSession } from './agent-session.ts'
import { UNDERSTANDS_COORDINATORS } from './check-hello.ts'
import type { Fleet } from './fleet.ts'

/** Agents that are sent away go within this, each at a moment of its own, in ms. */
const STOP_DELAY_MS = 500
const REBALANCE_DELAY_MS = 2_000
/** For the way to another coordinator, in ms; until then nothing new is offered to them here. */
const MOVE_MS = 3_000
const LOOK_MS = 20
/** An agent that has not gone is not asked again for this long, in ms: it may not reach the others. */
const ASK_AGAIN_MS = 600_000

interface Goodbye {
  readonly sessions: readonly AgentSession[]
  readonly addresses: readonly string[]
  readonly delayMs: number
  readonly reason: string
}

/** Sends all agents to `addresses`, waits until they have gone, for 3 s at most, and ends what is left. */
export async function sendAllElsewhere(
  deps: Pick<Deps, 'clock' | 'logger'>,
  fleet: Fleet,
  addresses: readonly string[],
): Promise<void> {
  const { clock, logger } = deps
  const reason = 'the coordinator stops'
  sayGoodbye(clock, fleet, { sessions: fleet.all(), addresses, delayMs: STOP_DELAY_MS, reason })
  const endMs = clock.monotonicMs() + (addresses.length === 0 ? 0 : MOVE_MS)
  while (fleet.all().length > 0 && clock.monotonicMs() < endMs) await sleep(clock, LOOK_MS)
  const left = fleet.all()
  if (left.length > 0 && addresses.length > 0) {
    logger.warn({ agents: left.length }, 'agents did not go elsewhere')
  }
  for (const { stream } of left) {
    stream.end(new RotaError('SHUTTING_DOWN', 'the coordinator is stopping'))
  }
}

/** Sends so many agents to a coordinator that has fewer; those with the least work first. */
export function createMover(
  deps: Pick<Deps, 'clock' | 'logger'>,
  fleet: Fleet,
): (transfer: { readonly address: string; readonly count: number }) => void {
  const askedAtMs = new Map<SessionId, number>()
  return ({ address, count }) => {
    const nowMs = deps.clock.monotonicMs()
    for (const [id, atMs] of askedAtMs) {
      if (fleet.get(id) === undefined || nowMs - atMs > ASK_AGAIN_MS) askedAtMs.delete(id)
    }
    if (askedAtMs.size > 0) {
      const hint = 'do they reach the address that the other coordinator advertises?'
      deps.logger.warn({ address, agents: askedAtMs.size, hint }, 'agents did not go elsewhere')
    }
    const sessions = fleet
      .all()
      .filter(({ profile }) => UNDERSTANDS_COORDINATORS <= profile.protocolVersion)
      .filter(({ profile }) => !askedAtMs.has(profile.id))
      .sort((a, b) => a.inFlight.size - b.inFlight.size)
      .slice(0, count)
    for (const { profile } of sessions) askedAtMs.set(profile.id, nowMs)
    const reason = 'another coordinator has fewer agents'
    const delayMs = REBALANCE_DELAY_MS
    sayGoodbye(deps.clock, fleet, { sessions, addresses: [address], delayMs, reason })
    deps.logger.info({ address, agents: sessions.length }, 'sending agents to another coordinator')
  }
}

/** Each is named all addresses, and each another one first. */
function sayGoodbye(clock: Clock, fleet: Fleet, goodbye: Goodbye): void {
  const { addresses, delayMs, reason, sessions } = goodbye
  const reconnectDelay = durationFromMs(delayMs)
  for (const [index, { profile, stream }] of sessions.entries()) {
    const first = addresses.length === 0 ? 0 : index % addresses.length
    const coordinators = [...addresses.slice(first), ...addresses.slice(0, first)]
    fleet.pause(profile.id, clock.monotonicMs() + delayMs + MOVE_MS)
    stream.send({ $case: 'goodbye', value: { reason, reconnectDelay, coordinators } })
  }
}
