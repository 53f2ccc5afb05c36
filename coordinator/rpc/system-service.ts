import type { UntypedServiceImplementation } from '@grpc/grpc-js'
import * as api from '../../proto/gen/rota/v1/system_service.ts'
import { MESSAGE_BYTES_MAX } from '../../shared/channel-options.ts'
import { durationFromMs, durationToMs } from '../../shared/duration.ts'
import { RotaError } from '../../shared/errors/rota-error.ts'
import type { Deps } from '../deps.ts'
import { createDatabaseCheck, type DatabaseCheck } from '../observe/readiness.ts'
import { readStats } from '../query/stats-queries.ts'
import { VERSION } from '../version.ts'
import { coordinatorHealth } from './coordinator-health.ts'
import { CHANGES, READS } from './limits/call-limits.ts'
import { refuseFeature } from './refuse-feature.ts'
import { type Caller, complete, STREAMS_MAX, serverStream, unary } from './serve.ts'
import type { ServiceDeps } from './service-deps.ts'
import { watchEvents } from './watch-events.ts'

const WINDOW_MS = 3_600_000
const WINDOW_MS_MAX = 31 * 86_400_000

/** What this release has, for clients that ask before they try. */
const FEATURES = [
  'schedules.cron',
  'schedules.every',
  'schedules.at',
  'schedules.text',
  'schedules.dst',
  'schedules.calendars',
  'schedules.freezes',
  'schedules.skip',
  'schedules.jitter',
  'schedules.backfill',
  'concurrency.overlap',
  'concurrency.max',
  'dependencies',
  'retries',
  'tasks.shell',
  'tasks.script',
  'tasks.api',
  'tasks.handler',
  'logs.follow',
  'events.watch',
]

export function createSystemService(deps: ServiceDeps): UntypedServiceImplementation {
  const { boundary } = deps
  const checkDatabase = createDatabaseCheck(deps)
  const serve = <Q, R>(method: string, handler: (request: Q, caller: Caller) => Promise<R>) =>
    unary(deps, `SystemService/${method}`, handler)
  return complete(boundary, api.SystemServiceService, {
    getHealth: serve('GetHealth', async () => health(deps, await checkDatabase())),
    getStats: serve('GetStats', async (request: api.GetStatsRequest) => stats(deps, request)),
    getServerInfo: serve('GetServerInfo', async () => info(deps)),
    watchEvents: serverStream(
      deps,
      'SystemService/WatchEvents',
      (request: api.WatchEventsRequest, caller) => watchEvents(deps, request, caller),
    ),
  })
}

function health(deps: ServiceDeps, database: DatabaseCheck): api.GetHealthResponse {
  const { HEALTHY, DEGRADED, UNHEALTHY } = api.HealthState
  const coordinators = coordinatorHealth(deps.members(), deps.clock.now())
  const whole = coordinators.every(({ state }) => state === HEALTHY) ? HEALTHY : DEGRADED
  return {
    state: database.isReady ? whole : UNHEALTHY,
    components: [
      {
        component: 'database',
        state: database.isReady ? HEALTHY : UNHEALTHY,
        message: database.message,
        latency: durationFromMs(database.latencyMs),
      },
      ...coordinators,
    ],
  }
}

async function stats(deps: Deps, request: api.GetStatsRequest): Promise<api.GetStatsResponse> {
  refuseFeature('step', request.step !== undefined)
  const windowMs = durationToMs(request.window) ?? WINDOW_MS
  if (!(windowMs > 0 && windowMs <= WINDOW_MS_MAX)) {
    throw new RotaError('FIELD_INVALID', 'window: must be above 0 and at most 31 days', {
      violations: [
        {
          field: 'window',
          reason: 'FIELD_INVALID',
          message: 'must be above 0 and at most 31 days',
        },
      ],
    })
  }
  const row = await readStats(deps.db, windowMs)
  const settled = Object.values(row.settled_by_state).reduce((sum, count) => sum + count, 0)
  return api.GetStatsResponse.fromPartial({
    jobsByState: toCounts(row.jobs_by_state),
    executionsByState: toCounts({ ...row.live_by_state, ...row.settled_by_state }),
    workersByState: toCounts({
      connected: row.workers_connected,
      offline: row.workers_total - row.workers_connected,
    }),
    queueDepth: BigInt(row.live_by_state['queued'] ?? 0),
    oldestQueuedAge:
      row.oldest_queued_ms === null ? undefined : durationFromMs(row.oldest_queued_ms),
    scheduleDelayP95:
      row.schedule_delay_p95_ms === null ? undefined : durationFromMs(row.schedule_delay_p95_ms),
    successRatio: settled === 0 ? 0 : (row.settled_by_state['succeeded'] ?? 0) / settled,
  })
}

function toCounts(counts: Readonly<Record<string, number>>): Record<string, bigint> {
  return Object.fromEntries(
    Object.entries(counts).map(([state, count]) => [state.toUpperCase(), BigInt(count)]),
  )
}

function info(deps: Deps): api.GetServerInfoResponse {
  return api.GetServerInfoResponse.fromPartial({
    version: VERSION,
    apiVersion: 'rota.v1',
    serverTime: deps.clock.now(),
    features: FEATURES,
    limits: {
      message_bytes: BigInt(MESSAGE_BYTES_MAX),
      page_size: 1000n,
      changes_per_second: BigInt(CHANGES.perSecond),
      reads_per_second: BigInt(READS.perSecond),
      open_streams: BigInt(STREAMS_MAX),
    },
  })
}
