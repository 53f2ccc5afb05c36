/** Builds the coordinator, in the order of the flow. The only file that knows all steps. */
import type pg from 'pg'
import type { Clock } from '../shared/clock.ts'
import { coordinatorFiles } from '../shared/data-dir.ts'
import { durationFromMs } from '../shared/duration.ts'
import { RotaError } from '../shared/errors/rota-error.ts'
import { newId } from '../shared/ids.ts'
import type { Logger } from '../shared/logger.ts'
import type { Random } from '../shared/random.ts'
import { inOrder, type Service } from '../shared/service.ts'
import type { CoordinatorConfig } from './config.ts'
import type { Deps } from './deps.ts'
import { toAttemptRef } from './dispatch/check-hello.ts'
import { createControlLoop } from './dispatch/control-loop.ts'
import { createConversation } from './dispatch/conversation.ts'
import { dispatch } from './dispatch/dispatch.ts'
import { createFleet, type Fleet } from './dispatch/fleet.ts'
import { createRenewLoop } from './dispatch/renew-loop.ts'
import { createDependencyLoop } from './enqueue/dependency-loop.ts'
import { createEnqueue } from './enqueue/enqueue.ts'
import { createReleaseLoop } from './enqueue/release-loop.ts'
import { createHttpServer } from './gateway/http-server.ts'
import { ensureAdminToken } from './identity/admin-token.ts'
import { openAuthority } from './identity/certificate-authority.ts'
import { createAuthenticator } from './identity/principal.ts'
import type { SessionId } from './job/execution.ts'
import { createMatchLoop } from './match/match-loop.ts'
import { receiveReport } from './report/receive-report.ts'
import { createRetentionLoop, keepPartitions } from './retention/retention-loop.ts'
import { createErrorBoundary } from './rpc/error-boundary.ts'
import { createRpcServer, type RpcServer } from './rpc/server.ts'
import { createScheduleLoop } from './schedule/schedule-loop.ts'
import { createExpireLoop } from './settle/expire-loop.ts'
import { createSettle, type EndedAttempt } from './settle/settle.ts'
import { openDatabase } from './store/database.ts'
import { createHints } from './store/hints.ts'
import { createJobSpecs } from './store/job-specs.ts'
import { migrateToLatest } from './store/migrate.ts'

export interface Ambient {
  readonly clock: Clock
  readonly random: Random
  readonly logger: Logger
}

export interface Coordinator extends Service {
  grpcAddress(): string
  httpAddress(): string
}

/** Grace of the server beyond a lease, G, in ms. */
const GRACE_MS = 2_000
/** A worker that refused is left alone for this long, in ms; others get the work. */
const REFUSED_PAUSE_MS = 5_000
/** Agents that are sent away come back after this, in ms. */
const GOODBYE_DELAY_MS = 500
/** Heartbeats in one lease. */
const HEARTBEATS_PER_LEASE = 6

/** Opens the database, brings it up to date, and builds everything; `start` begins to serve. */
export async function composeCoordinator(
  ambient: Ambient,
  config: CoordinatorConfig,
  connection: string | Readonly<pg.ClientConfig>,
): Promise<Coordinator> {
  const db = openDatabase({ connection, logger: ambient.logger })
  const deps: Deps = { ...ambient, db, hints: createHints(), specs: createJobSpecs() }
  const applied = await migrateToLatest(db)
  if (applied.length > 0) ambient.logger.info({ applied }, 'migrated the database')
  await keepPartitions(deps, config.retentionMs)
  const { fleet, loops, rpc } = await composeFlow(deps, config)
  const http = createHttpServer(deps, { host: '127.0.0.1', port: config.httpPort })
  const farewell: Service = { start: async () => {}, stop: async () => sayGoodbye(fleet) }
  const database: Service = { start: async () => {}, stop: async () => db.destroy() }
  const service = inOrder([database, rpc, farewell, http, ...loops])
  return { ...service, grpcAddress: () => rpc.address(), httpAddress: () => http.address() }
}

async function composeFlow(
  deps: Deps,
  config: CoordinatorConfig,
): Promise<{ fleet: Fleet; loops: Service[]; rpc: RpcServer }> {
  const { hints } = deps
  const fleet = createFleet()
  const settle = createSettle(deps)
  const enqueue = createEnqueue(deps)
  const heartbeatMs = config.leaseMs / HEARTBEATS_PER_LEASE

  // schedule -> enqueue -> match -> dispatch
  const schedule = createScheduleLoop(deps, enqueue)
  const release = createReleaseLoop(deps, settle.endExecutions)
  const dependencies = createDependencyLoop(deps, { enqueue, endExecutions: settle.endExecutions })
  const match = createMatchLoop(deps, {
    offers: () => fleet.offers(deps.clock.monotonicMs()),
    reserve: ({ offer, executionId, slots }) => fleet.reserve(offer.sessionId, executionId, slots),
    unreserve: ({ offer, executionId }) => fleet.release(offer.sessionId, executionId),
    dispatch: async (claimed) => dispatch(deps, fleet, claimed),
  })
  const renew = createRenewLoop(deps, fleet, heartbeatMs)
  const control = createControlLoop(deps, fleet)

  // report -> settle
  const onEnded = (ended: readonly EndedAttempt[]) => freeSlots(deps, fleet, ended)
  const expire = createExpireLoop(deps, {
    times: { leaseMs: config.leaseMs, graceMs: GRACE_MS },
    settle,
    onLost: async (sessionIds, ended) => {
      onEnded(ended)
      endSessions(fleet, sessionIds)
    },
  })

  hints.on('schedules', () => schedule.wake())
  hints.on('queue', () => {
    match.wake()
    release.wake()
  })
  hints.on('dependencies', () => dependencies.wake())
  hints.on('cancels', () => control.wake())

  const rpc = await composeRpc(deps, config, { fleet, settle, enqueue, heartbeatMs, onEnded })
  const retention = createRetentionLoop(deps, config.retentionMs)
  return {
    fleet,
    rpc,
    loops: [schedule, release, dependencies, match, renew, control, expire, retention],
  }
}

interface Steps {
  readonly fleet: Fleet
  readonly settle: ReturnType<typeof createSettle>
  readonly enqueue: ReturnType<typeof createEnqueue>
  readonly heartbeatMs: number
  readonly onEnded: (ended: readonly EndedAttempt[]) => void
}

async function composeRpc(deps: Deps, config: CoordinatorConfig, steps: Steps): Promise<RpcServer> {
  const { fleet, settle, enqueue } = steps
  const files = coordinatorFiles(config.dataDir)
  const names = [
    ...config.advertise,
    ...(config.listen === '0.0.0.0' || config.listen === '::' ? [] : [config.listen]),
  ]
  const authority = await openAuthority({
    ...deps,
    files,
    names,
    agentCertificateMs: config.agentCertificateMs,
  })
  await ensureAdminToken(deps, files.adminToken)
  const conversation = {
    coordinatorId: newId(deps.clock, deps.random),
    heartbeatMs: steps.heartbeatMs,
    leaseMs: config.leaseMs,
    fleet,
    settleLost: settle.settleLost,
    receiveReport: receiveWith(deps, steps),
  }
  const rpc: RpcServer = createRpcServer(
    {
      ...deps,
      boundary: createErrorBoundary(deps),
      enqueue,
      endExecutions: settle.endExecutions,
      enrollment: {
        ...deps,
        authority,
        advertisedAddress: () => advertised(config, rpc.address()),
      },
      converse: (peer) => createConversation(deps, conversation, peer),
    },
    {
      host: config.listen,
      port: config.grpcPort,
      authority,
      authenticator: createAuthenticator(deps),
    },
  )
  return rpc
}

function receiveWith(deps: Deps, { settle, onEnded }: Steps) {
  return async (
    session: ReturnType<Fleet['all']>[number],
    report: Parameters<typeof receiveReport>[2]['report'],
  ) => {
    const { id, workerName } = session.profile
    const { clockSkewMs } = session
    return receiveReport(
      deps,
      {
        toRef: toAttemptRef,
        settleReported: settle.settleReported,
        onEnded: (ended) => onEnded(ended as readonly EndedAttempt[]),
      },
      { session: { id, workerName, clockSkewMs }, report },
    )
  }
}

function freeSlots(deps: Deps, fleet: Fleet, ended: readonly EndedAttempt[]): void {
  for (const { ending, report } of ended) {
    fleet.release(ending.session_id, ending.id)
    fleet.count(ending.session_id, report.outcome)
    if (report.outcome !== 'refused') continue
    fleet.pause(ending.session_id, deps.clock.monotonicMs() + REFUSED_PAUSE_MS)
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

/** Agents come back to whoever serves next; their leases hold meanwhile. */
function sayGoodbye(fleet: Fleet): void {
  for (const { stream } of fleet.all()) {
    const reconnectDelay = durationFromMs(GOODBYE_DELAY_MS)
    stream.send({ $case: 'goodbye', value: { reason: 'the coordinator stops', reconnectDelay } })
    stream.end(new RotaError('SHUTTING_DOWN', 'the coordinator is stopping'))
  }
}

function advertised(config: CoordinatorConfig, address: string): string {
  const [name] = config.advertise
  return name === undefined ? address : `${name}:${address.slice(address.lastIndexOf(':') + 1)}`
}
