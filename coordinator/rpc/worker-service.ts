import type { UntypedServiceImplementation } from '@grpc/grpc-js'
import * as api from '../../proto/gen/rota/v1/worker_service.ts'
import { durationFromMs, durationToMs } from '../../shared/duration.ts'
import { refuseViolations } from '../../shared/errors/rota-error.ts'
import { parseResourceName, wordFromEnum } from '../../shared/wire.ts'
import type { Deps } from '../deps.ts'
import { createJoinToken } from '../identity/enrollment.ts'
import { principalName } from '../identity/principal.ts'
import { listWorkers, readWorker } from '../query/fleet-queries.ts'
import { finishPage, readPage } from '../query/keyset-queries.ts'
import { workerNotFound } from '../query/worker-not-found.ts'
import { readWorkerStats } from '../query/worker-stats-queries.ts'
import {
  cordonWorker,
  deleteWorker,
  drainWorker,
  releaseWorker,
  type WorkerOrder,
} from '../workers/control-worker.ts'
import { readWorkerUpdate } from '../workers/read-worker-update.ts'
import { updateWorker } from '../workers/update-worker.ts'
import { WORKER_LIST } from './lists.ts'
import { type Caller, complete, unary } from './serve.ts'
import type { ServiceDeps } from './service-deps.ts'
import { toWorker } from './to-worker.ts'

export function createWorkerService(deps: ServiceDeps): UntypedServiceImplementation {
  const { boundary } = deps
  const serve = <Q, R>(method: string, handler: (request: Q, caller: Caller) => Promise<R>) =>
    unary(deps, `WorkerService/${method}`, handler)
  return complete(boundary, api.WorkerServiceService, {
    listWorkers: serve('ListWorkers', async (request: api.ListWorkersRequest) =>
      list(deps, request),
    ),
    getWorker: serve('GetWorker', async ({ name }: api.GetWorkerRequest) => ({
      worker: await requireWorker(deps, parseResourceName('workers', name, 'name')),
    })),
    getWorkerStats: serve('GetWorkerStats', async (request: api.GetWorkerStatsRequest) =>
      stats(deps, request),
    ),
    updateWorker: serve('UpdateWorker', async (request: api.UpdateWorkerRequest, caller) => {
      const worker = parseResourceName('workers', request.worker?.name ?? '', 'worker.name')
      const actor = principalName(caller.principal)
      await updateWorker(deps, { worker, actor, update: readWorkerUpdate(request) })
      return { worker: await requireWorker(deps, worker) }
    }),
    cordonWorker: serve('CordonWorker', async (request: api.CordonWorkerRequest, caller) => {
      const order = readOrder(request, caller)
      await cordonWorker(deps, order)
      return { worker: await requireWorker(deps, order.worker) }
    }),
    drainWorker: serve('DrainWorker', async (request: api.DrainWorkerRequest, caller) => {
      const order = readOrder(request, caller)
      await drainWorker(deps, { ...order, deadlineMs: readDeadlineMs(request) })
      return { worker: await requireWorker(deps, order.worker) }
    }),
    releaseWorker: serve('ReleaseWorker', async (request: api.ReleaseWorkerRequest, caller) => {
      const order = readOrder(request, caller)
      await releaseWorker(deps, order)
      return { worker: await requireWorker(deps, order.worker) }
    }),
    deleteWorker: serve('DeleteWorker', async (request: api.DeleteWorkerRequest, caller) => {
      await deleteWorker(deps, { ...readOrder(request, caller), force: request.force })
      return {}
    }),
    createEnrollmentToken: serve(
      'CreateEnrollmentToken',
      async (request: api.CreateEnrollmentTokenRequest, { principal }) =>
        createJoinToken(deps.enrollment, principal, request),
    ),
  })
}

async function list(deps: Deps, request: api.ListWorkersRequest): Promise<api.ListWorkersResponse> {
  const { capability } = request
  const clauses = [
    request.filter && `(${request.filter})`,
    capability && `capabilities:${JSON.stringify(capability)}`,
  ]
  const listRequest = { ...request, filter: clauses.filter(Boolean).join(' AND ') }
  const page = readPage(WORKER_LIST, listRequest, {})
  const { rows, total } = await listWorkers(deps.db, page)
  const { rows: shown, nextPageToken } = finishPage(page, rows.map(toWorker), {
    request: listRequest,
    args: {},
    keys: (worker) => page.order.map(({ field }) => workerKey(worker, field)),
  })
  return { workers: shown, nextPageToken, totalSize: total }
}

function workerKey(worker: api.Worker, field: string): string {
  switch (field) {
    case 'state':
      return wordFromEnum(api.WorkerState, worker.state) ?? ''
    case 'hostname':
      return worker.hostname
    case 'slot_count':
      return String(worker.slotCount)
    case 'consecutive_failures':
      return String(worker.consecutiveFailures)
    case 'connect_time':
      return worker.connectTime?.toISOString() ?? '-infinity'
    default:
      return worker.name.replace(/^workers\//, '')
  }
}

const WINDOW_MS = 3_600_000
const WINDOW_MS_MAX = 31 * 86_400_000

async function stats(
  deps: Deps,
  request: api.GetWorkerStatsRequest,
): Promise<api.GetWorkerStatsResponse> {
  const name = parseResourceName('workers', request.name, 'name')
  const windowMs = durationToMs(request.window) ?? WINDOW_MS
  if (!(windowMs > 0 && windowMs <= WINDOW_MS_MAX)) {
    const message = 'must be above 0 and at most 31 days'
    refuseViolations([{ field: 'window', reason: 'FIELD_INVALID', message }])
  }
  const worker = await readWorker(deps.db, name)
  if (worker === undefined) throw await workerNotFound(deps.db, name)
  const row = await readWorkerStats(deps.db, worker, windowMs)
  return api.GetWorkerStatsResponse.fromPartial({
    succeededCount: BigInt(row.succeeded),
    failedCount: BigInt(row.failed),
    runningCount: BigInt(row.running),
    busyRatio: Math.min(1, row.busy_ratio),
    durationP95: row.duration_p95_ms === null ? undefined : durationFromMs(row.duration_p95_ms),
    reconnectCount: BigInt(row.connections),
  })
}

async function requireWorker(deps: Deps, name: string): Promise<api.Worker> {
  const row = await readWorker(deps.db, name)
  if (row === undefined) throw await workerNotFound(deps.db, name)
  return toWorker(row)
}

const REASON_LENGTH_MAX = 1_000
const DEADLINE_MS_MAX = 31 * 86_400_000

function readOrder(
  { name, reason = '' }: { readonly name: string; readonly reason?: string },
  { principal }: Caller,
): WorkerOrder {
  if (reason.length > REASON_LENGTH_MAX) {
    const message = `is longer than ${REASON_LENGTH_MAX} characters`
    refuseViolations([{ field: 'reason', reason: 'FIELD_TOO_LONG', message }])
  }
  const worker = parseResourceName('workers', name, 'name')
  return { worker, reason, actor: principalName(principal) }
}

/** Undefined: as long as it takes. */
function readDeadlineMs({ deadline, force }: api.DrainWorkerRequest): number | undefined {
  if (force) return 0
  const deadlineMs = durationToMs(deadline)
  if (deadlineMs !== undefined && !(deadlineMs >= 0 && deadlineMs <= DEADLINE_MS_MAX)) {
    const message = 'must be 0 s to 31 days'
    refuseViolations([{ field: 'deadline', reason: 'FIELD_INVALID', message }])
  }
  return deadlineMs
}
