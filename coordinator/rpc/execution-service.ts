import type { UntypedServiceImplementation } from '@grpc/grpc-js'
import { type Execution, ExecutionState, Trigger } from '../../proto/gen/rota/v1/execution.ts'
import * as api from '../../proto/gen/rota/v1/execution_service.ts'
import { RotaError } from '../../shared/errors/rota-error.ts'
import { parseResourceName, wordFromEnum } from '../../shared/wire.ts'
import { cancelExecution } from '../cancel/cancel.ts'
import { requireJob } from '../definition/find-job.ts'
import type { Deps } from '../deps.ts'
import { principalName } from '../identity/principal.ts'
import type { ExecutionId } from '../job/execution.ts'
import { listExecutions, readAttempts, readExecution } from '../query/execution-queries.ts'
import { finishPage, readPage } from '../query/keyset-queries.ts'
import { explainExecution, readExplained } from './explain-execution.ts'
import { listExecutionEvents } from './list-execution-events.ts'
import { EXECUTION_LIST } from './lists.ts'
import { executionId, readWholeExecution } from './read-whole-execution.ts'
import { refuseFeature } from './refuse-feature.ts'
import { type Caller, complete, serverStream, unary } from './serve.ts'
import type { ServiceDeps } from './service-deps.ts'
import { tailLogs } from './tail-logs.ts'
import { toExecution } from './to-execution.ts'

export function createExecutionService(deps: ServiceDeps): UntypedServiceImplementation {
  const { boundary } = deps
  const serve = <Q, R>(method: string, handler: (request: Q, caller: Caller) => Promise<R>) =>
    unary(deps, `ExecutionService/${method}`, handler)
  return complete(boundary, api.ExecutionServiceService, {
    listExecutions: serve('ListExecutions', async (request: api.ListExecutionsRequest) =>
      list(deps, request),
    ),
    getExecution: serve('GetExecution', async ({ name }: api.GetExecutionRequest) => ({
      execution: await readExplained(deps, executionId(name)),
    })),
    explainExecution: serve('ExplainExecution', async ({ name }: api.ExplainExecutionRequest) =>
      explainExecution(deps, executionId(name)),
    ),
    cancelExecution: serve(
      'CancelExecution',
      async (request: api.CancelExecutionRequest, caller) => {
        const id = executionId(request.name)
        await cancelExecution(deps, deps.endExecutions, {
          id,
          reason: cancelReason(request.reason, caller),
          actor: principalName(caller.principal),
          force: request.force,
        })
        return { execution: await readWholeExecution(deps.db, id) }
      },
    ),
    listExecutionEvents: serve(
      'ListExecutionEvents',
      async (request: api.ListExecutionEventsRequest) => listExecutionEvents(deps.db, request),
    ),
    tailExecutionLogs: serverStream(
      deps,
      'ExecutionService/TailExecutionLogs',
      (request: api.TailExecutionLogsRequest, caller) => tail(deps, request, caller),
    ),
  })
}

async function list(
  deps: Deps,
  request: api.ListExecutionsRequest,
): Promise<api.ListExecutionsResponse> {
  refuseFeature('read_mask', request.readMask !== undefined)
  const name = request.job === '' ? '' : parseResourceName('jobs', request.job, 'job')
  const jobId = name === '' ? undefined : (await requireJob(deps.db, name)).id
  const args = { job: name }
  const page = readPage(EXECUTION_LIST, request, args)
  const { rows, total } = await listExecutions(deps.db, { ...page, jobId })
  const attempts = await readAttempts(deps.db, rows, true)
  const byExecution = Map.groupBy(attempts, ({ execution_id }) => execution_id)
  const executions = rows.map((row) => toExecution(row, byExecution.get(row.id) ?? []))
  const { rows: shown, nextPageToken } = finishPage(page, executions, {
    request,
    args,
    keys: (execution) => page.order.map(({ field }) => executionKey(execution, field)),
  })
  return { executions: shown, nextPageToken, totalSize: total }
}

function executionKey(execution: Execution, field: string): string {
  switch (field) {
    case 'job':
      return execution.job.replace(/^jobs\//, '')
    case 'state':
      return wordFromEnum(ExecutionState, execution.state) ?? ''
    case 'trigger':
      return wordFromEnum(Trigger, execution.trigger) ?? ''
    case 'priority':
      return String(execution.priority)
    case 'create_time':
      return execution.createTime?.toISOString() ?? ''
    default:
      return execution.name.replace(/^executions\//, '')
  }
}

const REASON_LENGTH_MAX = 1_000

function cancelReason(reason: string, caller: Caller): string {
  if (reason.length > REASON_LENGTH_MAX) {
    const message = `is longer than ${REASON_LENGTH_MAX} characters`
    throw new RotaError('FIELD_TOO_LONG', `reason: ${message}`, {
      violations: [{ field: 'reason', reason: 'FIELD_TOO_LONG', message }],
    })
  }
  const who = `cancelled by ${principalName(caller.principal)}`
  return reason === '' ? who : `${who}: ${reason}`
}

async function* tail(
  deps: Deps,
  request: api.TailExecutionLogsRequest,
  caller: Caller,
): AsyncIterable<api.TailExecutionLogsResponse> {
  const id = executionId(request.name)
  await requireExecution(deps, id)
  for (const [field, value] of [
    ['tail_lines', request.tailLines],
    ['attempt', request.attempt],
    ['after_sequence', Number(request.afterSequence)],
  ] as const) {
    if (value >= 0) continue
    throw new RotaError('FIELD_INVALID', `${field}: must not be negative`, {
      violations: [{ field, reason: 'FIELD_INVALID', message: 'must not be negative' }],
    })
  }
  yield* tailLogs(deps, { ...request, id }, caller.signal)
}

async function requireExecution(deps: Deps, id: ExecutionId): Promise<void> {
  if ((await readExecution(deps.db, id)) !== undefined) return
  throw new RotaError('EXECUTION_NOT_FOUND', `there is no execution ${id}`)
}
