import type { Command } from 'commander'
import { ExecutionState } from '../../proto/gen/rota/v1/execution.ts'
import {
  ExecutionServiceService,
  ListExecutionsRequest,
  ListExecutionsResponse,
} from '../../proto/gen/rota/v1/execution_service.ts'
import {
  GetHealthRequest,
  GetHealthResponse,
  GetServerInfoRequest,
  GetServerInfoResponse,
  GetStatsRequest,
  GetStatsResponse,
  HealthState,
  SystemServiceService,
} from '../../proto/gen/rota/v1/system_service.ts'
import {
  ListWorkersRequest,
  ListWorkersResponse,
  WorkerHealth,
  WorkerServiceService,
} from '../../proto/gen/rota/v1/worker_service.ts'
import { durationFromMs, durationToMs, formatDurationMs } from '../../shared/duration.ts'
import { addExamples, type Handler, type Invocation, type Run, setAction } from '../action.ts'
import type { Api } from '../client.ts'
import { writeAll } from '../host.ts'
import { type Detail, renderDetails } from '../output/details.ts'
import { isForMachine, presentJson } from '../output/present.ts'
import type { ApiMessage } from '../output/proto-json.ts'
import { createScreen, type Screen } from '../output/screen.ts'
import { paintState, word, wordsOf } from '../words.ts'
import { ENDED } from './exec/describe.ts'
import { renderExecutions } from './exec/list.ts'

/** `rota status` */
export function registerStatus(program: Command, run: Run): void {
  const status = program
    .command('status')
    .description(
      'The whole cluster on one screen: coordinator, workers, jobs, queue, last executions.',
    )
  addExamples(status, 'rota status', 'rota status -o json')
  setAction(status, run, showStatus)
}

const RECENT = 5
const WINDOW_MS = 86_400_000
const WORKERS_MAX = 1_000

const ENDED_STATES = new Set([...ENDED].map((state) => word(ExecutionState, state)))

interface ClusterStatus {
  readonly serverInfo: GetServerInfoResponse
  readonly health: GetHealthResponse
  readonly stats: GetStatsResponse
  readonly workers: ListWorkersResponse
  readonly recent: ListExecutionsResponse
}

const showStatus: Handler<object, readonly []> = async (invocation) => {
  const api = await invocation.connect()
  const status = await fetchStatus(api)
  if (isForMachine(invocation)) await presentParts(invocation, status)
  else {
    const screen = createScreen(invocation)
    await writeAll(invocation.host.stdout, renderStatus(status, api.address, screen))
  }
}

async function fetchStatus(api: Api): Promise<ClusterStatus> {
  const [serverInfo, health, stats, workers, recent] = await Promise.all([
    api.call(SystemServiceService.getServerInfo, GetServerInfoRequest.fromPartial({})),
    api.call(SystemServiceService.getHealth, GetHealthRequest.fromPartial({})),
    api.call(
      SystemServiceService.getStats,
      GetStatsRequest.fromPartial({ window: durationFromMs(WINDOW_MS) }),
    ),
    api.call(
      WorkerServiceService.listWorkers,
      ListWorkersRequest.fromPartial({ pageSize: WORKERS_MAX }),
    ),
    api.call(
      ExecutionServiceService.listExecutions,
      ListExecutionsRequest.fromPartial({ pageSize: RECENT }),
    ),
  ])
  return { serverInfo, health, stats, workers, recent }
}

async function presentParts(invocation: Invocation, status: ClusterStatus): Promise<void> {
  await presentJson(invocation, {
    serverInfo: part('GetServerInfoResponse', GetServerInfoResponse, status.serverInfo),
    health: part('GetHealthResponse', GetHealthResponse, status.health),
    stats: part('GetStatsResponse', GetStatsResponse, status.stats),
    workers: part('ListWorkersResponse', ListWorkersResponse, status.workers),
    recentExecutions: part('ListExecutionsResponse', ListExecutionsResponse, status.recent),
  })
}

function part<T>(type: string, codec: ApiMessage<T>['codec'], message: T): ApiMessage<T> {
  return { typeName: `rota.v1.${type}`, codec, message }
}

function renderStatus(status: ClusterStatus, address: string, screen: Screen): string {
  const details = renderDetails(statusLines(status, address, screen), screen.width)
  const { executions } = status.recent
  return executions.length === 0 ? details : `${details}\n${renderExecutions(executions, screen)}`
}

function statusLines(status: ClusterStatus, address: string, screen: Screen): Detail[] {
  const { serverInfo, health, stats, workers } = status
  const troubles = health.components
    .filter(({ state }) => state !== HealthState.HEALTHY)
    .map(({ component, state, message }) => `${component} ${word(HealthState, state)}: ${message}`)
  const coordinators = health.components
    .filter(({ component }) => component.startsWith('coordinator/'))
    .map(({ message }) => message)
  const used = workers.workers.reduce((sum, { usedSlotCount }) => sum + usedSlotCount, 0)
  const slots = workers.workers.reduce((sum, { slotCount }) => sum + slotCount, 0)
  const { live, ended } = splitCounts(stats.executionsByState)
  const state = word(HealthState, health.state) || 'unknown'
  const paint = (line: string) => paintState(screen, state, line)
  return [
    ['coordinator', `${serverInfo.version} at ${address}, ${state}`, paint],
    ['cluster', coordinators.length > 1 ? coordinators.join('\n') : undefined],
    ['trouble', troubles.join('\n'), paint],
    ['workers', `${describeWorkers(workers)}; ${used} of ${slots} slots used`],
    ['jobs', describeCounts(stats.jobsByState) || 'none'],
    ['queue', describeQueue(stats)],
    ['now', describeCounts(live) || 'nothing runs'],
    ['last 24 h', describeCounts(ended) || 'nothing ended'],
  ]
}

/** `11 healthy, 1 offline` */
function describeWorkers({ workers }: ListWorkersResponse): string {
  const counts = new Map<string, number>()
  for (const { health } of workers) {
    const key = word(WorkerHealth, health) || 'unknown'
    counts.set(key, (counts.get(key) ?? 0) + 1)
  }
  const parts = [...counts].map(([health, count]) => `${count} ${health}`)
  return parts.length === 0 ? 'none' : parts.join(', ')
}

function describeQueue({ queueDepth, oldestQueuedAge }: GetStatsResponse): string {
  if (queueDepth === 0n) return 'empty'
  const ageMs = durationToMs(oldestQueuedAge)
  const age = ageMs === undefined ? '' : `, the oldest for ${formatDurationMs(ageMs)}`
  return `${queueDepth} ready to start${age}`
}

function splitCounts(counts: Readonly<Record<string, bigint>>) {
  const split = Object.groupBy(Object.entries(counts), ([state]) =>
    ENDED_STATES.has(state.toLowerCase()) ? 'ended' : 'live',
  )
  return {
    live: Object.fromEntries(split.live ?? []),
    ended: Object.fromEntries(split.ended ?? []),
  }
}

/** `7 active, 1 paused`, in the order of the enum where the state is one of an execution. */
function describeCounts(counts: Readonly<Record<string, bigint>>): string {
  const order = wordsOf(ExecutionState)
  return Object.entries(counts)
    .map(([state, count]) => ({ state: state.toLowerCase(), count }))
    .filter(({ count }) => count > 0n)
    .sort((a, b) => order.indexOf(a.state) - order.indexOf(b.state))
    .map(({ state, count }) => `${count} ${state}`)
    .join(', ')
}
