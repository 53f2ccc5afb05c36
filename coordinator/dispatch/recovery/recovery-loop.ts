/** Goes on with what agents offer after a failover: tries again what had no row, ends what nobody has, and closes it. */

import type { Report } from '../../../proto/gen/rota/agent/v1/agent_service.ts'
import { Ticker } from '../../../shared/ticker.ts'
import type { Deps } from '../../deps.ts'
import type { AgentSession, Offering } from '../agent-session.ts'
import type { ReceiveReport } from '../conversation.ts'
import type { Fleet } from '../fleet.ts'
import type { SettleLost } from '../open-session.ts'
import { sendStops } from '../send-stops.ts'
import type { Recovery } from './recovery.ts'
import { hasOverdueSchedule, markOffered, requeueUnclaimed } from './recovery-queries.ts'

export interface RecoveryLoopSteps<Ended> {
  readonly recovery: Recovery
  readonly fleet: Fleet
  readonly receiveReport: ReceiveReport
  readonly settleLost: SettleLost<Ended>
  /** Told after the commit. */
  readonly onEnded: (ended: readonly Ended[]) => void
}

const LOOK_MS = 200
const IDLE_MS = 1_000
/** What has no row is given up when no schedule is overdue and so much time has passed, in ms. */
const PATIENCE_MS = 3_000

export function createRecoveryLoop<Ended>(deps: Deps, steps: RecoveryLoopSteps<Ended>): Ticker {
  const { fleet, recovery } = steps
  const ticker = new Ticker({
    ...deps,
    name: 'recovery',
    retryMs: LOOK_MS,
    runOnce: async () => {
      const offering = fleet.all().filter((session) => session.offering !== undefined)
      for (const session of offering) await goOn(deps, steps, session)
      await recovery.tryClose()
      return recovery.isOpen || offering.length > 0 ? LOOK_MS : IDLE_MS
    },
  })
  recovery.onChange(() => ticker.wake())
  return ticker
}

async function goOn<Ended>(
  deps: Deps,
  steps: RecoveryLoopSteps<Ended>,
  session: AgentSession,
): Promise<void> {
  const { offering } = session
  const nowMs = deps.clock.monotonicMs()
  if (offering === undefined) return
  const isOverdue = nowMs >= offering.deadlineMs
  if (offering.completedAtMs === undefined && !isOverdue) return
  // Asked before the last try: what comes back afterwards is found by it.
  const isComing = await hasOverdueSchedule(deps.db)
  if (countOpen(offering) > 0) await tryAgain(deps, steps, { session, offering })
  const waitedMs = nowMs - (offering.completedAtMs ?? nowMs)
  const isPatient = !isOverdue && (isComing || waitedMs < PATIENCE_MS)
  if (countOpen(offering) > 0 && isPatient) return
  await finish(deps, steps, { session, offering })
}

interface Talk {
  readonly session: AgentSession
  readonly offering: Offering
}

function countOpen({ deferred, waiting }: Offering): number {
  return deferred.length + waiting.length
}

async function tryAgain<Ended>(
  deps: Deps,
  { receiveReport, recovery }: RecoveryLoopSteps<Ended>,
  { session, offering }: Talk,
): Promise<void> {
  const { wait, gone } = await deps.db
    .transaction()
    .execute(async (tx) => recovery.reclaim(tx, session.profile, offering.waiting))
  offering.waiting = wait
  sendStops(session, gone, 'its epoch is not current any more')
  const left: Report[] = []
  for (const report of offering.deferred) {
    const { stale, isStored } = await receiveReport(session, report)
    sendStops(session, stale, 'its epoch is not current any more')
    if (isStored) acknowledge(session, report)
    else left.push(report)
  }
  offering.deferred = left
}

/** What nobody has said by now, nobody has. */
async function finish<Ended>(
  deps: Deps,
  { onEnded, recovery, settleLost }: RecoveryLoopSteps<Ended>,
  { session, offering }: Talk,
): Promise<void> {
  const { deferred, number, unclaimed, waiting } = offering
  const sessionId = session.profile.id
  const { ended, requeued } = await deps.db.transaction().execute(async (tx) => {
    const requeued = await requeueUnclaimed(tx, sessionId, [...unclaimed.keys()])
    const ended = await settleLost(tx, {
      sessionIds: [sessionId],
      message: 'its worker came back without it',
      isKept: ({ id, epoch }) => unclaimed.get(id) !== epoch,
    })
    await markOffered(tx, sessionId, number)
    return { ended, requeued }
  })
  session.offering = undefined
  for (const report of deferred) acknowledge(session, report)
  sendStops(session, waiting, 'the database has no such execution')
  onEnded(ended)
  await recovery.countInFlight(session)
  const lost = ended.length
  const unknown = waiting.length + deferred.length
  const { workerName: worker } = session.profile
  deps.logger.info({ worker, lost, requeued: requeued.length, unknown }, 'an agent has said all')
  deps.hints.give('queue')
}

function acknowledge(session: AgentSession, { sequence }: Report): void {
  session.stream.send({ $case: 'reportAck', value: { sequence } })
}
