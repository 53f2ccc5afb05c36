import type { UntypedServiceImplementation } from '@grpc/grpc-js'
import * as api from '../../proto/gen/rota/v1/freeze_service.ts'
import { RotaError } from '../../shared/errors/rota-error.ts'
import { enumFromWord, parseResourceName, resourceName } from '../../shared/wire.ts'
import { requestKey } from '../definition/request-key.ts'
import type { Deps } from '../deps.ts'
import { createFreeze, deleteFreeze, endFreeze, requireFreeze } from '../freeze/control-freeze.ts'
import { type FreezeRow, listFreezes } from '../freeze/freeze-queries.ts'
import { principalName } from '../identity/principal.ts'
import { finishPage, readPage } from '../query/keyset-queries.ts'
import { FREEZE_LIST } from './lists.ts'
import { required } from './required.ts'
import { type Caller, complete, unary } from './serve.ts'
import type { ServiceDeps } from './service-deps.ts'

export function createFreezeService(deps: ServiceDeps): UntypedServiceImplementation {
  const { boundary } = deps
  const serve = <Q, R>(method: string, handler: (request: Q, caller: Caller) => Promise<R>) =>
    unary(deps, `FreezeService/${method}`, handler)
  return complete(boundary, api.FreezeServiceService, {
    listFreezes: serve('ListFreezes', async (request: api.ListFreezesRequest) =>
      list(deps, request),
    ),
    getFreeze: serve('GetFreeze', async ({ name }: api.GetFreezeRequest) => ({
      freeze: toFreeze(await requireFreeze(deps.db, idOf(name))),
    })),
    createFreeze: serve('CreateFreeze', async (request: api.CreateFreezeRequest, caller) =>
      create(deps, request, caller),
    ),
    endFreeze: serve('EndFreeze', async ({ name }: api.EndFreezeRequest) => ({
      freeze: toFreeze(await endFreeze(deps, idOf(name))),
    })),
    deleteFreeze: serve('DeleteFreeze', async (request: api.DeleteFreezeRequest) =>
      remove(deps, request),
    ),
  })
}

function idOf(name: string): string {
  return parseResourceName('freezes', name, 'name')
}

async function list(deps: Deps, request: api.ListFreezesRequest): Promise<api.ListFreezesResponse> {
  const page = readPage(FREEZE_LIST, request, {})
  const { rows, total } = await listFreezes(deps.db, page)
  const { rows: shown, nextPageToken } = finishPage(page, rows, {
    request,
    args: {},
    keys: (row) => page.order.map(({ field }) => freezeKey(row, field)),
  })
  return { freezes: shown.map(toFreeze), nextPageToken, totalSize: total }
}

function freezeKey(row: FreezeRow, field: string): string {
  switch (field) {
    case 'owner':
      return row.owner
    case 'start_time':
      return row.starts_at.toISOString()
    case 'end_time':
      return row.ends_at.toISOString()
    default:
      return row.name
  }
}

async function create(
  deps: Deps,
  request: api.CreateFreezeRequest,
  { principal }: Caller,
): Promise<api.CreateFreezeResponse> {
  const { freeze, requestId, validateOnly } = request
  if (freeze === undefined) throw required('freeze')
  const actor = principalName(principal)
  const encoded = api.CreateFreezeRequest.encode(request).finish()
  const row = await createFreeze(deps, {
    ...{ freeze, actor, validateOnly },
    id: request.freezeId || freeze.name.replace(/^freezes\//, ''),
    request: requestKey(actor, 'CreateFreeze', { requestId, encoded }),
  })
  return { freeze: toFreeze(row) }
}

async function remove(
  deps: Deps,
  { name, allowMissing }: api.DeleteFreezeRequest,
): Promise<api.DeleteFreezeResponse> {
  try {
    await deleteFreeze(deps, idOf(name))
  } catch (error) {
    const isMissing = error instanceof RotaError && error.reason === 'FREEZE_NOT_FOUND'
    if (!isMissing || !allowMissing) throw error
  }
  return {}
}

function toFreeze(row: FreezeRow): api.Freeze {
  return api.Freeze.fromPartial({
    name: resourceName('freezes', row.name),
    reason: row.reason,
    owner: row.owner,
    jobPrefix: row.job_prefix,
    selector: row.selector,
    startTime: row.starts_at,
    endTime: row.ends_at,
    after: enumFromWord(api.Freeze_After, row.after),
    includeManual: row.include_manual,
    state: enumFromWord(api.Freeze_State, row.state),
    skippedCount: row.skipped_count,
    executionCount: row.execution_count,
    createTime: row.created_at,
  })
}
