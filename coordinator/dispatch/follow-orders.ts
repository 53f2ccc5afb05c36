/** What operators want of a worker reaches its session, and its agent where that must know. */
import { durationFromMs } from '../../shared/duration.ts'
import type { AgentSession } from './agent-session.ts'
import type { WorkerOrders } from './dispatch-queries.ts'

/** A session that is to begin anew gets no work meanwhile, in ms. */
const RENEWAL_PAUSE_MS = 5_000

/** Takes over what the database says now; `monotonicMs` is now. */
export function followOrders(
  session: AgentSession,
  orders: WorkerOrders,
  monotonicMs: number,
): void {
  session.orders = orders
  session.consecutiveFailures = orders.consecutive_failures
  tellDrain(session)
  if (!session.isDrainTold || mustDrain(orders)) return
  // An agent that was told to drain takes nothing until its next session: it is sent to begin one.
  session.isDrainTold = false
  session.pausedUntilMs = monotonicMs + RENEWAL_PAUSE_MS
  session.stream.send({
    $case: 'goodbye',
    value: {
      reason: 'the drain is over; a new session begins',
      reconnectDelay: durationFromMs(0),
      coordinators: [],
    },
  })
}

/** Said once in a session; a drained worker that comes back is told again. */
export function tellDrain(session: AgentSession): void {
  if (session.isDrainTold || !mustDrain(session.orders)) return
  session.isDrainTold = true
  const { drain_left_ms: leftMs } = session.orders
  const deadline = leftMs === null ? undefined : durationFromMs(Math.max(0, leftMs))
  session.stream.send({ $case: 'drain', value: { deadline } })
}

function mustDrain({ state }: WorkerOrders): boolean {
  return state === 'draining' || state === 'drained'
}
