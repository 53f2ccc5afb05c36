/** The steps of the flow, introduced to each other: everything but the edges (rpc, gateway) and the real world. */
import type { Report } from '../proto/gen/rota/agent/v1/agent_service.ts'
import { RotaError } from '../shared/errors/rota-error.ts'
import { newId } from '../shared/ids.ts'
import type { Ticker } from '../shared/ticker.ts'
import { cancelExecution } from './cancel/cancel.ts'
import { createMembership, type Membership } from './cluster/membership.ts'
import { Rebalancer } from './cluster/rebalancer.ts'
import { type Conduct, createConduct } from './conduct/conduct.ts'
import type { Deps } from './deps.ts'
import type { AgentSession, AgentStream } from './dispatch/agent-session.ts'
import { announceTo } from './dispatch/announce-coordinators.ts'
import { PROTOCOL_VERSIONS, toAttemptRef } from './dispatch/check-hello.ts'
import { createControlLoop } from './dispatch/control-loop.ts'
import {
  type Conversation,
  type ConversationOptions,
  createConversation,
  type ReceiveReport,
} from './dispatch/conversation.ts'
import { dispatch } from './dispatch/dispatch.ts'
import { createFleet, type Fleet } from './dispatch/fleet.ts'
import { Recovery } from './dispatch/recovery/recovery.ts'
import { createRecoveryLoop } from './dispatch/recovery/recovery-loop.ts'
import { createRenewLoop } from './dispatch/renew-loop.ts'
import { createMover, sendAllElsewhere } from './dispatch/send-elsewhere.ts'
import { type BackfillJob, createBackfillJob } from './enqueue/backfill.ts'
import { createDependencyLoop } from './enqueue/dependency-loop.ts'
import { createEnqueue } from './enqueue/enqueue.ts'
import { createOverlap, type Overlap } from './enqueue/overlap-loop.ts'
import { createReleaseLoop } from './enqueue/release-loop.ts'
import { createStoreNew } from './enqueue/store-new.ts'
import { createTriggerJob, type TriggerJob } from './enqueue/trigger.ts'
import type { SessionId, WorkerId } from './job/execution.ts'
import type { Fleet as MatchFleet } from './match/fleet.ts'
import { createMatch } from './match/match-loop.ts'
import { createReportReceiver, type ReportSteps } from './report/receive-report.ts'
import { createCompleteLoop } from './schedule/complete-loop.ts'
import { createScheduleLoop } from './schedule/schedule-loop.ts'
import { createThawLoop } from './schedule/thaw-loop.ts'
import { createExpireLoop } from './settle/expire-loop.ts'
import { createSettle, type EndedAttempt, type Settle } from './settle/settle.ts'
import type { Hint } from './store/hints.ts'
import { VERSION } from './version.ts'
import { cordonWorker } from './workers/control-worker.ts'
import { createCordonLoop } from './workers/cordon-loop.ts'
import { createWorkerLoop } from './workers/worker-loop.ts'

export interface FlowOptions {
  /** Length of a session's lease, L, in ms. */
  readonly leaseMs: number
  /** `host:port` under which agents reach this coordinator; asked when it serves. */
  readonly address: () => string
}

export interface Flow {
  readonly triggerJob: TriggerJob
  readonly backfillJob: BackfillJob
  readonly endExecutions: Settle['endExecutions']
  /** Starts when the address is known, before the loops; stops last. */
  readonly membership: Membership
  /** Judges what agents do. */
  readonly conduct: Conduct
  /** Must be told of each PostgreSQL server before it is used. */
  readonly recovery: Recovery
  /** In the order in which they start. */
  readonly loops: readonly Ticker[]
  /** One for each stream of an agent. */
  converse(peer: { readonly workerId: WorkerId; readonly stream: AgentStream }): Conversation
  /** The coordinator stops: takes no more agents, sends its own elsewhere, and waits for them a little. */
  leave(): Promise<void>
}

/** Grace of the server beyond a lease, G, in ms. */
const GRACE_MS = 2_000
/** A worker that refused is left alone for this long, in ms; others get the work. */
const REFUSED_PAUSE_MS = 5_000
/** Agents are sent to a coordinator with fewer when it has been there for so many leases. */
const SETTLED_LEASES = 0.5
/** Heartbeats in one lease. */
const HEARTBEATS_PER_LEASE = 6
/** Beyond so many sessions on one coordinator new ones speak half as often: heartbeats are most of what idle agents cost. */
const LARGE_FLEET = 200

export function composeFlow(deps: Deps, options: FlowOptions): Flow {
  const fleet = createFleet()
  const settle = createSettle(deps)
  const { enqueue, endExecutions, overlap, release, dependencies } = enqueueWith(deps, settle)
  const heartbeatMs = options.leaseMs / HEARTBEATS_PER_LEASE
  const coordinatorId = newId(deps.clock, deps.random)
  const membership = joinCluster(deps, fleet, { ...options, coordinatorId })
  let isLeaving = false
  const conduct = createConduct({ ...deps, cordon: cordonWith(deps) })
  const onEnded = endedWith(deps, fleet, overlap)
  const { recovery, recover, receive } = recoverWith(deps, fleet, {
    ...{ coordinatorId, settle, onEnded },
    leaseMs: options.leaseMs,
    onOthers: conduct.noteAttempts,
  })

  // schedule -> enqueue -> match -> dispatch, report -> settle
  const match = createMatch(deps, matchWith(deps, fleet, recovery))
  const storeNew = createStoreNew(deps, { enqueue, assign: { begin: match.beginPairs } })
  const { schedules, complete } = schedulesWith(deps, { ...match, storeNew, enqueue })
  const triggerJob = createTriggerJob(deps, storeNew)
  const [renew, control] = [
    createRenewLoop(deps, fleet, heartbeatMs),
    createControlLoop(deps, fleet),
  ]
  const workers = [createWorkerLoop(deps), createCordonLoop(deps)]
  const expire = createExpireLoop(deps, expireWith(fleet, { ...options, settle, onEnded }))

  wakeOn(deps, {
    schedules,
    endings: [complete],
    queue: [match.loop, release],
    ...{ dependencies: [dependencies], overlap: [overlap.loop], cancels: [control] },
    workers: [renew, ...workers],
  })

  const conversation: ConversationOptions = {
    ...{ coordinatorId, leaseMs: options.leaseMs, fleet, recovery },
    settleLost: settle.settleLost,
    heartbeatMs: (protocol) => pauseMs(fleet, heartbeatMs, protocol),
    isLeaving: () => isLeaving,
    coordinators: () => membership.addresses(),
    receiveReport: receive,
    onOthers: conduct.noteAttempts,
  }
  return {
    ...{ triggerJob, endExecutions, membership, conduct, recovery },
    backfillJob: createBackfillJob(deps, enqueue),
    loops: [
      ...[...schedules, complete, release, dependencies, overlap.loop, match.loop, renew, control],
      ...[...workers, expire, conduct.loop, recover],
    ],
    converse: (peer) => createConversation(deps, conversation, peer),
    async leave() {
      isLeaving = true
      await membership.drain()
      await sendAllElsewhere(deps, fleet, membership.addresses())
    },
  }
}

function joinCluster(
  deps: Deps,
  fleet: Fleet,
  options: FlowOptions & { readonly coordinatorId: string },
): Membership {
  const announce = announceTo(fleet)
  const move = createMover(deps, fleet)
  const rebalancer = new Rebalancer(SETTLED_LEASES * options.leaseMs)
  const membership: Membership = createMembership(deps, {
    ...options,
    id: options.coordinatorId,
    version: VERSION,
    protocolVersions: PROTOCOL_VERSIONS,
    sessionCount: () => fleet.all().length,
    onLook(own) {
      announce(membership.addresses())
      if (own.isDraining) return
      rebalancer.look(deps.clock.monotonicMs(), own, membership.open()).forEach(move)
    },
  })
  return membership
}

/** How reports are received, and what happens when the database has gone back and agents report once more. */
function recoverWith(
  deps: Deps,
  fleet: Fleet,
  options: {
    readonly coordinatorId: string
    readonly leaseMs: number
    readonly settle: Settle
    readonly onEnded: (ended: readonly EndedAttempt[]) => void
    readonly onOthers: ReportSteps<EndedAttempt>['onOthers']
  },
) {
  const { coordinatorId, settle, onEnded } = options
  const atMostMs = options.leaseMs + GRACE_MS
  const recovery = new Recovery(deps, { coordinatorId, fleet, atMostMs })
  const receive = receiveWith(deps, settle, { ...options, recovery })
  const recover = createRecoveryLoop(deps, {
    ...{ recovery, fleet, onEnded },
    receiveReport: receive,
    settleLost: settle.settleLost,
  })
  deps.hints.on('recovery', () => deps.specs.forget())
  return { recovery, recover, receive }
}

/** The connected workers, as the match step sees them. */
function matchWith(deps: Deps, fleet: Fleet, recovery: Recovery): MatchFleet {
  return {
    offers: () => (recovery.isOpen ? [] : fleet.offers(deps.clock.monotonicMs())),
    reserve: ({ offer, executionId, slots }) => fleet.reserve(offer.sessionId, executionId, slots),
    unreserve: ({ offer, executionId }) => fleet.unreserve(offer.sessionId, executionId),
    dispatch: async (claimed) => dispatch(deps, fleet, claimed),
  }
}

/** What follows when leases end. */
function expireWith(
  fleet: Fleet,
  options: {
    readonly leaseMs: number
    readonly settle: Settle
    readonly onEnded: (ended: readonly EndedAttempt[]) => void
  },
): Parameters<typeof createExpireLoop>[1] {
  return {
    times: { leaseMs: options.leaseMs, graceMs: GRACE_MS },
    settle: options.settle,
    onLost: async (sessionIds, ended) => {
      options.onEnded(ended)
      endSessions(fleet, sessionIds)
    },
  }
}

function schedulesWith(
  deps: Deps,
  steps: Parameters<typeof createScheduleLoop>[1] & {
    readonly enqueue: Parameters<typeof createThawLoop>[1]
  },
) {
  return {
    schedules: [createScheduleLoop(deps, steps), createThawLoop(deps, steps.enqueue)],
    complete: createCompleteLoop(deps),
  }
}

/** The way in, and what lets go on what waits there. */
function enqueueWith(deps: Deps, settle: Settle) {
  const enqueue = createEnqueue(deps)
  const overlap = overlapWith(deps, settle)
  const endExecutions: Settle['endExecutions'] = async (tx, ended) => {
    const done = await settle.endExecutions(tx, ended)
    overlap.noteEnded(done.map(({ id }) => ({ executionId: id })))
    return done
  }
  return {
    ...{ enqueue, endExecutions, overlap },
    release: createReleaseLoop(deps, endExecutions),
    dependencies: createDependencyLoop(deps, { enqueue, endExecutions }),
  }
}

/** What follows when attempts have ended: room on their workers, and for what waits behind them. */
function endedWith(deps: Deps, fleet: Fleet, overlap: Overlap) {
  return (ended: readonly EndedAttempt[]): void => {
    freeSlots(deps, fleet, ended)
    overlap.noteEnded(ended)
  }
}

/** How what waits for others of its job is let in, and what is in its way ended. */
function overlapWith(deps: Deps, { endExecutions }: Settle): Overlap {
  return createOverlap(deps, {
    endExecutions,
    async cancel(id, reason) {
      try {
        await cancelExecution(deps, endExecutions, { id, reason, actor: 'overlap', force: false })
      } catch (error) {
        if (error instanceof RotaError && CANCEL_IS_OVER.has(error.reason)) return
        throw error
      }
    },
  })
}

/** It has ended meanwhile. */
const CANCEL_IS_OVER: ReadonlySet<string> = new Set(['EXECUTION_FINISHED', 'EXECUTION_NOT_FOUND'])

/** How Rota itself takes a worker out of service. */
function cordonWith(deps: Deps): Parameters<typeof createConduct>[0]['cordon'] {
  return async (worker, reason) => cordonWorker(deps, { worker, reason, actor: 'rota' })
}

/** A hint wakes the loops that look for what it tells of. */
function wakeOn(
  { hints }: Deps,
  loops: { readonly [H in Hint]?: readonly { wake(): void }[] },
): void {
  for (const [hint, woken] of Object.entries(loops)) {
    hints.on(hint as Hint, () => woken.forEach((loop) => void loop.wake()))
  }
}

/** Between two heartbeats of a session that begins; agents of protocol 1 give an answer too little time for more. */
function pauseMs(fleet: Fleet, heartbeatMs: number, protocolVersion: number): number {
  const isLarge = protocolVersion > 1 && fleet.all().length >= LARGE_FLEET
  return isLarge ? 2 * heartbeatMs : heartbeatMs
}

function receiveWith(
  deps: Deps,
  { settleReported }: Settle,
  told: {
    readonly onEnded: (ended: readonly EndedAttempt[]) => void
    readonly onOthers: ReportSteps<EndedAttempt>['onOthers']
    readonly recovery: Recovery
  },
): ReceiveReport {
  const receive = createReportReceiver<EndedAttempt>(deps, {
    toRef: toAttemptRef,
    settleReported,
    onEnded: told.onEnded,
    onOthers: told.onOthers,
  })
  return async (agent: AgentSession, report: Report) => {
    const { clockSkewMs, offering, profile } = agent
    const session = { ...profile, clockSkewMs }
    if (offering === undefined) return receive({ session, report })
    for (const entry of [...report.accepted, ...report.started]) {
      offering.unclaimed.delete(toAttemptRef(entry).executionId)
    }
    return receive({
      session,
      report,
      reclaim: async (tx, refs) => (await told.recovery.reclaim(tx, profile, refs)).wait,
    })
  }
}

function freeSlots(deps: Deps, fleet: Fleet, ended: readonly EndedAttempt[]): void {
  for (const { executionId, epoch, sessionId, outcome, isGivenUp } of ended) {
    fleet.release(sessionId, { id: executionId, epoch })
    if (!isGivenUp) fleet.count(sessionId, outcome)
    if (outcome !== 'refused') continue
    fleet.pause(sessionId, deps.clock.monotonicMs() + REFUSED_PAUSE_MS)
  }
}

/** Their streams may still be open: a silent agent is told when it listens again, and begins anew. */
function endSessions(fleet: Fleet, sessionIds: readonly SessionId[]): void {
  for (const id of sessionIds) {
    const session = fleet.get(id)
    if (session === undefined || !fleet.remove(session)) continue
    session.stream.end(new RotaError('SESSION_ENDED', 'the lease of the session has ended'))
  }
}
