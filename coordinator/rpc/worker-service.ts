import type { UntypedServiceImplementation } from '@grpc/grpc-js'
import * as api from '../../proto/gen/rota/v1/worker_service.ts'
import { RotaError } from '../../shared/errors/rota-error.ts'
import { nearNames } from '../../shared/near-names.ts'
import { parseResourceName, wordFromEnum } from '../../shared/wire.ts'
import type { Deps } from '../deps.ts'
import { createJoinToken } from '../identity/enrollment.ts'
import { listWorkers, readFleetNames, readWorker } from '../query/fleet-queries.ts'
import { finishPage, readPage } from '../query/keyset-queries.ts'
import { WORKER_LIST } from './lists.ts'
import { type Caller, complete, unary } from './serve.ts'
import type { ServiceDeps } from './service-deps.ts'
import { toWorker } from './to-worker.ts'

export function createWorkerService(deps: ServiceDeps): UntypedServiceImplementation {
  const { boundary } = deps
  const serve = <Q, R>(method: string, handler: (request: Q, caller: Caller) => Promise<R>) =>
    unary(boundary, `WorkerService/${method}`, handler)
  return complete(boundary, api.WorkerServiceService, {
    listWorkers: serve('ListWorkers', async (request: api.ListWorkersRequest) =>
      list(deps, request),
    ),
    getWorker: serve('GetWorker', async ({ name }: api.GetWorkerRequest) => ({
      worker: await requireWorker(deps, parseResourceName('workers', name, 'name')),
    })),
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

async function requireWorker(deps: Deps, name: string): Promise<api.Worker> {
  const row = await readWorker(deps.db, name)
  if (row !== undefined) return toWorker(row)
  const near = nearNames(name, (await readFleetNames(deps.db)).workers)
  throw new RotaError(
    'WORKER_NOT_FOUND',
    `there is no worker ${JSON.stringify(name.slice(0, 80))}`,
    {
      ...(near.length === 0 ? {} : { hint: `Did you mean ${near.join(' or ')}?` }),
    },
  )
}
